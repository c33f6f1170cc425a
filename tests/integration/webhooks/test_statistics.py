"""What a worker says of itself."""

from jackfield_common.events import WebhooksStatisticsState
from jackfield_common.state import ReadModel
from tests.integration.webhooks.running import Bus, delivery, service
from tests.platform import until


async def test_a_worker_publishes_its_figures_and_takes_them_back_at_its_end(world: Bus) -> None:
    forge, chat = await world.install("forge"), await world.install("chat")
    await world.route(chat)
    await world.route(chat, condition="event.data.missing == 1")
    figures = ReadModel(world.kafka, WebhooksStatisticsState)
    await figures.start()

    def totals() -> tuple[int, int, int, int, int, int]:
        one = next(iter(figures.values()), None)
        if one is None:
            return (0, 0, 0, 0, 0, 0)
        return (
            one.received, one.processed, one.failed, one.duplicate, one.actions, one.failed_routes
        )  # fmt: skip

    try:
        async with service(world):
            first, bad = delivery(forge, delivery_id="a"), delivery(forge, raw="{")
            await world.publish(first, bad)
            await world.outcome(first.id)
            await world.outcome(bad.id)
            await until(lambda: totals() == (2, 1, 1, 0, 1, 1))
            [one] = figures.values()
            assert one.p50_ms is not None
            assert one.p99_ms is not None
            assert 0 < one.p50_ms <= one.p99_ms
            assert one.workers == 1
        await until(lambda: not figures.values())
    finally:
        await figures.stop()
