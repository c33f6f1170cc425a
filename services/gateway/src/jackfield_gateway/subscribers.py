"""Kafka in: one thin function a topic."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from jackfield_common.events.action import ActionCompleted
from jackfield_common.events.certification import RunCompleted
from jackfield_common.events.credential import ConnectionCompleted
from jackfield_common.events.delivery import DeliveryProcessed
from jackfield_common.lanes import Work
from jackfield_common.topics import (
    ACTION_COMPLETED,
    CONNECTION_COMPLETED,
    DELIVERY_PROCESSED,
    RUN_COMPLETED,
    Topic,
)
from jackfield_gateway.service.connections import Connections
from jackfield_gateway.service.outcomes import Outcomes

TOPICS: Final[tuple[Topic, ...]] = (
    ACTION_COMPLETED,
    DELIVERY_PROCESSED,
    CONNECTION_COMPLETED,
    RUN_COMPLETED,
)


def outcomes_handler(
    outcomes: Outcomes, connections: Connections
) -> Callable[[Work], Awaitable[None]]:
    """Keeps what the bus says became of things."""

    async def action_completed(work: Work) -> None:
        await outcomes.action_completed(work.decode(ActionCompleted))

    async def delivery_processed(work: Work) -> None:
        await outcomes.delivery_processed(work.decode(DeliveryProcessed))

    async def connection_completed(work: Work) -> None:
        await connections.completed(work.decode(ConnectionCompleted))

    async def run_completed(work: Work) -> None:
        await outcomes.run_completed(work.decode(RunCompleted))

    handlers: Mapping[str, Callable[[Work], Awaitable[None]]] = {
        ACTION_COMPLETED.name: action_completed,
        DELIVERY_PROCESSED.name: delivery_processed,
        CONNECTION_COMPLETED.name: connection_completed,
        RUN_COMPLETED.name: run_completed,
    }

    async def handle(work: Work) -> None:
        await handlers[work.topic](work)

    return handle
