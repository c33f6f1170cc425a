"""What this worker knows about its place in the consumer group.

aiokafka keeps to itself when the last heartbeat was answered and in which generation a member is. Both
are read here, off the answers of the group coordinator, by standing in the way of one method of
aiokafka's. Nothing else in this package looks inside aiokafka.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from jackfield_common.lanes.policy import Limits


def sticky_assignor() -> type[StickyPartitionAssignor]:
    """A sticky assignor of one consumer's own.

    aiokafka's keeps its memory on the class: two consumers of a process would share it.
    """
    return cast(
        type[StickyPartitionAssignor],
        type(
            "OwnStickyPartitionAssignor",
            (StickyPartitionAssignor,),
            {"member_assignment": None, "generation": -1, "_latest_partition_movements": None},
        ),
    )


class _Coordinator(Protocol):
    member_id: str
    generation: int
    _send_req: Callable[[Any], Awaitable[Any]]


class Membership:
    """Until when this worker may trust that its partitions are its own. Times are monotonic seconds."""

    def __init__(self, limits: Limits) -> None:
        self._session = limits.session_timeout
        self._margin = limits.margin
        self._send: Callable[[Any], Awaitable[Any]] | None = None
        self._coordinator: _Coordinator | None = None
        self.deadline = 0.0
        """No outside call starts after this."""
        self.last_heartbeat = 0.0

    def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Watch a consumer that is started and has not subscribed, so that nothing is missed."""
        coordinator = cast(_Coordinator, consumer._coordinator)  # pyright: ignore[reportPrivateUsage]
        self._send = coordinator._send_req  # pyright: ignore[reportPrivateUsage]
        self._coordinator = coordinator
        coordinator._send_req = self._request  # pyright: ignore[reportPrivateUsage]
        self.deadline = 0.0

    @property
    def term(self) -> tuple[str, int]:
        """Member id and generation: between one generation and the next nobody else owned a partition."""
        assert self._coordinator is not None, "watch() comes first"
        return self._coordinator.member_id, self._coordinator.generation

    async def _request(self, request: Any) -> Any:
        assert self._send is not None
        sent = time.monotonic()
        answer = await self._send(request)
        # A heartbeat that is answered "rebalance in progress" keeps the member, but a member that does
        # not return in time loses its partitions: only a clean answer moves the deadline.
        if type(answer).__name__.startswith(("HeartbeatResponse", "SyncGroupResponse")) and (
            answer.error_code == 0
        ):
            self.last_heartbeat = sent
            self.deadline = sent + self._session - self._margin
        return answer


class Listener(ConsumerRebalanceListener):
    """Hands aiokafka's two callbacks on."""

    def __init__(
        self,
        revoked: Callable[[], Awaitable[None]],
        assigned: Callable[[frozenset[TopicPartition]], None],
    ) -> None:
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Before a rebalance, and when the group has thrown this member out."""
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """After a rebalance."""
        self._assigned(frozenset(assigned))


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close, without waiting long for a broker that is away."""
    task = asyncio.ensure_future(consumer.stop())
    await asyncio.wait((task,), timeout=5)
    if not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=1)
    if task.done() and not task.cancelled():
        task.exception()
