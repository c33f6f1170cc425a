"""A copy of a delivery is acknowledged, counted, and not processed twice."""

import asyncio

import pytest

from tests.integration.webhooks.running import Bus, delivery, service
from tests.platform import until


async def test_a_copy_is_a_duplicate_once_the_first_is_done(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    another = await running.install("forge")
    await running.route(chat)
    first, copy = delivery(forge, delivery_id="d-1"), delivery(forge, delivery_id="d-1")
    elsewhere = delivery(another, delivery_id="d-1")
    await running.publish(first)
    await running.outcome(first.id)
    await running.publish(copy, elsewhere)
    outcome = await running.outcome(copy.id)
    assert outcome.status == "duplicate"
    assert outcome.detail == {"duplicate_of": first.id}
    assert (await running.outcome(elsewhere.id)).status == "processed"
    assert len(running.requested()) == 2


async def test_copies_without_a_delivery_id_are_deliveries_of_their_own(running: Bus) -> None:
    forge = await running.install("forge")
    first, second = delivery(forge), delivery(forge)
    await running.publish(first, second)
    assert (await running.outcome(first.id)).status == "processed"
    assert (await running.outcome(second.id)).status == "processed"
    assert len(running.normalised()) == 2


async def test_a_duplicate_is_recognised_after_a_restart(world: Bus) -> None:
    forge = await world.install("forge")
    first, copy = delivery(forge, delivery_id="d-1"), delivery(forge, delivery_id="d-1")
    async with service(world):
        await world.publish(first)
        await world.outcome(first.id)
    async with service(world):
        await world.publish(copy)
        assert (await world.outcome(copy.id)).status == "duplicate"


async def test_copies_that_arrive_together_lead_to_one_action(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    await running.route(chat)
    copies = [delivery(forge, delivery_id="d-1") for _ in range(20)]
    await running.publish(*copies)
    await until(lambda: len(running.outcomes()) == len(copies))
    assert len(running.requested()) == 1
    assert len(running.normalised()) == 1
    assert {one.status for one in running.outcomes()} == {"processed", "duplicate"}


async def test_marks_are_forgotten_by_age(world: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jackfield_webhooks.app._FORGET_SECONDS", 0.1)
    forge = await world.install("forge")
    async with service(world) as platform:
        for number in range(3):
            one = delivery(forge, delivery_id=f"d-{number}")
            await world.publish(one)
            await world.outcome(one.id)
        await platform.pool.execute(
            "UPDATE done SET done_at = now() - interval '15 days'"
            " WHERE mark IN (SELECT mark FROM done LIMIT 2)"
        )
        async with asyncio.timeout(20):
            while await platform.pool.fetchval("SELECT count(*) FROM done") != 1:
                await asyncio.sleep(0.02)
