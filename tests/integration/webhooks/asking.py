"""The API's side of questions to the webhooks service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from jackfield_common.events import Answer, HistoryCommand, WebhooksCommand
from jackfield_common.questions import Questions
from tests.integration.webhooks.running import Bus
from tests.platform import until


@asynccontextmanager
async def asking(world: Bus) -> AsyncGenerator[Questions]:
    """What hears the answers."""
    questions = Questions(world.kafka)
    await questions.start()
    try:
        await until(lambda: questions.ready)
        yield questions
    finally:
        await questions.stop()


async def ask(
    world: Bus, questions: Questions, command: WebhooksCommand | HistoryCommand
) -> Answer:
    """Ask and wait for the answer."""
    pending = questions.ask(timeout=20)
    await world.publish(command.model_copy(update={"question": pending.question}))
    return await pending.answer()
