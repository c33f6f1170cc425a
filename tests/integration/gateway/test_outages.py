"""Kafka or PostgreSQL away: what the API answers, and that it heals by itself."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from aiokafka.errors import KafkaError

from jackfield_common.events.integration import IntegrationState
from jackfield_common.ids import new_id
from tests.integration.gateway.outages import OwnBroker, Way
from tests.integration.gateway.running import Running, eventually, fresh_database, running


@pytest.fixture
def broker(tmp_path: Path) -> Generator[OwnBroker]:
    with OwnBroker(tmp_path / "broker") as own:
        yield own


@pytest.fixture
async def way(postgres: str) -> AsyncGenerator[Way]:
    parts = urlsplit(postgres)
    assert parts.hostname is not None
    one = Way(parts.hostname, parts.port or 5432)
    await one.open()
    yield one
    await one.close()


async def test_kafka_hanging_holds_up_no_write_and_fails_calls_in_time(
    broker: OwnBroker, postgres: str, tmp_path: Path
) -> None:
    async with (
        fresh_database(postgres) as database,
        running(broker.bootstrap_servers, database, "", tmp_path) as gateway,
    ):
        key = await gateway.ready_chat()
        call = f"/api/marketplace/installed/{key}/actions/send_message"
        headers = {"Idempotency-Key": new_id()}
        body = {"input": {"text": "hello"}}
        broker.freeze()
        started = time.monotonic()
        refused = await gateway.http.post(call, json=body, headers=headers)
        assert refused.status_code == 503, refused.text
        # Five seconds until it gives up; the rest is for a machine that has other things to do.
        assert time.monotonic() - started < 10
        assert int(refused.headers["retry-after"]) >= 1
        assert "Idempotency-Key" in refused.json()["detail"]
        installed = await gateway.http.post(
            "/api/marketplace/install", json={"template_name": "clock"}
        )
        assert installed.status_code == 201
        broker.go_on()

        async def called() -> bool:
            answer = await gateway.http.post(call, json=body, headers=headers, params={"wait": 3})
            return answer.status_code == 200 and answer.json()["success"] is True

        await eventually(called, seconds=40)
        assert len([one for one in gateway.worker.done.values() if one.integration_id == key]) == 1

        async def told() -> bool:
            try:
                async with asyncio.timeout(5):
                    states = await gateway.events(IntegrationState)
            except (KafkaError, TimeoutError):
                return False  # the broker itself is still coming back
            return installed.json()["integration_id"] in {one.integration_id for one in states}

        # A transaction that the broker was frozen in may have to time out first (30 s).
        await eventually(told, seconds=75)


async def test_the_database_away_is_told_and_heals(
    kafka: str, postgres: str, way: Way, tmp_path: Path
) -> None:
    async with fresh_database(postgres) as database:
        parts = urlsplit(database)
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{way.port}"
        detour = urlunsplit(parts._replace(netloc=place))
        prefix = f"test-{secrets.token_hex(6)}."
        async with running(kafka, detour, prefix, tmp_path) as gateway:
            key = await gateway.ready_chat()
            await way.close()
            await _all_say_503(gateway, key)
            listed = await gateway.http.get("/api/marketplace/integrations")
            assert listed.status_code == 200  # from memory
            async with httpx.AsyncClient() as vendor:
                url = f"{gateway.webhook_url}/webhooks/{new_id()}"
                assert (await vendor.post(url, content=b"{}")).status_code == 404
            await way.open()

            async def healed() -> bool:
                shown = await gateway.http.get(f"/api/marketplace/installed/{key}")
                return shown.status_code == 200

            await eventually(healed)
            answer = await gateway.http.post(f"/api/marketplace/installed/{key}/test")
            assert answer.status_code == 200


async def _all_say_503(gateway: Running, key: str) -> None:
    for method, path, body in (
        ("GET", f"/api/marketplace/installed/{key}", None),
        ("POST", "/api/marketplace/install", {"template_name": "chat"}),
        ("POST", f"/api/marketplace/installed/{key}/test", None),
        ("DELETE", f"/api/marketplace/installed/{key}", None),
        ("GET", "/api/routes", None),
        ("GET", "/api/events/some", None),
    ):
        started = time.monotonic()
        answer = await gateway.http.request(method, path, json=body)
        assert answer.status_code == 503, f"{method} {path}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        assert time.monotonic() - started < 8
