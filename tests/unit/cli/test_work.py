"""`jackfield parked` and `jackfield dead` as a user types them, against an API's answers."""

import base64
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import typer
from typer.testing import CliRunner, Result

from jackfield_cli.commands import dead, parked
from jackfield_cli.exits import Exit
from jackfield_cli.main import app
from jackfield_cli.work import moment

Asked = tuple[str, str, dict[str, Any]]


def work(work_id: str, entered: str, **more: object) -> dict[str, object]:
    return {
        "id": work_id,
        "consumer": "connectors",
        "topic": "connectors.action.requested.v1",
        "integration_id": "i1",
        "lane": "acme/app",
        "state": "parked",
        "cause": "failure",
        "attempts": 2,
        "due_at": "2026-01-31T12:10:00Z",
        "kind": "unavailable",
        "message": "the vendor answered 503 [bold]",
        "tried": [{"at": entered, "kind": "unavailable", "message": "the vendor answered 503"}],
        "size": 120,
        "entered_at": entered,
        "changed_at": entered,
        "added_by_a_newer_version": 1,
    } | more


@dataclass
class Fake:
    """Answers as the API does, and notes what it was asked."""

    works: dict[str, list[dict[str, object]]] = field(
        default_factory=dict[str, list[dict[str, object]]]
    )
    asked: list[Asked] = field(default_factory=list[Asked])
    keys: list[str | None] = field(default_factory=list[str | None])
    counts: dict[str, int] = field(default_factory=lambda: {"webhooks": 0, "connectors": 2})

    def answer(self, method: str, path: str, given: dict[str, Any]) -> tuple[int, object]:
        self.asked.append((method, path, given))
        _, _, _, worker, *rest = path.split("/")
        match rest:
            case ["pause" | "resume"]:
                return 204, None
            case ["items", work_id]:
                known = [each for each in self.works.get(worker, []) if each["id"] == work_id]
                return (200, known[0]) if known else (404, {"detail": "absent"})
            case ["parked" | "dead"]:
                return 200, {"items": self.works.get(worker, []), "next_cursor": None}
            case _:
                return 200, {"count": self.counts[worker]}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Generator[Fake]:
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self.reply("GET", address.path, dict(parse_qsl(address.query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.keys.append(self.headers.get("Idempotency-Key"))
            self.reply("POST", self.path, json.loads(body))

        def reply(self, method: str, path: str, given: dict[str, Any]) -> None:
            status, document = fake.answer(method, path, given)
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            if body:
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
        yield fake
        server.shutdown()
        thread.join()


def jackfield(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (name, command.name or "")
        for name, group in (("parked", parked.group), ("dead", dead.group))
        for command in group.registered_commands
    ],
)
def test_every_command_explains_itself_with_an_example(name: str, command: str) -> None:
    result = jackfield(name, command, "--help")
    assert result.exit_code == Exit.OK
    assert f"jackfield {name} {command}" in result.output.split("Examples")[1]


@pytest.mark.parametrize("state", ["parked", "dead"])
def test_both_services_are_listed_as_one_list_oldest_first(api: Fake, state: str) -> None:
    api.works["webhooks"] = [work("w2", "2026-01-31T12:00:02Z", cause="behind", due_at=None)]
    api.works["connectors"] = [
        work("w1", "2026-01-31T12:00:01Z"),
        work("w3", "2026-01-31T12:00:03Z"),
    ]
    result = jackfield(state, "list")
    assert result.exit_code == Exit.OK, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["work", "w1", "w2", "w3"]
    assert "the vendor answered 503 [bold]" in lines[1]
    if state == "parked":
        assert "in its turn" in lines[2]
    listed = json.loads(jackfield(state, "list", "--json").stdout)
    assert [(each["service"], each["id"]) for each in listed] == [
        ("connectors", "w1"),
        ("webhooks", "w2"),
        ("connectors", "w3"),
    ]
    assert listed[0]["added_by_a_newer_version"] == 1


def test_a_list_is_narrowed_by_the_api(api: Fake) -> None:
    result = jackfield(
        *("dead", "list", "--service", "connectors", "--integration", "i1"),
        *("--kind", "outcome_unknown", "--since", "2026-01-31T12:00:00+01:00", "-n", "5"),
    )
    assert result.exit_code == Exit.OK, result.output
    assert api.asked == [
        (
            "GET",
            "/api/work/connectors/dead",
            {
                "integration_id": "i1",
                "kind": "outcome_unknown",
                "since": "2026-01-31T12:00:00+01:00",
                "limit": "5",
            },
        )
    ]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (("parked", "retry"), "parked/retry"),
        (("parked", "cancel"), "parked/cancel"),
        (("dead", "replay"), "dead/replay"),
    ],
)
def test_what_is_changed_is_chosen_by_id_or_by_criteria(
    api: Fake, command: tuple[str, str], path: str
) -> None:
    by_id = jackfield(*command, "w1", "w2")
    assert "2 of connectors" in by_id.stdout
    assert "webhooks" not in by_id.stdout
    by_kind = jackfield(*command, "--kind", "timeout", "--service", "webhooks", "--json")
    assert json.loads(by_kind.stdout) == {"webhooks": 0}
    assert "Nothing to do" in jackfield(*command, "w1", "--service", "webhooks").stdout
    assert api.asked[:3] == [
        ("POST", f"/api/work/webhooks/{path}", {"work_ids": ["w1", "w2"]}),
        ("POST", f"/api/work/connectors/{path}", {"work_ids": ["w1", "w2"]}),
        ("POST", f"/api/work/webhooks/{path}", {"kind": "timeout"}),
    ]
    assert set(api.keys) == {None}


