"""What becomes of a record after an attempt: done, repeated, parked with its lane, or given up.

                 ┌────────────── wait in memory ◀───────┐ short
handler ──▶ done │                                      │
   │             └▶ handler again            failed ────┤ long, or memory is wanted
   └──────────────────────────────────────▶     │       └▶ park the lane: head, followers, order
                                                └▶ budget spent, or hopeless: dead letter
"""

import random
from collections.abc import Callable
from typing import Final, Literal

import structlog

from jackfield_common.errors import ContractError, ErrorKind, Failure
from jackfield_common.events.dead import Tried
from jackfield_common.lanes import metrics
from jackfield_common.lanes.clock import Clock, moment
from jackfield_common.lanes.hold import Hold
from jackfield_common.lanes.journal import Entry, Journal
from jackfield_common.lanes.lane import Item, Lane, Phase, Row
from jackfield_common.lanes.ledger import KEPT_ATTEMPTS, Verdict
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.policy import Policy
from jackfield_common.lanes.scheduler import Scheduler

log = structlog.get_logger(__name__)

Cause = Literal["failure", "overflow", "paused", "behind"]

_MAX_MESSAGE: Final = 2_000


class Outcomes:
    """Decides, and moves records accordingly."""

    def __init__(
        self,
        consumer: str,
        clock: Clock,
        hold: Hold,
        scheduler: Scheduler,
        journal: Journal,
        load: Callable[[Lane], None],
        buried: Callable[[], None],
        row_id: Callable[[Partition, int], str],
    ) -> None:
        self._consumer = consumer
        self._clock = clock
        self._hold = hold
        self._scheduler = scheduler
        self._journal = journal
        self._load = load
        self._buried = buried
        self._row_id = row_id
        self._chance = random.random
        self.done = 0
        """Records done, since the count was last taken."""

    def succeeded(self, lane: Lane) -> None:
        """The head of a running lane is done."""
        item = self._hold.pop(lane)
        self._let_go(lane, item)
        self.done += 1
        self.settle(lane)

    def failed(self, lane: Lane, failure: Failure, policy: Policy) -> None:
        """The head of a running lane failed."""
        item = lane.items[0]
        now = self._clock.time()
        self._record(item, failure.kind, failure.message, now)
        delay = policy.delay(
            failure.kind, item.attempts, now - item.first_at, self._chance(), failure.retry_after
        )
        if delay is None:
            self._give_up(lane, failure.kind, failure.message, blocking=policy.then == "block")
            return
        metrics.RETRIES.labels(self._consumer, failure.kind.value).inc()
        due = now + delay
        if item.row is not None:
            self._back_to_row(lane, due, failure)
        elif due - item.first_at > policy.park_after or self._hold.over(lane):
            self.park(lane, "failure", due, failure)
        else:
            self._scheduler.wait(lane, due)

    def refused(self, lane: Lane, error: ContractError) -> None:
        """The head of a running lane is not what its topic promises: it is dead, alone."""
        item = lane.items[0]
        self._record(item, ErrorKind.INVALID, str(error), self._clock.time())
        self._give_up(lane, ErrorKind.INVALID, str(error), blocking=False)

    def repeat(self, lane: Lane, delay: float) -> None:
        """The head of a running lane is to be run again soon; the attempt did not count."""
        self._scheduler.wait(lane, self._clock.time() + delay)

    def lost(self, lane: Lane) -> None:
        """A running lane's partition moved while it ran; its records are not ours any more."""
        self._hold.tidy(lane.key)

    def refuse(self, partition: Partition, item: Item, error: ContractError) -> None:
        """A record that has entered but belongs to no lane is dead."""
        self._record(item, ErrorKind.INVALID, str(error), self._clock.time())
        metrics.DEAD.labels(self._consumer, ErrorKind.INVALID.value).inc()
        verdict = Verdict("dead", "failure", kind=ErrorKind.INVALID.value, message=str(error))

        def written() -> None:
            self._leave(partition, item)
            self._buried()

        self._journal.add(Entry(partition, "", "", item, verdict, True, written))

    def settle(self, lane: Lane) -> None:
        """Decide what an idle lane does next."""
        if lane.partition.closed:
            return
        if lane.key.paused and lane.items:
            self.park(lane, "paused", 0.0)
        elif lane.items:
            self._scheduler.put(lane)
        elif not lane.spilled:
            lane.phase = Phase.IDLE
            self._hold.drop(lane)
        elif not lane.key.paused and not lane.blocked:
            if lane.due > self._clock.time():
                self._scheduler.at(lane, lane.due)
            else:
                lane.phase = Phase.BUSY
                self._load(lane)

    def park(self, lane: Lane, cause: Cause, due: float, failure: Failure | None = None) -> None:
        """Move everything a lane holds in memory to the database, in order; `due` is its head's.

        It runs nothing at the moment.
        """
        first = True
        while lane.items:
            item = self._hold.pop(lane)
            if item.row is not None:
                self._hold.leave(item.size)  # its row is there: memory alone is given back
            elif first:
                self._insert(lane, item, cause, due, failure)
            else:
                self._insert(lane, item, "behind")
            first = False
        lane.due = due
        if due:
            self._scheduler.at(lane, due)

    def spill(self, lane: Lane, item: Item, cause: Cause) -> None:
        """Write one record behind the lane's rows; its offset goes when that is durable."""
        self.back(lane, cause)
        self._insert(lane, item, cause)

    def back(self, lane: Lane, cause: Cause) -> None:
        """Give a row to everything that a lane holds in memory, where it stays."""
        if lane.spilled:
            return
        lane.spilled = True
        for item in lane.items:
            assert item.row is None, "a lane without rows holds an item that has one"
            item.row = Row(self._row_id(lane.partition, item.record.offset), None)
            self._enter_row(lane, item, cause, Verdict("parked", cause), stays=True)

    def reread(self, lane: Lane) -> None:
        """Rows were changed from outside: forget what is held of them, but for a running head."""
        if not lane.spilled or lane.phase is Phase.BUSY:
            return
        running = lane.phase is Phase.RUNNING
        while len(lane.items) > running:
            self._hold.leave(self._hold.drop_last(lane).size)
        if not running:
            if lane.phase is Phase.WAITING:
                self._scheduler.unwait(lane)
            lane.phase = Phase.IDLE

    def _insert(
        self,
        lane: Lane,
        item: Item,
        cause: Cause,
        due: float = 0.0,
        failure: Failure | None = None,
    ) -> None:
        lane.spilled = True
        verdict = Verdict(
            "parked",
            cause,
            due,
            kind=failure.kind.value if failure else None,
            message=failure.message[:_MAX_MESSAGE] if failure else None,
        )
        self._enter_row(lane, item, cause, verdict, stays=False)

    def _enter_row(
        self, lane: Lane, item: Item, cause: Cause, verdict: Verdict, *, stays: bool
    ) -> None:
        """Write a new row; when it is durable the offset goes, and the memory unless the item `stays`."""
        metrics.PARKED.labels(self._consumer, cause).inc()
        lane.spills += 1
        lane.rows += 1
        offset = item.record.offset

        def written() -> None:
            lane.partition.watermark.done(offset)
            if not stays:
                self._hold.leave(item.size)
            self._written(lane)

        self._write(lane, item, verdict, written, insert=True)

    def _write(
        self,
        lane: Lane,
        item: Item,
        verdict: Verdict,
        written: Callable[[], None],
        *,
        insert: bool,
    ) -> None:
        lane.unwritten += 1
        self._journal.add(
            Entry(lane.partition, lane.key.text, lane.text, item, verdict, insert, written)
        )

    def _written(self, lane: Lane) -> None:
        lane.unwritten -= 1
        if lane.phase is Phase.IDLE and not lane.unwritten:
            self.settle(lane)

    def _leave(self, partition: Partition, item: Item) -> None:
        self._hold.leave(item.size)
        if item.row is None:
            partition.watermark.done(item.record.offset)

    def _let_go(self, lane: Lane, item: Item) -> None:
        self._leave(lane.partition, item)
        if item.row is not None:
            lane.rows -= 1
            self._journal.add(Entry(lane.partition, lane.key.text, lane.text, item, None))

    def _back_to_row(self, lane: Lane, due: float, failure: Failure) -> None:
        """A head that has a row failed: its row keeps the count, the lane waits in the database."""
        item = self._hold.pop(lane)
        verdict = Verdict(
            "parked",
            "failure",
            due,
            kind=failure.kind.value,
            message=failure.message[:_MAX_MESSAGE],
        )
        while lane.items:
            self._hold.leave(self._hold.pop(lane).size)

        def written() -> None:
            self._hold.leave(item.size)
            self._written(lane)

        self._write(lane, item, verdict, written, insert=False)
        lane.due = due
        self._scheduler.at(lane, due)

    def _give_up(self, lane: Lane, kind: ErrorKind, message: str, *, blocking: bool) -> None:
        item = self._hold.pop(lane)
        metrics.DEAD.labels(self._consumer, kind.value).inc()
        log.warning(
            "work_given_up",
            consumer=self._consumer,
            topic=lane.partition.topic,
            partition=lane.partition.number,
            offset=item.record.offset,
            kind=kind.value,
            attempts=item.attempts,
            error=message[:_MAX_MESSAGE],
        )
        verdict = Verdict(
            "dead", "failure", blocking=blocking, kind=kind.value, message=message[:_MAX_MESSAGE]
        )
        insert = item.row is None
        # What follows waits until this is durable: a crash before that would run the head again, after
        # what had overtaken it.
        lane.phase = Phase.BUSY

        def written() -> None:
            lane.phase = Phase.IDLE
            self._leave(lane.partition, item)
            self._buried()
            self._written(lane)

        self._write(lane, item, verdict, written, insert=insert)
        if not insert:
            lane.rows -= 1
        if blocking:
            self.park(lane, "behind", 0.0)
            lane.spilled = lane.blocked = True

    def _record(self, item: Item, kind: ErrorKind, message: str, now: float) -> None:
        item.attempts += 1
        if not item.first_at:
            item.first_at = now
        tried = Tried(at=moment(now), kind=kind, message=message[:_MAX_MESSAGE])
        item.tried = (*item.tried[-KEPT_ATTEMPTS:], tried)
