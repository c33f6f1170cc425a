"""What a kill -9 of the service can do, and what it never does."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from jackfield_common.events import ActionRequested, DeliveryVerified, IntegrationEvent
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import DEFAULT_TENANT, derived_id
from jackfield_common.topics import events_in
from tests.integration.webhooks.running import Bus, delivery
from tests.platform import until


@asynccontextmanager
async def process(world: Bus) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The service as a process of its own; killed at the end."""
    settings = world.settings
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jackfield_webhooks",
        env={
            "PATH": os.defpath,
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "JACKFIELD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "JACKFIELD_TOPIC_PREFIX": settings.topic_prefix,
            "JACKFIELD_TENANTS": ",".join(settings.tenants),
            "JACKFIELD_TOPICS_CREATED_BY": "administrator",
            "JACKFIELD_KEYS_DIR": str(settings.keys_dir),
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGKILL)
        await started.wait()


@pytest.mark.slow
async def test_killed_between_publishing_and_the_mark_it_repeats_under_the_same_ids(
    world: Bus, database: str
) -> None:
    forge, chat = await world.install("forge"), await world.install("chat")
    await world.route(chat)
    done, torn = delivery(forge, delivery_id="d-0"), delivery(forge, delivery_id="d-1")
    connection = await asyncpg.connect(database)
    try:
        async with process(world) as running:
            await world.publish(done)
            await world.outcome(done.id)
            # reads of the marks go on, writes wait: whatever is published now is not yet marked
            async with connection.transaction():
                await connection.execute("LOCK TABLE webhooks.done IN EXCLUSIVE MODE")
                await world.publish(torn)
                await until(lambda: len(world.requested()) == 2 and len(world.normalised()) == 2)
                assert not [one for one in world.outcomes() if one.event_id == torn.id]
                running.kill()
                await running.wait()
        async with process(world):
            assert (await world.outcome(torn.id)).status == "processed"
    finally:
        await connection.close()
    requests = world.actions.all(ActionRequested)
    events = world.out.all(IntegrationEvent)
    assert [request.action_id for request in requests[1:]] == [requests[1].action_id] * 2
    assert [event.id for event in events[1:]] == [events[1].id] * 2
    assert requests[0].action_id != requests[1].action_id


@pytest.mark.slow
async def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_asked_for_twice(
    world: Bus,
) -> None:
    forge, chat = await world.install("forge"), await world.install("chat")
    await world.route(chat, condition="event.data.n >= 0", transform="{'n': data.n}")
    chance = random.Random(7)  # noqa: S311 - a repeatable story
    sent: list[DeliveryVerified] = []

    producer = world.kafka.producer()
    public = world.kafka.naming.physical(events_in(DEFAULT_TENANT))

    async def event_in(number: int) -> None:
        attributes = {"specversion": "1.0", "id": str(number), "source": "/s", "type": "com.acme"}
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        await producer.send_and_wait(public, b'{"n": -1}', headers=headers)

    async def send() -> None:
        for number in range(300):
            body: JsonObject = {"n": number, "repository": {"full_name": f"acme/{number % 10}"}}
            one = delivery(forge, body, delivery_id=f"d-{number}")
            sent.append(one)
            await world.publish(one)
            if number % 3 == 0:
                await event_in(number)
            await asyncio.sleep(0.01)

    await producer.start()
    sending = asyncio.create_task(send())
    for share in (0.2, 0.6):
        async with process(world):
            await until(lambda share=share: len(world.normalised()) > share * 300, seconds=60)
            await asyncio.sleep(chance.random() / 20)
    await sending
    await producer.stop()
    expected = {one.id for one in sent} | {
        derived_id("ingress", DEFAULT_TENANT, "/s", str(number)) for number in range(0, 300, 3)
    }
    async with process(world):
        await until(
            lambda: expected <= {one.event_id for one in world.outcomes()},
            seconds=60,
        )
    assert {one.status for one in world.outcomes()} == {"processed"}
    first_asked: dict[str, int] = {}
    for request in world.requested():
        number = request.input["n"]
        assert isinstance(number, int)
        first_asked.setdefault(request.action_id, number)
    assert sorted(first_asked.values()) == list(range(300))
    for repository in range(10):
        order = [number for number in first_asked.values() if number % 10 == repository]
        assert order == sorted(order)