@pytest.mark.parametrize("command", [("parked", "retry"), ("parked", "cancel"), ("dead", "replay")])
def test_everything_at_once_is_not_meant_by_accident(api: Fake, command: tuple[str, str]) -> None:
    assert jackfield(*command).exit_code == Exit.USAGE
    assert api.asked == []


def test_a_replay_has_its_effect_once_under_one_key(api: Fake) -> None:
    assert jackfield("dead", "replay", "w1", "--idempotency-key", "k1").exit_code == Exit.OK
    assert api.keys == ["k1", "k1"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_integration_is_paused_in_both_services_or_in_one(api: Fake, verb: str) -> None:
    assert jackfield("parked", verb, "i1").exit_code == Exit.OK
    assert jackfield("parked", verb, "i1", "--service", "connectors").exit_code == Exit.OK
    assert api.asked == [
        ("POST", f"/api/work/{worker}/{verb}", {"integration_id": "i1"})
        for worker in ("webhooks", "connectors", "connectors")
    ]


def test_a_dead_letter_is_shown_with_its_original_headers_and_body(api: Fake) -> None:
    def encoded(content: bytes) -> str:
        return base64.b64encode(content).decode()

    api.works["connectors"] = [
        work(
            "w1",
            "2026-01-31T12:00:00Z",
            headers=[["ce_type", encoded(b"a.b")], ["odd", encoded(b"\xff")]],
            value=encoded(b'{"text": "[red]hi"}'),
        ),
        work("w2", "2026-01-31T12:00:00Z", headers=[], value=encoded(b"\xfe not JSON")),
        work("w3", "2026-01-31T12:00:00Z", headers=[], value=None),
    ]
    shown = jackfield("dead", "show", "w1").stdout
    assert "ce_type: a.b" in shown
    assert "odd: \\xff" in shown
    assert '"text": "[red]hi"' in shown
    assert "\\xfe not JSON" in jackfield("dead", "show", "w2").stdout
    assert "(none)" in jackfield("dead", "show", "w3").stdout
    raw = json.loads(jackfield("dead", "show", "w1", "--json").stdout)
    assert (raw["service"], raw["value"]) == ("connectors", encoded(b'{"text": "[red]hi"}'))
    absent = jackfield("dead", "show", "w9")
    assert absent.exit_code == Exit.REFUSED
    assert "no parked or dead work w9" in absent.stderr


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", timedelta(seconds=90)), ("2h", timedelta(hours=2)), ("7d", timedelta(days=7))],
)
def test_times_may_be_told_as_how_long_ago(text: str, ago: timedelta) -> None:
    before = datetime.now(UTC)
    assert before - ago <= moment(text) <= datetime.now(UTC) - ago


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-31T12:00:00", "10 h", "-1h", "99999d"])
def test_times_that_could_mean_anything_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text)
