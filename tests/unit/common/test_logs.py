"""Logs cannot print a secret, whichever way it gets into them."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from jackfield_common import logs, telemetry
from jackfield_common.settings import Settings
from jackfield_common.topics import Service

SECRETS = [
    "jf_0123456789abcdefghijABCDEFGHIJ0123456789abc",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "xoxb-123456789012-abcdefghijkl",
    "sk_live_abcdefghijklmnop",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJqYWNrIn0.c2lnbmF0dXJl",
    "Bearer abcdefghijklmnop",
]


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    output = io.StringIO()
    monkeypatch.setattr("sys.stdout", output)
    settings = Settings(
        kafka_bootstrap_servers="nowhere:1", postgres_dsn=SecretStr("x"), keys_dir=tmp_path
    )
    before = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure(settings, Service.GATEWAY)
    yield output
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_any_place_is_removed(printed: io.StringIO, secret: str) -> None:
    log = structlog.get_logger("test")
    log.info(f"got {secret}", text=f"with {secret} inside", nested={"list": [secret]})
    logging.getLogger("library").warning("calling with %s", secret)
    try:
        raise RuntimeError(f"the vendor said {secret}")
    except RuntimeError:
        log.exception("failed")
    output = printed.getvalue()
    assert secret not in output
    assert "hooks.slack.com" not in output
    assert [json.loads(line)["service"] for line in output.splitlines()] == ["gateway"] * 3


@pytest.mark.parametrize(
    "name", ["password", "webhook_secret", "access_token", "api_key", "Authorization", "cookie"]
)
def test_a_field_that_sounds_secret_is_not_printed(printed: io.StringIO, name: str) -> None:
    structlog.get_logger("test").info("x", **{name: "hunter2", "inner": {name: "hunter2"}})
    assert "hunter2" not in printed.getvalue()


def test_settings_do_not_print_their_secrets(printed: io.StringIO) -> None:
    settings = Settings(
        kafka_bootstrap_servers="nowhere:1",
        postgres_dsn=SecretStr("postgresql://u:hunter2@h/d"),
        kafka_sasl_password=SecretStr("hunter2"),
        keys_dir=Path(),
    )
    structlog.get_logger("test").info("x", settings=settings)
    assert "hunter2" not in printed.getvalue()
    assert "hunter2" not in repr(settings)


def test_a_line_is_joined_to_its_trace(printed: io.StringIO, tmp_path: Path) -> None:
    settings = Settings(
        kafka_bootstrap_servers="nowhere:1", postgres_dsn=SecretStr("x"), keys_dir=tmp_path
    )
    provider = telemetry.configure(settings, Service.GATEWAY, "test")
    parent = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with telemetry.serving("request", parent):
        structlog.get_logger("test").info("inside")
        carried = telemetry.current_trace()["traceparent"]
    line = json.loads(printed.getvalue().splitlines()[0])
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert carried.split("-")[1] == line["trace_id"]
    provider.shutdown()
