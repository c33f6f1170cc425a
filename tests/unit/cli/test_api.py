"""The API's client against answers that a server may give."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from jackfield_cli.api import Api, ApiRefusedError, ApiUnreachableError, connected
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import free_ports
from jackfield_cli.resources import Event, Template

Answer = tuple[int, dict[str, str], bytes]
EVENT = {
    "event_id": "e1",
    "integration_id": "i1",
    "status": "processed",
    "matched": ["r1"],
    "actions": [],
    "added_by_a_newer_version": {"x": 1},
}


@contextmanager
def serving(answer: Callable[[str, dict[str, str]], Answer]) -> Generator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, dict(self.headers.items()))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        api = Api(f"http://127.0.0.1:{server.server_port}/", "jf_key")
        try:
            yield api
        finally:
            api.close()
            server.shutdown()
            thread.join()


def test_an_answer_is_typed_and_nothing_of_it_is_lost() -> None:
    def answer(_path: str, headers: dict[str, str]) -> Answer:
        assert headers["Authorization"] == "Bearer jf_key"
        return 200, {}, json.dumps(EVENT).encode()

    with serving(answer) as api:
        event = api.get("/api/events/e1", Event)
    assert event.matched == ("r1",)
    assert event.raw == EVENT


def test_lists_are_read_page_by_page() -> None:
    everything = [
        {
            "template_name": f"t{number}",
            "title": "T",
            "description": "",
            "category": "other",
            "level": "none",
            "actions": 0,
            "receives_webhooks": False,
        }
        for number in range(250)
    ]
    asked: list[int] = []

    def answer(path: str, _headers: dict[str, str]) -> Answer:
        query = parse_qs(urlsplit(path).query)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        asked.append(limit)
        page: dict[str, object] = {"items": everything[start : start + limit]}
        if start + limit < len(everything):
            page["next_cursor"] = str(start + limit)
        return 200, {}, json.dumps(page).encode()

    with serving(answer) as api:
        assert [each.template_name for each in api.list("/t", Template)] == [
            f"t{number}" for number in range(250)
        ]
        assert asked == [100, 100, 100]
        some = api.list("/t", Template, limit=120)
    assert len(some) == 120
    assert some[0].raw == everything[0]
    assert asked[3:] == [100, 20]


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (
            422,
            {},
            {
                "title": "Unprocessable",
                "detail": "Some fields are wrong.",
                "errors": [{"field": "config.channel", "message": "give a text"}],
            },
            ["Some fields are wrong.", "config.channel: give a text"],
        ),
        (
            503,
            {"Retry-After": "2"},
            {"title": "Unavailable", "detail": "Kafka is away."},
            ["Kafka is away.", "Try again in 2 s."],
        ),
        (503, {"Retry-After": "2"}, {"detail": "Come back in 2 s."}, ["Come back in 2 s."]),
        (502, {}, b"<html>proxy</html>", ["Bad Gateway"]),
        (500, {}, b"", ["Internal Server Error"]),
        (400, {}, b'["not", "a", "problem"]', ["Bad Request"]),
    ],
)
def test_a_problem_says_what_to_do(
    status: int, headers: dict[str, str], body: object, says: list[str]
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with (
        serving(lambda _path, _headers: (status, headers, content)) as api,
        pytest.raises(ApiRefusedError) as raised,
    ):
        api.get("/x", Event)
    assert raised.value.problem.status == status
    for each in says:
        assert each in str(raised.value)
    assert str(raised.value).count("2 s") <= 1


def test_what_is_not_there_can_be_looked_for() -> None:
    with serving(lambda _path, _headers: (404, {}, b"{}")) as api:
        assert api.find("/api/events/e1", Event) is None
    with serving(lambda _path, _headers: (401, {}, b"{}")) as api, pytest.raises(ApiRefusedError):
        api.find("/api/events/e1", Event)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"event_id": 5}', b""])
def test_something_else_than_the_api_is_told(body: bytes) -> None:
    with (
        serving(lambda _path, _headers: (200, {}, body)) as api,
        pytest.raises(ApiUnreachableError, match="is it Jackfield's API"),
    ):
        api.get("/x", Event)


def test_nobody_there() -> None:
    api = Api(f"http://127.0.0.1:{free_ports(1)[0]}", "jf_key")
    with pytest.raises(ApiUnreachableError, match="No answer from"):
        api.get("/x", Event)
    api.close()


def test_the_local_key_is_not_given_to_another_address() -> None:
    elsewhere = connected({"JACKFIELD_URL": "https://elsewhere.example.com"})
    with pytest.raises(LocalError, match="JACKFIELD_API_KEY is not"), elsewhere:
        pass
