"""The gateway's settings, from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from jackfield_common.shell import EXIT_CONFIGURATION
from jackfield_gateway.app import bootstrap_key, read_settings
from jackfield_gateway.settings import GatewaySettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "POSTGRES_DSN": "postgresql://a@127.0.0.1/b",
        "KEYS_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"JACKFIELD_{name}", value)


def read() -> GatewaySettings:
    return GatewaySettings()  # pyright: ignore[reportCallIssue]


def test_the_listeners_settings_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACKFIELD_WEBHOOK_PORT", "1234")
    monkeypatch.setenv("JACKFIELD_WEBHOOK_MAX_BODY", "2048")
    monkeypatch.setenv("JACKFIELD_WEBHOOK_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.0/24")
    monkeypatch.setenv("JACKFIELD_WEBHOOK_URL", "http://127.0.0.1:1234")  # the shell's, from `env`
    monkeypatch.setenv("JACKFIELD_PUBLIC_URL", "https://hooks.example.com/")
    settings = read()
    edge = settings.edge()
    assert (edge.port, edge.max_body) == (1234, 2048)
    assert edge.trusted_proxies == ("10.0.0.0/8", "192.0.2.0/24")
    assert edge.public_url == settings.webhook_origin() == "https://hooks.example.com"


def test_the_defaults_lead_to_this_machine() -> None:
    settings = read()
    assert settings.webhook_origin() == "http://127.0.0.1:8090"
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "hooks.example.com"),
        ("API_KEY_TENANT", "Not A Tenant"),
        ("WEBHOOK_PORT", "many"),
        ("WEBHOOK_TRUSTED_PROXIES", "everywhere"),
        ("API_PORT", "70000"),
    ],
)
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"JACKFIELD_{name}", value)
    with pytest.raises(ValidationError):
        read()


def test_what_is_wrong_ends_the_process_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JACKFIELD_API_PORT", "http")
    with pytest.raises(SystemExit) as ended:
        read_settings()
    assert ended.value.code == EXIT_CONFIGURATION
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("JACKFIELD_API_PORT: ")


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("short", "less than 20")])
def test_a_key_file_that_cannot_serve_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    file = tmp_path / "api-key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SystemExit) as ended:
        bootstrap_key(file)
    assert ended.value.code == EXIT_CONFIGURATION
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert content is None or content not in line


def test_the_bootstrap_key_is_the_files_text(tmp_path: Path) -> None:
    file = tmp_path / "api-key"
    file.write_text("a-key-of-more-than-twenty-characters\n")
    assert bootstrap_key(file) == "a-key-of-more-than-twenty-characters"
    assert bootstrap_key(None) is None
