import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import Ports, free_ports
from jackfield_cli.local.services import (
    SERVICES,
    Service,
    Surroundings,
    not_ready,
    program,
    require_modules,
)

SURROUNDINGS = Surroundings(
    ports=Ports(),
    kafka_bootstrap_servers="127.0.0.1:9092",
    postgres_dsns={each.name: f"postgresql://{each.name}@/jackfield" for each in SERVICES},
    keys_directory=Path("/state/keys"),
    api_key_file=Path("/state/api-key"),
    oauth_client_file=Path("/state/oauth-client.json"),
)


@pytest.fixture
def answer() -> Generator[tuple[int, dict[str, object]]]:
    """A health endpoint; change what it answers by changing the second item."""
    says: dict[str, object] = {"status": 200, "body": b""}

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health/ready"
            self.send_response(int(str(says["status"])))
            self.end_headers()
            body = says["body"]
            assert isinstance(body, bytes)
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port, says
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "missing"),
    [
        (200, b"", None),
        (200, b"anything", None),
        (503, b"", "status 200 of /health/ready (now 503)"),
        (503, b"not json", "status 200 of /health/ready (now 503)"),
        (503, json.dumps({"waiting_for": ["kafka", "read models"]}).encode(), "kafka, read models"),
        (503, json.dumps({"detail": "loading"}).encode(), "loading"),
        (503, b"[1, 2]", "status 200 of /health/ready (now 503)"),
    ],
)
def test_readiness_says_what_is_missing(
    answer: tuple[int, dict[str, object]], status: int, body: bytes, missing: str | None
) -> None:
    port, says = answer
    says.update(status=status, body=body)
    assert not_ready(port) == missing


def test_nobody_there_is_waited_for() -> None:
    (port,) = free_ports(1)
    assert not_ready(port) == f"answer on 127.0.0.1:{port}"


def test_what_the_user_tunes_is_kept_and_what_is_assigned_is_not() -> None:
    named = {
        "JACKFIELD_PUBLIC_URL": "https://hooks.example.com",
        "JACKFIELD_EGRESS_ALLOW": "",
        "JACKFIELD_POSTGRES_DSN": "postgresql://admin@/postgres",
    }
    told = program(SERVICES[0], SURROUNDINGS, named).environment
    assert told["JACKFIELD_PUBLIC_URL"] == "https://hooks.example.com"
    assert told["JACKFIELD_EGRESS_ALLOW"] == "127.0.0.0/8,::1/128"
    assert told["JACKFIELD_POSTGRES_DSN"] == "postgresql://gateway@/jackfield"


def test_only_those_who_call_the_api_get_its_key() -> None:
    for service in SERVICES:
        told = program(service, SURROUNDINGS, {}).environment
        knows = service.name in ("gateway", "certification")
        assert ("JACKFIELD_API_KEY_FILE" in told) is knows


def test_no_two_listeners_share_a_port() -> None:
    fields = [field for each in SERVICES for field in (each.ops, *each.listeners.values())]
    assert len(set(fields)) == len(fields)
    assert set(fields) <= set(Ports().as_dict())


def test_a_missing_module_is_named() -> None:
    with pytest.raises(LocalError, match=r"Not installed: jackfield_nowhere\."):
        require_modules((Service("gateway", "jackfield_nowhere", {}),))
