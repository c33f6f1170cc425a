"""Past deliveries and figures through the API: the webhooks service itself stands behind it."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry

from jackfield_common.events import WebhooksStatisticsState
from jackfield_common.events.audit import AuditRecorded
from jackfield_common.events.message import now
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.topics import AUDIT, Service, declared
from jackfield_gateway.edge import Edge
from tests.integration.gateway.running import Running, eventually, fresh_database, running
from tests.integration.webhooks.running import (
    OTHER_TENANT,
    PARTITIONS,
    PUSH,
    Bus,
    bus,
    delivery,
    service,
)
from tests.platform import make_kafka, make_settings, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

Product = tuple[Running, Bus]
PATH = "/api/deliveries"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def product(
    kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Product]:
    """The gateway and the webhooks service on one bus, started and stopped around the module."""
    directory = tmp_path_factory.mktemp("history")
    prefix = f"test-{new_id()[-12:]}."
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(fresh_database(postgres))
        await _create_topics(kafka, dsn, prefix, directory)
        world = await stack.enter_async_context(
            bus(kafka, dsn, prefix, directory / "keys", statistics_seconds=0.2)
        )
        # Two services in one process: their metrics of one name would collide in one registry.
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("jackfield_gateway.app.Edge", partial(Edge, registry=CollectorRegistry()))
        gateway = await stack.enter_async_context(running(kafka, dsn, prefix, directory))
        await stack.enter_async_context(service(world))
        yield gateway, world


async def _create_topics(kafka: str, dsn: str, prefix: str, directory: Any) -> None:
    """Every topic, with few partitions: one broker serves all tests."""
    clients = make_kafka(make_settings(kafka, dsn, prefix, directory / "keys"), Service.GATEWAY)
    admin = AIOKafkaAdminClient(**clients.connection())
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(
                    clients.naming.physical(topic),
                    PARTITIONS,
                    1,
                    topic_configs=topic.configuration(),
                )
                for topic in declared()
            ]
        )
    finally:
        await admin.close()


async def pushes(world: Bus, forge: IntegrationId, count: int) -> list[str]:
    """Pushes to different branches, processed; the ids they were accepted under."""
    sent = [
        delivery(forge, {**PUSH, "ref": f"refs/heads/{number}"}, delivery_id=f"d-{number}")
        for number in range(count)
    ]
    await world.publish(*sent)
    for one in sent:
        await world.outcome(one.id)
    return [one.id for one in sent]


async def add_route(gateway: Running, **more: Any) -> tuple[str, dict[str, Any]]:
    """A route to a new chat integration; its id and its draft."""
    chat = str((await gateway.install("chat"))["integration_id"])
    draft: dict[str, Any] = {
        "name": "pushes",
        "target": {"integration_id": chat, "action": "send_message", "input": {"text": "pushed"}},
        **more,
    }
    answer = await gateway.http.post("/api/routes", json=draft)
    assert answer.status_code == 201, answer.text
    return answer.json()["subscription_id"], draft


async def get(gateway: Running, path: str, **params: Any) -> dict[str, Any]:
    answer = await gateway.http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_deliveries_are_searched_and_read(product: Product) -> None:
    gateway, world = product
    forge = await world.install("forge")
    started = now()
    ids = await pushes(world, forge, 3)
    bad = delivery(forge, raw="{", delivery_id="bad")
    await world.publish(bad)
    await world.outcome(bad.id)

    async def found(**params: Any) -> list[str]:
        page = await get(gateway, PATH, **{"integration_id": forge, **params})
        return [one["event_id"] for one in page["items"]]

    everything = await found()
    assert set(everything) == {*ids, bad.id}
    assert await found(delivery_id="d-1") == [ids[1]]
    assert await found(status="failed") == [bad.id]
    assert set(await found(event_type="pu*", since=started.isoformat())) >= set(ids)
    assert await found(until=(started - timedelta(days=1)).isoformat()) == []
    assert await found(condition="event.data.ref.endsWith('/2')") == [ids[2]]
    assert await found(field=["repository=nobody/nothing"]) == []
    first = await get(gateway, PATH, integration_id=forge, limit=3)
    rest = await get(gateway, PATH, integration_id=forge, limit=3, cursor=first["next_cursor"])
    pages = [one["event_id"] for page in (first, rest) for one in page["items"]]
    assert pages == everything
    assert rest["next_cursor"] is None

    one = await get(gateway, f"{PATH}/{ids[0]}")
    assert one["headers"] == {"x-forge-event": "push"}
    assert '"refs/heads/0"' in one["body"]
    assert (one["method"], one["delivery"]["delivery_id"]) == ("POST", "d-0")


async def test_explain_and_preview_say_what_routes_make_of_it(product: Product) -> None:
    gateway, world = product
    forge = await world.install("forge")
    ids = await pushes(world, forge, 2)
    zero = "event.data.ref == 'refs/heads/0'"
    route, draft = await add_route(gateway, condition=zero)

    async def verdict(event_id: str) -> dict[str, Any]:
        told = await get(gateway, f"{PATH}/{event_id}/explain")
        return next(
            (one for one in told["routes"] if one["subscription_id"] == route), {"verdict": None}
        )

    async def known() -> bool:
        return (await verdict(ids[0]))["verdict"] is not None

    await eventually(known)
    matched = await verdict(ids[0])
    assert (matched["verdict"], matched["input"]) == ("matched", {"text": "pushed"})
    assert (await verdict(ids[1]))["verdict"] == "condition false"

    before = len(world.requested())
    changed = draft | {"condition": "event.data.ref == 'refs/heads/1'"}
    wanted = {"route": changed, "subscription_id": route, "deliveries": {"event_ids": ids}}
    answer = await gateway.http.post("/api/routes/preview", json=wanted)
    assert answer.status_code == 200, answer.text
    verdicts = {
        one["event_id"]: (one["before"]["verdict"], one["after"]["verdict"], one["changed"])
        for one in answer.json()["items"]
    }
    assert verdicts == {
        ids[0]: ("matched", "condition false", True),
        ids[1]: ("condition false", "matched", True),
    }
    assert len(world.requested()) == before
    saved = await get(gateway, f"/api/routes/{route}")
    assert saved["condition"] == zero


async def test_a_replay_asks_for_new_actions_and_stands_in_the_audit_trail(
    product: Product,
) -> None:
    gateway, world = product
    forge = await world.install("forge")
    ids = await pushes(world, forge, 2)
    route, _ = await add_route(gateway)

    async def known() -> bool:
        told = await get(gateway, f"{PATH}/{ids[0]}/explain")
        return any(one["subscription_id"] == route for one in told["routes"])

    await eventually(known)
    wanted = {"integration_id": forge, "routes": [route], "condition": "event.data.ref != 'x'"}
    headers = {"Idempotency-Key": new_id()}
    for _ in range(2):
        answer = await gateway.http.post(f"{PATH}/replay", json=wanted, headers=headers)
        assert answer.status_code == 200, answer.text
        assert sorted(answer.json()["event_ids"]) == sorted(ids)

    def replayed() -> set[str]:
        return {one.action_id for one in world.requested() if one.subscription_id == route}

    await until(lambda: len(replayed()) == 2)
    again = await gateway.http.post(f"{PATH}/replay", json={"event_ids": [ids[0]]})
    assert again.json()["event_ids"] == [ids[0]]
    await until(lambda: len(replayed()) == 3)
    audit = gateway.kafka.consumer(AUDIT, group_id=None, auto_offset_reset="earliest")
    await audit.start()
    trail: list[AuditRecorded] = []
    try:

        async def recorded() -> bool:
            for records in (await audit.getmany(timeout_ms=200)).values():
                trail.extend(AuditRecorded.from_bytes(one.value or b"") for one in records)
            replays = [one for one in trail if one.operation == "delivery.replay"]
            return [one.detail.get("integration_id") for one in replays].count(forge) == 2

        await eventually(recorded)
    finally:
        await audit.stop()


async def test_another_tenants_deliveries_are_not_there(product: Product) -> None:
    gateway, world = product
    forge = await world.install("forge", tenant=OTHER_TENANT)
    theirs = delivery(forge, delivery_id="theirs", tenant=OTHER_TENANT)
    await world.publish(theirs)
    await world.outcome(theirs.id)
    assert (await get(gateway, PATH, delivery_id="theirs"))["items"] == []
    for path in (f"{PATH}/{theirs.id}", f"{PATH}/{theirs.id}/explain"):
        assert (await gateway.http.get(path)).status_code == 404
    replay = await gateway.http.post(f"{PATH}/replay", json={"event_ids": [theirs.id]})
    assert replay.json()["event_ids"] == []


@pytest.mark.parametrize(
    ("method", "path", "given", "field"),
    [
        ("GET", PATH, {"cursor": "none-such"}, "cursor"),
        ("GET", PATH, {"cursor": "WyJtYWRlIHVwIl0"}, "cursor"),
        ("GET", PATH, {"since": "2026-01-31T12:00:00"}, "since"),
        ("GET", PATH, {"status": "odd"}, "status"),
        ("GET", PATH, {"condition": "event."}, "condition"),
        ("GET", PATH, {"field": ["ref=a", "ref=b"]}, "field"),
        ("POST", f"{PATH}/replay", {}, "event_ids"),
        ("POST", f"{PATH}/replay", {"delivery_id": "d", "routes": ["none"]}, "routes.0"),
        ("POST", f"{PATH}/replay", {"condition": "event."}, "condition"),
        (
            "POST",
            "/api/routes/preview",
            {
                "route": {
                    "name": "x",
                    "condition": "event.",
                    "target": {"integration_id": "none", "action": "a"},
                }
            },
            "route.condition",
        ),
    ],
)
async def test_what_is_wrong_is_named(
    product: Product, method: str, path: str, given: dict[str, Any], field: str
) -> None:
    gateway, _ = product
    more: dict[str, Any] = {"params": given} if method == "GET" else {"json": given}
    answer = await gateway.http.request(method, path, **more)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field


async def test_the_workers_figures_are_taken_together(product: Product) -> None:
    gateway, world = product
    forge = await world.install("forge")
    await pushes(world, forge, 1)

    def worker(**more: Any) -> WebhooksStatisticsState:
        return WebhooksStatisticsState(
            tenant=DEFAULT_TENANT, version=1, instance=new_id(), since=now(), **more
        )

    silent = worker(at=now() - timedelta(seconds=60), workers=50, queued=1_000, p99_ms=1e9)
    await world.publish(
        silent,
        worker(workers=2, queued=7, received=1_000, duplicate=500, p99_ms=1e6, stale_after=600),
    )
    stats: dict[str, Any] = {}

    async def told() -> bool:
        stats.update(await get(gateway, "/webhooks/stats"))
        return stats["workers_started"] == 3 and stats["routing"]["received"] > 1_000

    await eventually(told)
    routing = stats["routing"]
    assert stats["queue_size"] >= routing["queued"] >= 7
    assert stats["queue_size"] < 1_000
    assert routing["duplicate"] >= 500
    assert routing["p99_ms"] == 1e6
    assert 0 < routing["p50_ms"] < 1e6
    assert {
        "received",
        "rate_limited_ips",
        "refused",
        "processed",
        "failed",
        "duplicate",
    } <= stats.keys()
