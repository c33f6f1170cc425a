"""Every declared error, and what every vendor does sooner or later, leads to the declared kind."""

import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from pydantic import JsonValue

from jackfield_common.connector.error_map import On
from jackfield_common.connector.manifest import ActionManifest
from jackfield_common.connector.repeat import Repeat
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.discovery import Loaded
from tests.conformance.driver import (
    CONNECTORS,
    Driver,
    actions,
    first_exchange,
    prefix,
    scheme,
    usable_auth,
)
from tests.conformance.player import half_a_body, hangs_up, playing

Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _nested(path: str, value: JsonValue) -> JsonValue:
    for name in reversed(path.split(".")):
        value = [value] if name.isdecimal() else {name: value}
    return value


def _typed(text: str | None) -> JsonValue:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text is not None and text.isdecimal() else text or "something"


def acts_out(rule: On) -> Behaviour:
    """A vendor that answers just what a rule describes."""

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        headers = {"content-type": "application/json"}
        if rule.header is not None:
            headers[rule.header] = rule.equals or "1"
        body = _nested(rule.body, _typed(rule.equals)) if rule.body is not None else {}
        return web.Response(status=rule.status, body=json.dumps(body).encode(), headers=headers)

    return answer


def _rules() -> list[tuple[Loaded, ActionManifest, On]]:
    cases: list[tuple[Loaded, ActionManifest, On]] = []
    for loaded in CONNECTORS:
        test = loaded.manifest.action(loaded.manifest.test)
        assert test is not None
        cases += [(loaded, test, rule) for rule in loaded.manifest.errors]
        for action in loaded.manifest.actions:
            cases += [(loaded, action, rule) for rule in action.errors]
    return cases


def _id(loaded: Loaded, action: ActionManifest, rule: On) -> str:
    where = rule.header or rule.body or ""
    return f"{loaded.connector.slug}-{action.name}-{rule.status}-{where}-{rule.equals}-{rule.kind}"


@pytest.mark.parametrize(
    ("loaded", "action", "rule"), [pytest.param(*one, id=_id(*one)) for one in _rules()]
)
async def test_a_declared_error_has_its_declared_kind(
    loaded: Loaded, action: ActionManifest, rule: On
) -> None:
    failure = await _failure(loaded, action, acts_out(rule))
    assert failure.kind is rule.kind


def _says(status: int, **headers: str) -> Behaviour:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, headers=names)

    return answer


ALWAYS: list[tuple[str, Behaviour, ErrorKind, float | None]] = [
    ("429", _says(429, retry_after="7"), ErrorKind.RATE_LIMITED, 7.0),
    ("429-without-retry-after", _says(429), ErrorKind.RATE_LIMITED, None),
    ("500", _says(500), ErrorKind.UNAVAILABLE, None),
    ("503", _says(503, retry_after="9"), ErrorKind.UNAVAILABLE, 9.0),
    ("502", _says(502), ErrorKind.UNAVAILABLE, None),
    ("hangs-up", hangs_up, ErrorKind.CONNECTION, None),
    ("half-a-body", half_a_body, ErrorKind.CONNECTION, None),
]

every_connector = pytest.mark.parametrize("loaded", CONNECTORS, ids=lambda one: one.connector.slug)


@every_connector
@pytest.mark.parametrize(
    ("behaviour", "kind", "retry_after"), [pytest.param(*one[1:], id=one[0]) for one in ALWAYS]
)
async def test_a_vendor_in_trouble_is_told_from_a_wrong_request(
    loaded: Loaded, behaviour: Behaviour, kind: ErrorKind, retry_after: float | None
) -> None:
    test = loaded.manifest.action(loaded.manifest.test)
    assert test is not None
    failure = await _failure(loaded, test, behaviour)
    assert failure.kind is kind
    assert failure.retry_after == retry_after
    assert failure.retryable


@pytest.mark.parametrize(
    ("loaded", "action"),
    [
        pytest.param(*one, id=f"{one[0].connector.slug}.{one[1].name}")
        for one in actions()
        if one[1].repeat is Repeat.UNSAFE
    ],
)
@pytest.mark.parametrize(
    "behaviour", [hangs_up, half_a_body, _says(504)], ids=["hangs-up", "half", "504"]
)
async def test_an_unsafe_action_that_is_cut_off_has_an_unknown_outcome(
    loaded: Loaded, action: ActionManifest, behaviour: Behaviour
) -> None:
    failure = await _failure(loaded, action, behaviour)
    assert failure.kind is ErrorKind.OUTCOME_UNKNOWN
    assert not failure.retryable


@every_connector
async def test_an_answer_that_is_not_what_was_declared_is_told_as_such(loaded: Loaded) -> None:
    for action in loaded.manifest.actions:
        http = action.call(usable_auth(loaded, action)[0].kind)
        if http is None or http.answer != "json" or not _has_required_output(action):
            continue
        failure = await _failure(loaded, action, _odd)
        assert failure.kind is ErrorKind.BUG, action.name
        return


def _has_required_output(action: ActionManifest) -> bool:
    return bool(action.output.get("required"))


async def _odd(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<html>maintenance</html>", content_type="text/html")


async def _failure(loaded: Loaded, action: ActionManifest, behaviour: Behaviour) -> Failure:
    """How an action fails at a vendor that behaves like this."""
    kinds = [auth.kind for auth in usable_auth(loaded, action)]
    # a secret URL answers in its own way: where there is another kind, the error map is about that
    kind = next((one for one in kinds if one != "secret_url"), kinds[0])
    exchange = first_exchange(loaded, action.name, kind) or first_exchange(loaded, action.name)
    assert exchange is not None
    driver = Driver.make()
    try:
        async with playing(
            behaviour, prefix(loaded.manifest, scheme(loaded.manifest, kind))
        ) as player:
            with pytest.raises(Failure) as failed:
                await driver.perform(
                    loaded,
                    action.name,
                    exchange.input,
                    player,
                    auth=kind,
                    config=exchange.config,
                )
    finally:
        await driver.transport.close()
    assert "canary" not in str(failed.value)
    return failed.value
