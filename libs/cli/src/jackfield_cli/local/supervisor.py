"""Keeps programs running: starts them in stages, restarts what dies, ends all of them."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.process import Program, command_line, environment_of, last_lines
from jackfield_cli.local.rotating_log import RotatingLog

_POLL_SECONDS = 0.05
_CHUNK_BYTES = 65_536
_LAST_OUTPUT_SECONDS = 2.0


class State(StrEnum):
    """What a program is doing."""

    WAITING = "waiting"  # for its turn
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # died, waits for its backoff
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    """A program as `jackfield status` shows it. Times are seconds since the epoch."""

    state: State = State.WAITING
    detail: str = ""
    pid: int | None = None
    restarts: int = 0
    since: float = field(default_factory=time.time)
    ready_after_seconds: float | None = None


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a restart: doubles with each death, forgotten after a calm time."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    calm_seconds: float = 60.0
    start_attempts: int = 3
    """How often a program may die before it was ever ready."""

    def delay(self, deaths: int) -> float:
        """Seconds to wait after that many deaths in a row, the latest included."""
        return min(self.longest_seconds, self.first_seconds * 2 ** (min(deaths, 30) - 1))


class Supervisor:
    """The programs of one installation, by name.

    `changed` hears the status of all programs after every change; it must not block. Output
    goes to `logs/<name>.log`. Use it on the main thread: the programs die with the thread that
    started them.
    """

    def __init__(
        self,
        logs: Path,
        changed: Callable[[Mapping[str, Status]], None],
        backoff: Backoff | None = None,
    ) -> None:
        self._logs = logs
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._statuses: dict[str, Status] = {}
        self._stages: list[list[_Keeper]] = []

    @property
    def statuses(self) -> Mapping[str, Status]:
        """The latest status of every program."""
        return self._statuses

    def announce(self, names: Sequence[str]) -> None:
        """List programs whose turn comes later."""
        for name in names:
            self._statuses.setdefault(name, Status())
        self._changed(self._statuses)

    def report(self, name: str, state: State, detail: str = "") -> None:
        """Set the status of a program that is not running yet."""
        self._set(name, Status(state, detail))

    async def start(self, programs: Sequence[Program]) -> None:
        """Start these programs together and return when each of them is ready.

        Raises `LocalError` when one dies `start_attempts` times, or is not ready in its time,
        before it was ever ready. From then on each is restarted whenever it dies.
        """
        stage = [
            _Keeper(each, self._logs / f"{each.name}.log", self._backoff, self._set)
            for each in programs
        ]
        self._stages.append(stage)
        for keeper in stage:
            keeper.begin()
        try:
            await asyncio.gather(*(keeper.first_ready for keeper in stage))
        finally:
            for keeper in stage:
                keeper.first_ready.cancel()

    async def stop(self) -> None:
        """End all programs, the last stage first, the programs of a stage together."""
        while self._stages:
            stage = self._stages[-1]
            await asyncio.gather(*(keeper.stop() for keeper in stage))
            self._stages.pop()

    def kill(self) -> None:
        """End all programs at once, without their drain."""
        for stage in self._stages:
            for keeper in stage:
                keeper.kill()

    def _set(self, name: str, status: Status) -> None:
        if self._statuses.get(name) != status:
            self._statuses[name] = status
            self._changed(self._statuses)


class _Keeper:
    """Keeps one program running until told to stop."""

    def __init__(
        self,
        program: Program,
        log: Path,
        backoff: Backoff,
        report: Callable[[str, Status], None],
    ) -> None:
        self._program = program
        self._log = log
        self._backoff = backoff
        self._report = report
        self._status = Status()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._hopeless = False
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        """Start in the background."""
        self._task = asyncio.create_task(self._run(), name=f"keep {self._program.name}")

    async def stop(self) -> None:
        """Ask the program to end, kill it when its drain takes too long, reap it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        process = self._process
        if process is not None:
            self._set(State.STOPPING, "its work in flight", pid=process.pid)
            with suppress(ProcessLookupError):
                process.send_signal(self._program.stop_signal)
            try:
                async with asyncio.timeout(self._program.drain_seconds):
                    await process.wait()
            except TimeoutError:
                self._set(State.STOPPING, "killed: its drain took too long", pid=process.pid)
            self.kill()
            await process.wait()
        if self._status.state is not State.FAILED:
            self._set(State.STOPPED)

    def kill(self) -> None:
        """Kill the program, and what it may have started in its session."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _run(self) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            try:
                ended = await self._run_once(began)
            except LocalError as error:
                if not self.first_ready.done():
                    self._set(State.FAILED, error.problem)
                    self.first_ready.set_exception(error)
                    return
                ended = error.problem
            except OSError as error:
                ended = f"could not be started: {error}"
            if self._status.state is State.READY:
                calm = time.monotonic() - began >= self._backoff.calm_seconds
                deaths = 0 if calm else deaths
            deaths += 1
            never_ready = not self.first_ready.done()
            if self._hopeless or (never_ready and deaths >= self._backoff.start_attempts):
                self._give_up(ended)
                return
            delay = self._backoff.delay(deaths)
            self._status = replace(self._status, restarts=self._status.restarts + 1)
            self._set(State.RESTARTING, f"{ended}; again in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _run_once(self, began: float) -> str:
        """Start the program and return, when it has ended, how."""
        program = self._program
        if program.before_start is not None:
            self._set(State.PREPARING)
            await asyncio.to_thread(program.before_start)
        log = RotatingLog(self._log)
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *command_line(program),
                env=environment_of(program),
                cwd=program.directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            output = asyncio.create_task(_copy(process.stdout, log))
        except BaseException:
            log.close()
            raise
        # The log outlives this task: a program that is asked to stop still has things to say.
        output.add_done_callback(lambda _: log.close())
        readiness = asyncio.create_task(self._await_ready(process.pid, began))
        try:
            status = await process.wait()
        finally:
            readiness.cancel()
        await asyncio.wait([output], timeout=_LAST_OUTPUT_SECONDS)
        output.cancel()
        self.kill()
        self._process = None
        self._hopeless = status in program.hopeless
        return _how(status)

    async def _await_ready(self, pid: int, began: float) -> None:
        program = self._program
        while (missing := await asyncio.to_thread(program.waits_for)) is not None:
            self._set(State.STARTING, missing, pid=pid)
            late = time.monotonic() - began > program.start_seconds
            if late and not self.first_ready.done():
                self._give_up(f"not ready after {program.start_seconds:.0f} s: {missing}")
                return
            await asyncio.sleep(_POLL_SECONDS)
        took = round(time.monotonic() - began, 3)
        self._set(State.READY, pid=pid, ready_after_seconds=took)
        if not self.first_ready.done():
            self.first_ready.set_result(None)

    def _give_up(self, how: str) -> None:
        self._set(State.FAILED, how)
        if not self.first_ready.done():
            self.first_ready.set_exception(
                LocalError(
                    f"{self._program.name} does not start: {how}.",
                    f"Its last words, from {self._log}:\n{last_lines(self._log)}",
                )
            )

    def _set(
        self,
        state: State,
        detail: str = "",
        *,
        pid: int | None = None,
        ready_after_seconds: float | None = None,
    ) -> None:
        before = self._status
        self._status = Status(
            state=state,
            detail=detail,
            pid=pid,
            restarts=before.restarts,
            since=before.since if before.state is state else time.time(),
            ready_after_seconds=ready_after_seconds,
        )
        self._report(self._program.name, self._status)


async def _copy(stream: asyncio.StreamReader | None, log: RotatingLog) -> None:
    while stream and (chunk := await stream.read(_CHUNK_BYTES)):
        log.write(chunk)


def _how(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
