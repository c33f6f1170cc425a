"""What became of deliveries, certification runs, health: read through the API."""

from datetime import timedelta

import pytest

from jackfield_common.events.certification import (
    Check,
    Level,
    LevelState,
    RunCompleted,
    RunRequested,
)
from jackfield_common.events.delivery import DeliveryProcessed
from jackfield_common.events.health import Health, HealthState
from jackfield_common.events.message import now
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, SubscriptionId, new_id
from jackfield_common.topics import ACTION_COMPLETED, RESULT_DEAD
from tests.integration.gateway.running import Running, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def processed(**more: object) -> DeliveryProcessed:
    return DeliveryProcessed.model_validate(
        {
            "tenant": DEFAULT_TENANT,
            "event_id": new_id(),
            "integration_id": "some",
            "status": "processed",
            **more,
        }
    )


async def test_the_final_state_of_an_event_is_kept(gateway: Running) -> None:
    before = (await gateway.http.get("/webhooks/stats")).json()
    one = processed(
        event_type="push", actions=("a-1", "a-2"), matched=(SubscriptionId("r-1"),), reason=None
    )
    other = processed(status="failed", reason="not JSON \x00", tenant="another")
    assert (await gateway.http.get(f"/api/events/{one.event_id}")).status_code == 404
    for event in (other, one, one, one):
        await gateway.publish(event)

    async def there() -> bool:
        return (await gateway.http.get(f"/api/events/{one.event_id}")).status_code == 200

    await eventually(there)
    found = (await gateway.http.get(f"/api/events/{one.event_id}")).json()
    assert (found["status"], found["event_type"]) == ("processed", "push")
    assert (found["actions"], found["matched"]) == (["a-1", "a-2"], ["r-1"])
    assert (await gateway.http.get(f"/api/events/{other.event_id}")).status_code == 404
    stats = (await gateway.http.get("/webhooks/stats")).json()
    assert stats["processed"] == before["processed"] + 1
    assert stats["failed"] == before["failed"]
    for name in (
        "received",
        "rate_limited_ips",
        "queue_size",
        "workers_started",
        "processing_p99_ms",
    ):
        assert name in stats, name


async def test_a_replay_replaces_an_earlier_state(gateway: Running) -> None:
    failed = processed(status="failed", reason="no route")
    later = processed(event_id=failed.event_id, at=now() + timedelta(seconds=1))
    for event in (failed, later, failed):
        await gateway.publish(event)

    async def replaced() -> bool:
        answer = await gateway.http.get(f"/api/events/{failed.event_id}")
        return answer.status_code == 200 and answer.json()["status"] == "processed"

    await eventually(replaced)
    last = processed()
    await gateway.publish(last)

    async def all_read() -> bool:
        return (await gateway.http.get(f"/api/events/{last.event_id}")).status_code == 200

    await eventually(all_read)
    assert await replaced()


async def test_a_certification_run_is_asked_for_and_read(gateway: Running) -> None:
    key = str((await gateway.install("clock"))["integration_id"])
    asked = await gateway.http.post(
        "/api/certification/runs",
        json={"integration_id": key, "suites": ["basic_functionality"]},
    )
    assert asked.status_code == 202
    where = asked.headers["location"]
    assert (await gateway.http.get(where)).json()["status"] == "requested"

    async def told() -> bool:
        runs = [one for one in await gateway.events(RunRequested) if one.integration_id == key]
        return [one.run_id for one in runs] == [asked.json()["run_id"]]

    await eventually(told)
    check = Check(
        suite="basic_functionality", name="sign in", weight=1, outcome="passed", message="200"
    )
    await gateway.publish(
        RunCompleted(
            tenant=DEFAULT_TENANT,
            run_id=asked.json()["run_id"],
            integration_id=IntegrationId(key),
            connector="clock",
            connector_version="1.0.0",
            suites=("basic_functionality",),
            complete=True,
            score=100,
            level=Level.PLATINUM,
            checks=(check,),
            started_at=now(),
            finished_at=now(),
        )
    )

    async def there() -> bool:
        return (await gateway.http.get(where)).json()["status"] == "completed"

    await eventually(there)
    report = (await gateway.http.get(where)).json()["report"]
    assert (report["score"], report["checks"][0]["name"]) == (100, "sign in")
    unknown = await gateway.http.post("/api/certification/runs", json={"integration_id": "nobody"})
    assert unknown.json()["errors"][0]["field"] == "integration_id"


async def test_levels_are_shown(gateway: Running) -> None:
    await gateway.publish(
        LevelState(
            tenant=DEFAULT_TENANT,
            version=1,
            connector="clock",
            level=Level.GOLD,
            score=96,
            run_id="run-1",
        )
    )

    async def shown() -> bool:
        items = (await gateway.http.get("/api/certification/levels")).json()["items"]
        detail = (await gateway.http.get("/api/marketplace/integrations/clock")).json()
        return [(one["connector"], one["level"]) for one in items] == [
            ("clock", "gold")
        ] and detail["level"] == "gold"

    await eventually(shown)


async def test_health_is_shown(gateway: Running) -> None:
    key = str((await gateway.install("clock"))["integration_id"])
    where = f"/api/integrations/{key}/health"
    assert (await gateway.http.get(where)).json()["status"] == "unknown"
    await gateway.publish(
        HealthState(
            tenant=DEFAULT_TENANT,
            version=1,
            integration_id=IntegrationId(key),
            status=Health.DEGRADED,
            authentication_status="ok",
            response_time_ms=12.5,
        )
    )

    async def shown() -> bool:
        health = (await gateway.http.get(where)).json()
        installed = (await gateway.http.get(f"/api/marketplace/installed/{key}")).json()
        return (health["status"], installed["health"]) == ("degraded", "degraded")

    await eventually(shown)
    assert (await gateway.http.get("/api/integrations/nobody/health")).status_code == 404


async def test_what_cannot_be_read_is_set_aside(gateway: Running) -> None:
    name = gateway.kafka.naming.physical(ACTION_COMPLETED)
    producer = gateway.kafka.producer()
    await producer.start()
    try:
        await producer.send_and_wait(name, value=b"{", key=b"broken")
    finally:
        await producer.stop()

    async def dead() -> bool:
        return any(
            key == b"broken" or b"broken" in (value or b"")
            for key, value in await gateway.records(RESULT_DEAD)
        )

    await eventually(dead)
