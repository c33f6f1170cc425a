"""The work topics, consumed in lanes."""

from collections.abc import Awaitable, Callable

from aiokafka import ConsumerRecord

from jackfield_common.database import Connection, Pool
from jackfield_common.envelope import header
from jackfield_common.errors import Failure
from jackfield_common.events import (
    Answer,
    DeliveryVerified,
    EventIngested,
    HistoryCommand,
    WebhooksCommand,
)
from jackfield_common.events.message import now
from jackfield_common.kafka import Publisher
from jackfield_common.lanes import Work, answer_command
from jackfield_common.topics import DELIVERY_VERIFIED, EVENT_INGESTED, Naming
from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.history import PastDeliveries
from jackfield_webhooks.service.ordering import ordering_of
from jackfield_webhooks.service.processing import Processing
from jackfield_webhooks.service.replaying import read_replay


class HeldWork:
    """A lane's work, as processing sees it."""

    __slots__ = ("_work", "record", "replay", "topic")

    def __init__(self, work: Work) -> None:
        self._work = work
        self.topic = work.topic
        self.record = work.record
        self.replay = read_replay(work.record.headers)

    @property
    def partition(self) -> tuple[str, int]:
        """What is fenced together."""
        return (self.topic, self.record.partition)

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        return f"{self.topic}/{self.record.partition}/{self.record.offset}"

    async def fence(self, connection: Connection) -> None:
        """Raises Fenced when a newer owner of the partition exists."""
        await self._work.fence(connection)


def routed(processing: Processing) -> Callable[[Work], Awaitable[None]]:
    """The handler of verified deliveries and of ingested events."""

    async def handle(work: Work) -> None:
        held = HeldWork(work)
        if work.topic == EVENT_INGESTED.name:
            await processing.ingested(work.decode(EventIngested), held)
        else:
            await processing.delivery(work.decode(DeliveryVerified), held)

    return handle


def commanded(pool: Pool, publisher: Publisher) -> Callable[[Work], Awaitable[None]]:
    """The handler of what the API asks of parked and dead work."""

    async def handle(work: Work) -> None:
        await answer_command(work.decode(WebhooksCommand), pool, publisher)

    return handle


def asked(past: PastDeliveries, publisher: Publisher) -> Callable[[Work], Awaitable[None]]:
    """The handler of what the API asks of past deliveries."""

    async def handle(work: Work) -> None:
        command = work.decode(HistoryCommand)
        question = command.question
        if command.verb != "replay" and (question is None or question.deadline <= now()):
            return
        answer = await answered(command, past)
        if question is not None and question.deadline > now():
            to = {"correlation_id": question.correlation_id, "instance": question.instance}
            await publisher.publish(answer.model_copy(update=to))

    return handle


async def answered(command: HistoryCommand, past: PastDeliveries) -> Answer:
    """The answer to a command, not addressed yet."""
    try:
        data = await past.answer(command)
    except Failure as failure:
        return Answer(
            tenant=command.tenant,
            correlation_id="",
            instance="",
            success=False,
            message=failure.message,
            error=failure.kind,
            field=failure.field,
        )
    return Answer(tenant=command.tenant, correlation_id="", instance="", success=True, data=data)


def lane_by(catalogue: Catalogue, naming: Naming) -> Callable[[ConsumerRecord], str]:
    """The lane of a record: a delivery's by its connector's ordering selector, else `ce_lane`."""
    deliveries = naming.physical(DELIVERY_VERIFIED)

    def lane(record: ConsumerRecord) -> str:
        if record.topic == deliveries:
            return ordering_of(record.value, catalogue)
        return header(record.headers, "ce_lane") or ""

    return lane
