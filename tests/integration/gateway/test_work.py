"""Parked and dead work through the API: a real consumer stands behind it."""

import base64
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.audit import AuditRecorded
from jackfield_common.events.command import WebhooksCommand
from jackfield_common.events.delivery import DeliveryVerified
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.lanes import Lanes, Work, answer_command
from jackfield_common.topics import COMMAND_REQUESTED, DELIVERY_DEAD, DELIVERY_VERIFIED, Service
from tests.integration.gateway.running import Running, eventually
from tests.platform import make_kafka, pool_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORK = "/api/work/webhooks"


class Consumer:
    """Refuses deliveries until it is told that they are fine."""

    def __init__(self) -> None:
        self.fine = False
        self.done: list[str] = []

    async def handle(self, work: Work) -> None:
        event = work.decode(DeliveryVerified)
        if not self.fine:
            raise Failure(ErrorKind.INVALID, "not yet fine")
        self.done.append(event.id)


@asynccontextmanager
async def consuming(gateway: Running) -> AsyncGenerator[Consumer]:
    """The consumer and its answers to commands, as the webhooks service has them."""
    consumer = Consumer()
    kafka = make_kafka(gateway.settings, Service.WEBHOOKS)
    publisher = gateway.platform.publisher
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            pool_of(gateway.settings, "webhooks", "jackfield_common", "jackfield_common.lanes")
        )

        async def command(work: Work) -> None:
            await answer_command(work.decode(WebhooksCommand), pool, publisher)

        await stack.enter_async_context(
            Lanes(
                kafka,
                pool,
                publisher,
                name="test.routing",
                topics=[DELIVERY_VERIFIED],
                handle=consumer.handle,
                dead=DELIVERY_DEAD,
            )
        )
        await stack.enter_async_context(
            Lanes(
                kafka,
                pool,
                publisher,
                name="test.commands",
                topics=[COMMAND_REQUESTED],
                handle=command,
                dead=DELIVERY_DEAD,
                pausable=False,
            )
        )
        yield consumer


def delivery(key: str) -> DeliveryVerified:
    return DeliveryVerified(
        tenant=DEFAULT_TENANT, integration_id=IntegrationId(key), connector="forge", body="{}"
    )


async def test_dead_work_is_listed_read_replayed_and_cancelled(gateway: Running) -> None:
    async with consuming(gateway) as consumer:
        key = new_id()
        events = [delivery(key) for _ in range(3)]
        for event in events:
            await gateway.publish(event)
        params = {"integration_id": key}

        async def dead() -> bool:
            answer = await gateway.http.get(f"{WORK}/dead", params=params)
            assert answer.status_code == 200, answer.text
            return len(answer.json()["items"]) == 3

        await eventually(dead)
        page = await gateway.http.get(f"{WORK}/dead", params=params | {"limit": "2"})
        first = page.json()["items"][0]
        assert (first["kind"], first["message"]) == ("invalid", "not yet fine")
        rest = await gateway.http.get(
            f"{WORK}/dead", params=params | {"cursor": page.json()["next_cursor"]}
        )
        assert len(rest.json()["items"]) == 1
        content = (await gateway.http.get(f"{WORK}/items/{first['id']}")).json()
        value = base64.b64decode(content["value"])
        assert DeliveryVerified.from_bytes(value) == events[0]

        consumer.fine = True
        headers = {"Idempotency-Key": new_id()}
        chosen = {"work_ids": [first["id"]]}
        for expected in (1, 0):
            again = await gateway.http.post(f"{WORK}/dead/replay", json=chosen, headers=headers)
            assert again.json() == {"count": expected}, again.text

        async def replayed() -> bool:
            return consumer.done == [events[0].id]

        await eventually(replayed)
        cancelled = await gateway.http.post(f"{WORK}/dead/cancel", json={"integration_id": key})
        assert cancelled.json() == {"count": 2}
        left = await gateway.http.get(f"{WORK}/dead", params=params)
        assert left.json()["items"] == []

        trail = [
            one for one in await gateway.events(AuditRecorded) if one.resource == "work:webhooks"
        ]
        assert [one.operation for one in trail] == ["work.replay", "work.replay", "work.cancel"]


async def test_an_integrations_work_can_wait(gateway: Running) -> None:
    async with consuming(gateway) as consumer:
        consumer.fine = True
        key = new_id()
        paused = await gateway.http.post(f"{WORK}/pause", json={"integration_id": key})
        assert paused.status_code == 204, paused.text
        listed = (await gateway.http.get(f"{WORK}/parked")).json()
        assert listed["paused"] == [key]
        sent: list[str] = []

        async def parks() -> bool:
            # What comes before the worker has looked may still run.
            event = delivery(key)
            sent.append(event.id)
            await gateway.publish(event)
            page = await gateway.http.get(f"{WORK}/parked", params={"integration_id": key})
            assert page.status_code == 200, page.text
            return page.json()["items"] != []

        await eventually(parks)
        resumed = await gateway.http.post(f"{WORK}/resume", json={"integration_id": key})
        assert resumed.status_code == 204

        async def done() -> bool:
            return consumer.done == sent

        await eventually(done)


async def test_wrong_questions_are_told(gateway: Running) -> None:
    async with consuming(gateway):
        everything = await gateway.http.post(f"{WORK}/dead/replay", json={})
        assert everything.status_code == 422
        assert everything.json()["errors"][0]["field"] == "work_ids"
        assert (await gateway.http.get(f"{WORK}/items/none-such")).status_code == 404
        assert (await gateway.http.get(f"{WORK}/alive")).status_code == 404
        assert (await gateway.http.get("/api/work/gateway/dead")).status_code == 404


async def test_a_cursor_that_came_from_no_list_is_named(gateway: Running) -> None:
    async with consuming(gateway):
        for cursor in ("none-such", "9" * 30):
            await _names(gateway, {"cursor": cursor}, "cursor")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"since": "0001-01-01T00:00:00+10:00"}, "since"),
        ({"until": "2026-01-31T12:00:00"}, "until"),
        ({"kind": "odd"}, "kind"),
    ],
)
async def test_a_wrong_criterion_is_named_without_asking_anybody(
    gateway: Running, more: dict[str, str], field: str
) -> None:
    await _names(gateway, more, field)


async def _names(gateway: Running, params: dict[str, str], field: str) -> None:
    answer = await gateway.http.get(f"{WORK}/dead", params=params)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_service_that_does_not_answer_is_told_in_time(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jackfield_gateway.service.work.ANSWER_TIMEOUT", 0.3)
    for method, path, body, said in (
        ("GET", "dead", None, "ask again"),
        ("POST", "dead/replay", {"kind": "timeout"}, "as soon as it runs"),
        ("POST", "pause", {"integration_id": new_id()}, "as soon as it runs"),
    ):
        answer = await gateway.http.request(method, f"/api/work/connectors/{path}", json=body)
        assert answer.status_code == 504, answer.text
        problem = answer.json()
        assert problem["type"] == "urn:jackfield:problem:unanswered"
        assert said in problem["detail"]
