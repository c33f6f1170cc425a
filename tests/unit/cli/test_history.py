"""`jackfield history` as a user types it, against an API's answers."""

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from typer.testing import CliRunner, Result

from jackfield_cli.commands import history
from jackfield_cli.exits import Exit
from jackfield_cli.main import app

Asked = tuple[str, str, dict[str, Any]]
DELIVERY = {
    "event_id": "e1",
    "integration_id": "i1",
    "source": "forge",
    "event_type": "push",
    "canonical_type": "push",
    "delivery_id": "d-1",
    "status": "failed",
    "reason": "not JSON [bold]",
    "accepted_at": "2026-01-31T12:00:00Z",
    "occurrence": None,
    "size": 20,
    "added_by_a_newer_version": 1,
}
ANSWERS: dict[str, object] = {
    "/api/deliveries": {"items": [DELIVERY], "next_cursor": None},
    "/api/deliveries/e1": {
        "delivery": DELIVERY,
        "method": "POST",
        "path": "/hook",
        "headers": {"x-forge-event": "push"},
        "body": '{"ref": "[red]main"}',
    },
    "/api/deliveries/e1/explain": {
        "event": {},
        "routes": [
            {"subscription_id": "r1", "name": "a", "verdict": "matched", "input": {"text": "hi"}},
            {"subscription_id": "r2", "name": "b", "verdict": "failed", "message": "no key"},
        ],
    },
    "/api/deliveries/replay": {"event_ids": ["e1"], "unreadable": 1, "next_cursor": "more"},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Generator[list[Asked]]:
    seen: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self.reply("GET", address.path, dict(parse_qsl(address.query)))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply("POST", self.path, body | {"key": self.headers.get("Idempotency-Key")})

        def reply(self, method: str, path: str, given: dict[str, Any]) -> None:
            seen.append((method, path, given))
            body = json.dumps(ANSWERS[path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("JACKFIELD_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("JACKFIELD_API_KEY", "jf_key")
        yield seen
        server.shutdown()
        thread.join()


def jackfield(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["history", *arguments])


@pytest.mark.parametrize("command", [each.name or "" for each in history.group.registered_commands])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = jackfield(command, "--help")
    assert result.exit_code == Exit.OK
    assert f"jackfield history {command}" in result.output.split("Examples")[1]


def test_a_list_is_narrowed_by_the_api(asked: list[Asked]) -> None:
    narrowed = ("--type", "pu*", "--status", "failed", "--since", "2026-01-31T12:00:00+01:00")
    result = jackfield("list", "--integration", "i1", *narrowed, "--condition", "true", "-n", "5")
    assert result.exit_code == Exit.OK, result.output
    assert "not JSON [bold]" in result.stdout
    assert asked[0][2] == {
        "integration_id": "i1",
        "event_type": "pu*",
        "status": "failed",
        "since": "2026-01-31T12:00:00+01:00",
        "condition": "true",
        "limit": "5",
    }
    assert json.loads(jackfield("list", "--json").stdout) == [DELIVERY]


def test_a_delivery_is_shown_and_explained(asked: list[Asked]) -> None:
    shown = jackfield("show", "e1").stdout
    assert "x-forge-event: push" in shown
    assert '"ref": "[red]main"' in shown
    assert json.loads(jackfield("show", "e1", "--json").stdout)["body"] == '{"ref": "[red]main"}'
    lines = jackfield("explain", "e1").stdout.splitlines()
    assert lines[1].split()[:3] == ["r1", "a", "matched"]
    assert '{"text": "hi"}' in lines[1]
    assert "no key" in lines[2]
    assert len(asked) == 3


def test_a_replay_is_chosen_by_id_or_by_criteria(asked: list[Asked]) -> None:
    told = jackfield("replay", "e1", "--route", "r1", "--idempotency-key", "k").stdout
    assert "Replayed: 1." in told
    assert "left out: 1" in told
    assert "There are older ones" in told
    ranged = jackfield("replay", "--type", "push", "--since", "2026-01-31T12:00:00Z", "--json")
    assert json.loads(ranged.stdout) == ANSWERS["/api/deliveries/replay"]
    assert [given for _, _, given in asked] == [
        {"event_ids": ["e1"], "routes": ["r1"], "limit": 100, "key": "k"},
        {
            "event_types": ["push"],
            "since": "2026-01-31T12:00:00+00:00",
            "limit": 100,
            "key": None,
        },
    ]


def test_everything_at_once_is_not_meant_by_accident(asked: list[Asked]) -> None:
    assert jackfield("replay", "--route", "r1").exit_code == Exit.USAGE
    assert asked == []
