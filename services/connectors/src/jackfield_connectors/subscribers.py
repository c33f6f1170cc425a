"""Kafka in: one thin function per topic."""

from collections.abc import Awaitable, Callable

from jackfield_common.database import Pool
from jackfield_common.events.action import ActionRequested
from jackfield_common.events.command import ConnectorsCommand
from jackfield_common.kafka import Publisher
from jackfield_common.lanes import Work, answer_command
from jackfield_connectors.service.actions import Actions

Handle = Callable[[Work], Awaitable[None]]


def actions(service: Actions) -> Handle:
    """connectors.action.requested.v1: perform an action."""

    async def handle(work: Work) -> None:
        await service.perform(work.decode(ActionRequested), work)

    return handle


def commands(pool: Pool, publisher: Publisher) -> Handle:
    """connectors.command.requested.v1: list, retry, cancel or replay parked and dead work."""

    async def handle(work: Work) -> None:
        await answer_command(work.decode(ConnectorsCommand), pool, publisher)

    return handle
