"""A piece of work, as a handler sees it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

from aiokafka import ConsumerRecord

from jackfield_common.database import Connection
from jackfield_common.envelope import header
from jackfield_common.errors import ContractError, Fenced
from jackfield_common.events.message import Event
from jackfield_common.lanes.clock import moment
from jackfield_common.lanes.lane import Item
from jackfield_common.lanes.partition import Partition

E = TypeVar("E", bound=Event)

Effect = Callable[[Connection], Awaitable[None]]


class Owner(Protocol):
    """What work needs of the worker that runs it."""

    def check(self, partition: Partition) -> None:
        """Raises Fenced when no outside call may be started for this partition."""
        ...

    async def fence(self, connection: Connection, partition: Partition) -> None:
        """Raises Fenced when a newer epoch of this partition exists."""
        ...

    async def store(self, partition: Partition, effect: Effect) -> None:
        """Runs an effect in a fenced transaction, as often as it takes."""
        ...


class Work:
    """One record to be handled.

    `lane` is its ordering key within `key`; `topic` the logical name. `attempt` counts from 1 and
    survives parking. `checked` is whether an outside call was allowed during this attempt.
    """

    __slots__ = ("_item", "_owner", "_partition", "attempt", "checked", "key", "lane", "record")

    def __init__(self, item: Item, partition: Partition, owner: Owner, key: str, lane: str) -> None:
        self._item = item
        self._owner = owner
        self._partition = partition
        self.record: ConsumerRecord = item.record
        self.key = key
        self.lane = lane
        self.attempt = item.attempts + 1
        self.checked = False

    @property
    def topic(self) -> str:
        """The topic's logical name."""
        return self._partition.topic

    @property
    def replayed_by(self) -> str | None:
        """The command by which its owner had it run again after it was given up."""
        row = self._item.row
        return None if row is None else row.replayed_by

    @property
    def first_attempt_at(self) -> datetime:
        """When the first attempt began, in UTC."""
        return moment(self._item.first_at)

    def decode(self, event: type[E]) -> E:
        """The record's value as an event of this class.

        Raises ContractError, which becomes a dead letter, when the value is null or does not fit, or
        when the headers name another type or version than the class's topic.
        """
        value = self.record.value
        if value is None:
            raise ContractError(f"{event.__name__}: the value is null")
        named = header(self.record.headers, "ce_type")
        topic = getattr(event, "topic", None)
        if named is not None and topic is not None and named != topic.name:
            raise ContractError(f"ce_type is {named[:100]!r}, this reads {topic.name}")
        version = header(self.record.headers, "ce_specversion")
        if version is not None and version != "1.0":
            raise ContractError(f"ce_specversion is {version[:20]!r}, only 1.0 is known")
        return event.from_bytes(value)

    def check(self) -> None:
        """Call right before each outside call. Raises Fenced when it may no longer be started.

        That is from last heartbeat + session timeout - margin on: from then on another worker may own
        the partition. Let Fenced pass: the work is run again by whoever owns it.
        """
        self._owner.check(self._partition)
        self.checked = True

    async def fence(self, connection: Connection) -> None:
        """Call inside a transaction, before its effects. Raises Fenced when a newer owner exists.

        The transaction then holds the epoch until it ends: a new owner waits for it, at most until
        the database ends a transaction that stays idle for ten seconds.
        """
        await self._owner.fence(connection, self._partition)

    async def store(self, effect: Effect) -> None:
        """Run `effect` in a fenced transaction; while PostgreSQL is away, keep the result and repeat.

        `effect` gets the connection and must only write. Nothing new is started meanwhile. Raises
        Fenced when the partition is lost. For what must not be forgotten after an outside call.
        """
        await self._owner.store(self._partition, effect)


def still_owned(partition: Partition) -> None:
    """Raises Fenced when the partition is lost."""
    if partition.closed:
        raise Fenced(f"{partition.topic}/{partition.number} belongs to another worker")
