"""What owners ask of parked and dead work, through the bus."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from jackfield_common.errors import ErrorKind
from jackfield_common.events import Answer, WebhooksCommand
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.questions import Questions
from tests.integration.webhooks.running import PUSH, Bus, delivery, forge
from tests.platform import until


@asynccontextmanager
async def asking(world: Bus) -> AsyncGenerator[Questions]:
    """The gateway's side of questions."""
    questions = Questions(world.kafka)
    await questions.start()
    await until(lambda: questions.ready)
    try:
        yield questions
    finally:
        await questions.stop()


async def ask(world: Bus, questions: Questions, command: WebhooksCommand) -> Answer:
    """Ask and wait."""
    pending = questions.ask(timeout=15)
    await world.publish(command.model_copy(update={"question": pending.question}))
    return await pending.answer()


async def test_a_dead_delivery_is_listed_and_replayed_once_its_cause_is_gone(
    running: Bus,
) -> None:
    chat = await running.install("chat")
    integration = await running.install("forge")
    await running.route(chat)
    dead = delivery(integration, raw="{", delivery_id="d")
    fixable = delivery(integration, PUSH, event="x" * 600, delivery_id="e")
    await running.publish(dead, fixable)
    assert (await running.outcome(dead.id)).status == "failed"
    assert (await running.outcome(fixable.id)).status == "failed"
    await until(lambda: len(running.dead_letters()) == 2)
    async with asking(running) as questions:
        listed = await ask(
            running, questions, WebhooksCommand(tenant=DEFAULT_TENANT, verb="list", state="dead")
        )
        assert listed.success
        assert listed.data is not None
        works = listed.data["works"]
        assert isinstance(works, list)
        assert len(works) == 2
        await running.manifest(forge(webhook={"event_type": "body:kind"}), version=2)
        replayed = await ask(
            running,
            questions,
            WebhooksCommand(
                tenant=DEFAULT_TENANT, verb="replay", state="dead", kind=ErrorKind.INVALID
            ),
        )
        assert replayed.data == {"works": 2}
    await until(
        lambda: any(
            one.event_id == fixable.id and one.status == "processed" for one in running.outcomes()
        )
    )
    assert len(running.requested()) == 1
