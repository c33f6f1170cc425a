"""A credential is in no log line, no span and no result, whatever becomes of the call."""

import json
import logging

import pytest
import structlog
from aiohttp import web
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jackfield_common import telemetry
from jackfield_common.connector.auth import Auth
from jackfield_common.connector.manifest import ActionManifest
from jackfield_common.errors import Failure
from jackfield_connectors.discovery import Loaded
from jackfield_connectors.engine import Unfitting
from tests.conformance.driver import CONNECTORS, Driver, first_exchange, prefix, usable_auth
from tests.conformance.player import Behaviour, answering, hangs_up, playing

CASES = [
    pytest.param(loaded, auth, action, id=f"{loaded.connector.slug}-{auth.kind}")
    for loaded in CONNECTORS
    for auth in loaded.manifest.auth
    for action in [one for one in loaded.manifest.actions if auth in usable_auth(loaded, one)][:1]
    if auth.kind != "none"
]
REFUSED: list[Behaviour] = [
    answering([{"status": 401, "body": {"message": "no"}}], str),
    answering([{"status": 500, "body": "oops"}], str),
    answering([{"status": 200, "body": "<html>"}], str),
    answering([{"status": 302, "headers": {"location": "https://127.0.0.9:1/x"}}], str),
    hangs_up,
]


@pytest.mark.parametrize(("loaded", "auth", "action"), CASES)
async def test_a_credential_is_seen_by_the_vendor_alone(
    loaded: Loaded,
    auth: Auth,
    action: ActionManifest,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))
    told: list[str] = []
    with structlog.testing.capture_logs() as entries:
        for behaviour in REFUSED:
            told.append(await _what_is_told(loaded, auth, action, behaviour))
    told.append(json.dumps(entries, default=str))
    told.append(caplog.text)
    finished = spans.get_finished_spans()
    assert finished
    told += [span.to_json() for span in finished]
    assert "canary" not in "\n".join(told)


async def _what_is_told(
    loaded: Loaded, auth: Auth, action: ActionManifest, behaviour: Behaviour
) -> str:
    """All that the owner of a failed call gets to see."""
    exchange = first_exchange(loaded, action.name, auth.kind) or first_exchange(loaded, action.name)
    assert exchange is not None
    driver = Driver.make()
    try:
        async with playing(behaviour, prefix(loaded.manifest, auth)) as player:
            try:
                result = await driver.perform(
                    loaded,
                    action.name,
                    exchange.input,
                    player,
                    auth=auth.kind,
                    config=exchange.config,
                )
            except Unfitting as failure:
                return f"{failure!r} {failure.raw}"
            except Failure as failure:
                return repr(failure) + str(failure.field)
            return json.dumps(result.data)
    finally:
        await driver.transport.close()


async def test_the_player_sees_what_is_looked_for() -> None:
    """What makes the test above mean something: the canary does go out."""
    loaded = next(one for one in CONNECTORS if one.manifest.auth[0].kind != "none")
    auth = loaded.manifest.auth[0]
    exchange = loaded.manifest.exchanges[0]
    seen: list[str] = []

    async def look(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(f"{request.raw_path} {dict(request.headers)}")
        return web.Response(status=401)

    driver = Driver.make()
    try:
        async with playing(look, prefix(loaded.manifest, auth)) as player:
            with pytest.raises(Failure):
                await driver.perform(
                    loaded, exchange.action, exchange.input, player, auth=auth.kind
                )
    finally:
        await driver.transport.close()
    assert "canary" in seen[0]
