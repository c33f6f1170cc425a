"""What an answer means."""

import pytest

from jackfield_common.connector.error_map import on
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.errors import ErrorKind
from jackfield_connectors.engine.answers import ErrorMap, read_json
from jackfield_connectors.engine.transport import Answer

DATE = "Wed, 21 Oct 2015 12:00:00 GMT"
BUDGET = HeaderBudget(remaining="X-Left", resets_at="X-Reset")


def kind_of(answer: Answer, error_map: ErrorMap) -> ErrorKind | None:
    failure = error_map.failure(answer, read_json(answer))
    return None if failure is None else failure.kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (204, None),
        (304, ErrorKind.INVALID),
        (400, ErrorKind.INVALID),
        (401, ErrorKind.AUTH),
        (403, ErrorKind.FORBIDDEN),
        (404, ErrorKind.NOT_FOUND),
        (408, ErrorKind.UNAVAILABLE),
        (409, ErrorKind.INVALID),
        (410, ErrorKind.NOT_FOUND),
        (418, ErrorKind.INVALID),
        (422, ErrorKind.INVALID),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.UNAVAILABLE),
        (503, ErrorKind.UNAVAILABLE),
        (599, ErrorKind.UNAVAILABLE),
    ],
)
def test_http_itself_says_the_kind_where_nothing_else_does(
    status: int, kind: ErrorKind | None
) -> None:
    assert kind_of(Answer(status, {}, b""), ErrorMap(())) is kind


def test_the_first_rule_that_matches_wins() -> None:
    rules = ErrorMap(
        (
            on(403, ErrorKind.RATE_LIMITED, header="X-Left", equals="0"),
            on(403, ErrorKind.AUTH, body="code", equals="17"),
            on(403, ErrorKind.FORBIDDEN),
        )
    )
    assert kind_of(Answer(403, {"x-left": "0"}, b""), rules) is ErrorKind.RATE_LIMITED
    assert kind_of(Answer(403, {"x-left": "1"}, b'{"code": 17}'), rules) is ErrorKind.AUTH
    assert kind_of(Answer(403, {}, b"<html>"), rules) is ErrorKind.FORBIDDEN


def test_a_failure_may_come_as_a_success() -> None:
    rules = ErrorMap(
        (
            on(200, ErrorKind.AUTH, body="error", equals="invalid_auth"),
            on(200, ErrorKind.INVALID, body="ok", equals="false"),
        )
    )
    assert kind_of(Answer(200, {}, b'{"ok": true}'), rules) is None
    assert (
        kind_of(Answer(201, {}, b'{"ok": false, "error": "invalid_auth"}'), rules) is ErrorKind.AUTH
    )
    assert kind_of(Answer(200, {}, b'{"ok": false, "error": "odd"}'), rules) is ErrorKind.INVALID
    assert kind_of(Answer(200, {}, b"ok"), rules) is None


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, b"", 7.0),
        ({"retry-after": "0.5"}, b"", 0.5),
        ({"retry-after": "Wed, 21 Oct 2015 12:01:00 GMT", "date": DATE}, b"", 60.0),
        ({"retry-after": "Wed, 21 Oct 2015 11:00:00 GMT", "date": DATE}, b"", 0.0),
        ({"retry-after": "soon"}, b"", None),
        ({"x-left": "0", "x-reset": "1445428890", "date": DATE}, b"", 90.0),
        ({"x-left": "3", "x-reset": "1445428890", "date": DATE}, b"", None),
        ({}, b'{"wait": 1.5}', 1.5),
        ({}, b'{"wait": -1}', None),
        ({}, b'{"wait": "x"}', None),
        ({}, b"", None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    rules = ErrorMap((on(429, ErrorKind.RATE_LIMITED, retry_after="wait"),), (BUDGET,))
    answer = Answer(429, headers, body)
    failure = rules.failure(answer, read_json(answer))
    assert failure is not None
    assert failure.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (b'{"message": "Not so"}', "application/json", ": Not so"),
        (b'{"error": {"message": "Nope"}}', "application/json", ": Nope"),
        (b'{"errors": [{"detail": "Bad"}]}', "application/json", ": Bad"),
        (b'{"mine": "Own", "message": "Other"}', "application/json", ": Own"),
        (b"no_service", "text/plain", ": no_service"),
        (b"<h1>502</h1>", "text/html", ""),
        (b"", "", ""),
        (b"\xff\xfe", "application/octet-stream", ""),
        (b'{"message": "' + b"x" * 10_000 + b'"}', "application/json", ": " + "x" * 500),
        (b'{"message": {"deep": 1}}', "application/json", ""),
    ],
)
def test_the_vendor_s_own_words_are_passed_on(body: bytes, content_type: str, said: str) -> None:
    rules = ErrorMap((), (), ("mine",))
    answer = Answer(400, {"content-type": content_type}, body)
    failure = rules.failure(answer, read_json(answer))
    assert failure is not None
    assert failure.message == f"the vendor answered 400{said}"
