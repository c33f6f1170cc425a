"""Runs handlers: a bounded number of tasks, each taking one lane's head after another.

No task is made per record: a task that finishes takes the next lane. One task is enough as long as
handlers do not wait for anything; when one waits and lanes are ready, the others are woken at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from jackfield_common import telemetry
from jackfield_common.database import AWAY, TRANSIENT
from jackfield_common.errors import (
    ContractError,
    ErrorKind,
    Failure,
    Fenced,
    NotReady,
    StaleRead,
)
from jackfield_common.lanes import metrics
from jackfield_common.lanes.clock import Clock
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.lane import Item, Lane, Phase
from jackfield_common.lanes.membership import Membership
from jackfield_common.lanes.outcome import Outcomes
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.policy import Limits, Policy
from jackfield_common.lanes.scheduler import Scheduler
from jackfield_common.lanes.work import Owner, Work

log = structlog.get_logger(__name__)

Handle = Callable[[Work], Awaitable[None]]
Policies = Policy | Callable[[Work], Policy]

_BURST_SECONDS: Final = 0.005
_FENCED_SECONDS: Final = 0.5
_NOT_READY_MAX: Final = 5.0


class Broken(Exception):
    """The runtime itself failed on a record: everything in memory is read again."""


@dataclass(eq=False, slots=True)
class _Runner:
    """One task, and what it is doing."""

    task: asyncio.Task[None] | None = None
    lane: Lane | None = None
    expires: float = 0.0
    cut: str = ""
    """Why its handler was cancelled: `timeout` or `lost`."""


class Dispatcher:
    """Takes lanes from the scheduler, runs the handler, and reports to the outcomes."""

    def __init__(
        self,
        consumer: str,
        handle: Handle,
        policy: Policies,
        limits: Limits,
        clock: Clock,
        scheduler: Scheduler,
        outcomes: Outcomes,
        membership: Membership,
        gate: Gate,
        owner: Owner,
    ) -> None:
        self._consumer = consumer
        self._span = f"{consumer} handle"
        self._handle = handle
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._scheduler = scheduler
        self._outcomes = outcomes
        self._membership = membership
        self._gate = gate
        self._owner = owner
        self._duration = metrics.DURATION.labels(consumer)
        self._runners: set[_Runner] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._busy = 0
        self._top_up_asked = False
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._broken: BaseException | None = None
        self.open = False
        """Whether work may be started; closed during a rebalance and at the end."""

    def wake(self) -> None:
        """Lanes may be ready: see to it, after what runs now has had its turn."""
        if not self._top_up_asked:
            self._top_up_asked = True
            asyncio.get_running_loop().call_soon(self._top_up)

    def raise_if_broken(self) -> None:
        """Raises Broken, once, when a runner ended that should not have."""
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise Broken(f"a runner failed: {broken!r}") from broken

    async def quiet(self, seconds: float) -> bool:
        """Wait until no handler runs; False when some still do after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    def cut_off(self, lost: Callable[[Partition], bool]) -> None:
        """Cancel the handlers of partitions that are lost."""
        for runner in list(self._runners):
            if runner.lane is not None and runner.task is not None and lost(runner.lane.partition):
                metrics.CUT_OFF.labels(self._consumer).inc()
                runner.cut = "lost"
                runner.task.cancel()

    def expire(self) -> None:
        """Cancel the handlers that run longer than their policy allows."""
        now = time.monotonic()
        for runner in list(self._runners):
            if runner.lane is not None and not runner.cut and runner.expires < now:
                assert runner.task is not None
                runner.cut = "timeout"
                runner.task.cancel()

    async def stop(self) -> None:
        """Cancel every task and wait for it."""
        self.open = False
        tasks = [runner.task for runner in self._runners if runner.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _top_up(self) -> None:
        self._top_up_asked = False
        if not self._may_start():
            return
        runnable = len(self._runners) - self._busy - len(self._idle)
        if runnable:
            return
        for _ in range(len(self._scheduler.ready)):
            if self._idle:
                waiter = self._idle.pop()
                if not waiter.done():
                    waiter.set_result(None)
            elif len(self._runners) < self._limits.in_flight:
                runner = _Runner()
                runner.task = asyncio.create_task(self._run(runner), name=f"lanes-{self._consumer}")
                runner.task.add_done_callback(partial(self._ended, runner))
                self._runners.add(runner)
            else:
                return

    def _ended(self, runner: _Runner, task: asyncio.Task[None]) -> None:
        self._runners.discard(runner)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("runner_failed", consumer=self._consumer, exc_info=error)
            self._broken = error

    def _may_start(self) -> bool:
        return self.open and self._gate.is_open and time.monotonic() < self._membership.deadline

    async def _run(self, runner: _Runner) -> None:
        scheduler = self._scheduler
        yielded = time.monotonic()
        while True:
            lane = scheduler.take() if self._may_start() else None
            if lane is None:
                waiter = asyncio.get_running_loop().create_future()
                self._idle.append(waiter)
                await waiter
                yielded = time.monotonic()
                continue
            started = time.monotonic()
            if started - yielded > _BURST_SECONDS:
                # A handler that never waits must not keep heartbeats from being sent.
                await asyncio.sleep(0)
                yielded = started = time.monotonic()
                if not self._may_start():
                    scheduler.stop(lane)
                    self._outcomes.settle(lane)
                    continue
            await self._attempt(runner, lane, started)

    async def _attempt(self, runner: _Runner, lane: Lane, started: float) -> None:
        item = lane.items[0]
        partition = lane.partition
        work = Work(item, partition, self._owner, lane.key.text, lane.text)
        if not item.first_at:
            item.first_at = self._clock.time()
        policy = self._policy if isinstance(self._policy, Policy) else self._policy_for(work)
        runner.lane = lane
        runner.expires = started + policy.timeout
        lane.started = started
        self._busy += 1
        self._quiet.clear()
        if not self._top_up_asked and self._scheduler.ready:
            self._top_up_asked = True
            asyncio.get_running_loop().call_soon(self._top_up)
        problem: BaseException | None = None
        try:
            with telemetry.consuming(
                self._span, item.record.headers, {"jackfield.attempt": work.attempt}
            ):
                await self._handle(work)
        except asyncio.CancelledError as error:
            if not runner.cut:
                raise
            assert runner.task is not None
            if runner.task.uncancel():
                raise  # the task as a whole is to end as well
            problem = (
                Fenced("the partition moved while this ran")
                if runner.cut == "lost"
                else Failure(ErrorKind.TIMEOUT, f"no end after {policy.timeout} s")
            )
            problem.__cause__ = error
        except Exception as error:  # noqa: BLE001  # a handler's outermost loop: judged below
            problem = error
        finally:
            self._end(runner, lane, work, started)
        if partition.closed:
            self._outcomes.lost(lane)
        elif problem is None:
            self._outcomes.succeeded(lane)
        else:
            await self._judge(lane, item, problem, policy)

    def _policy_for(self, work: Work) -> Policy:
        assert not isinstance(self._policy, Policy)
        try:
            return self._policy(work)
        except Exception:
            # A handler that needs what the policy was to be read from will fail on it and say so.
            log.exception("default_policy_used", consumer=self._consumer)
            return Policy()

    def _end(self, runner: _Runner, lane: Lane, work: Work, started: float) -> None:
        now = time.monotonic()
        runner.lane = None
        runner.cut = ""
        lane.started = 0.0
        took = now - started
        key = lane.key
        key.pace = key.pace * 0.9 + took * 0.1 if key.pace else took
        self._duration.observe(took)
        if work.checked and now > self._membership.deadline:
            metrics.OVERRUNS.labels(self._consumer).inc()
        self._scheduler.stop(lane)
        self._busy -= 1
        if not self._busy:
            self._quiet.set()

    async def _judge(self, lane: Lane, item: Item, problem: BaseException, policy: Policy) -> None:
        """Tell the outcomes what went wrong with the head of a lane."""
        outcomes = self._outcomes
        match problem:
            case ContractError():
                outcomes.refused(lane, problem)
            case Fenced():
                metrics.FENCED.labels(self._consumer).inc()
                outcomes.repeat(lane, _FENCED_SECONDS)
            case Failure():
                outcomes.failed(lane, problem, policy)
            case NotReady():
                outcomes.repeat(lane, min(max(problem.retry_after, 0.05), _NOT_READY_MAX))
            case StaleRead():
                outcomes.failed(lane, Failure(ErrorKind.UNAVAILABLE, str(problem)), policy)
            case _ if isinstance(problem, (*AWAY, *TRANSIENT)):
                await self._doubt(lane, problem, policy)
            case _:
                log.error(
                    "handler_failed",
                    consumer=self._consumer,
                    topic=lane.partition.topic,
                    partition=lane.partition.number,
                    offset=item.record.offset,
                    exc_info=problem,
                )
                outcomes.failed(
                    lane, Failure(ErrorKind.BUG, f"{type(problem).__name__} in the handler"), policy
                )

    async def _doubt(self, lane: Lane, problem: Exception, policy: Policy) -> None:
        """Is PostgreSQL away? Then the work waits and no attempt is counted."""
        lane.phase = Phase.BUSY
        if await self._gate.answers():
            outcome = partial(
                self._outcomes.failed,
                lane,
                Failure(
                    ErrorKind.UNAVAILABLE,
                    f"{type(problem).__name__}: a connection or a transaction broke,"
                    " or an error was not mapped",
                ),
                policy,
            )
        else:
            self._gate.doubt(problem)
            outcome = partial(self._outcomes.repeat, lane, 0.1)
        if lane.partition.closed:
            self._outcomes.lost(lane)
        else:
            lane.phase = Phase.IDLE
            outcome()
