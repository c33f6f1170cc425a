"""A process in which the expressions of tenants run.

Its requests are answered in order, so when it dies the first unanswered one was running: its programs
are then run one by one, and the one that ends the process again, or that the kernel stopped for its
time, has failed. Such a program is not run again for a while.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, cast

import pydantic_core
import structlog
from prometheus_client import Counter, Histogram
from pydantic import JsonValue

from jackfield_common.errors import NotReady
from jackfield_common.expressions.limits import EvaluationLimits
from jackfield_common.expressions.program import Failed, Matched, NotMatched, Outcome, Program
from jackfield_common.expressions.worker import LENGTH
from jackfield_common.telemetry import LATENCY_BUCKETS

log = structlog.get_logger(__name__)

SECONDS: Final = Histogram(
    "jackfield_expression_seconds",
    "Time to evaluate one event's expressions, waiting included",
    buckets=LATENCY_BUCKETS,
)
ENDED: Final = Counter(
    "jackfield_sandbox_ended_total", "Expression processes that ended by themselves", ["how"]
)

MAX_WAITING: Final = 1_024
"""Requests that may wait for the process; further callers wait before they are admitted."""
QUARANTINE_SECONDS: Final = 30.0
MAX_QUARANTINED: Final = 1_024
STUCK_SECONDS: Final = 10.0
"""Wall time without an answer after which the process is replaced; only a stopped one needs that."""
_STRIKES: Final = 2
_BACKOFF_MAX: Final = 5.0
_STOPPED: Final = Failed("stopped by the sandbox: it takes too long, or too much memory")
_TIME_SIGNALS: Final = frozenset({-signal.SIGVTALRM, -signal.SIGPROF})


@dataclass(slots=True, eq=False)
class _Request:
    programs: tuple[Program, ...]
    event: bytes
    answered: asyncio.Future[list[Outcome]]
    strikes: int = 0


@dataclass(slots=True, eq=False)
class _Process:
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: deque[_Request] = field(default_factory=deque[_Request])


class Sandbox:
    """Runs programs on events. Use as an async context manager."""

    def __init__(self, limits: EvaluationLimits | None = None) -> None:
        self._limits = limits or EvaluationLimits()
        self._queue: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._admission = asyncio.Semaphore(MAX_WAITING)
        self._quarantine: dict[Program, float] = {}
        self._process: _Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Sandbox":
        self._task = asyncio.create_task(self._run(), name="expression-sandbox")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def pid(self) -> int | None:
        """The process's id while there is one."""
        return None if self._process is None else self._process.process.pid

    async def evaluate(self, event: bytes, programs: Sequence[Program]) -> list[Outcome]:
        """The outcome of each program on an event, which is a JSON object as bytes.

        Every program is within the limits by itself: what one does is not seen in another's outcome.
        Raises NotReady when the sandbox is not running.
        """
        outcomes: list[Outcome] = [Matched()] * len(programs)
        now = monotonic()
        wanted: list[int] = []
        for index, program in enumerate(programs):
            if self._quarantine.get(program, 0) > now:
                outcomes[index] = _STOPPED
            elif not program.trivial:
                wanted.append(index)
        if wanted:
            with SECONDS.time():
                answers = await self._ask(tuple(programs[index] for index in wanted), event)
            for index, outcome in zip(wanted, answers, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _ask(self, programs: tuple[Program, ...], event: bytes) -> list[Outcome]:
        async with self._admission:
            if self._task is None or self._task.done():
                raise NotReady("the expression sandbox is not running")
            request = _Request(programs, event, asyncio.get_running_loop().create_future())
            self._queue.append(request)
            self._arrived.set()
            return await request.answered

    async def _run(self) -> None:
        delay = 0.0
        try:
            while True:
                started = monotonic()
                try:
                    await self._live_once()
                except OSError as error:
                    log.error("sandbox_cannot_start", error=str(error))
                delay = 0.0 if monotonic() - started > _BACKOFF_MAX else min(delay * 2 + 0.05, 2.0)
                await asyncio.sleep(delay)
        finally:
            for request in self._queue:
                _fail(request, NotReady("the expression sandbox was stopped"))
            self._queue.clear()

    async def _live_once(self) -> None:
        process = self._process = await self._spawn()
        parts = [
            asyncio.create_task(part)
            for part in (self._answer(process), self._feed(process), self._watch(process))
        ]
        ended = False
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            ended = True
        finally:
            self._process = None
            for part in parts:
                part.cancel()
            results = await asyncio.gather(*parts, return_exceptions=True)
            process.writer.close()
            with contextlib.suppress(ProcessLookupError):
                process.process.kill()
            code = await process.process.wait()
            if ended:
                self._blame(process.sent, code)
            else:  # shutting down: nobody is to blame, and `_run` tells those who wait
                self._queue.extendleft(reversed(process.sent))
        ENDED.labels(_how(code)).inc()
        log.warning("sandbox_ended", how=_how(code))
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, EOFError | OSError):
                raise result

    async def _spawn(self) -> _Process:
        limits = self._limits
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "jackfield_common.expressions.worker",
            str(limits.seconds),
            str(limits.hard_seconds),
            str(limits.memory),
            str(limits.output),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # nothing of this process's environment: it holds secrets
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        return _Process(process, process.stdout, process.stdin)

    async def _feed(self, process: _Process) -> None:
        while True:
            while self._queue:
                request = self._queue.popleft()
                if request.answered.done():  # whoever asked has gone
                    continue
                process.sent.append(request)
                programs = json.dumps(
                    [(program.condition, program.transform) for program in request.programs]
                ).encode()
                body = b"[%b,%b]" % (programs, request.event)
                process.writer.write(LENGTH.pack(len(body)) + body)
                await process.writer.drain()
            self._arrived.clear()
            await self._arrived.wait()

    async def _answer(self, process: _Process) -> None:
        while True:
            (length,) = LENGTH.unpack(await process.reader.readexactly(LENGTH.size))
            answer = await process.reader.readexactly(length)
            request = process.sent.popleft()
            if not request.answered.done():
                request.answered.set_result(_read(answer))

    async def _watch(self, process: _Process) -> None:
        oldest: _Request | None = None
        while True:
            await asyncio.sleep(STUCK_SECONDS)
            current = process.sent[0] if process.sent else None
            if current is not None and current is oldest:
                log.error("sandbox_stuck", pid=process.process.pid)
                return
            oldest = current

    def _blame(self, sent: deque[_Request], code: int) -> None:
        if not sent:
            return
        culprit, *others = sent
        self._queue.extendleft(reversed(others))
        if culprit.answered.done():
            return
        program, *more = culprit.programs
        if more:
            self._queue.extendleft(reversed(_split(culprit)))
            return
        culprit.strikes += _STRIKES if code in _TIME_SIGNALS else 1
        if culprit.strikes < _STRIKES:
            self._queue.appendleft(culprit)
            return
        if len(self._quarantine) >= MAX_QUARANTINED:
            self._quarantine.pop(next(iter(self._quarantine)))
        self._quarantine[program] = monotonic() + QUARANTINE_SECONDS
        culprit.answered.set_result([_STOPPED])


def _split(request: _Request) -> list[_Request]:
    """One request a program; when all are answered, so is the whole."""
    loop = asyncio.get_running_loop()
    parts = [
        _Request((program,), request.event, loop.create_future()) for program in request.programs
    ]

    def join(_: asyncio.Future[list[Outcome]]) -> None:
        if request.answered.done() or not all(part.answered.done() for part in parts):
            return
        for part in parts:
            if (error := part.answered.exception()) is not None:
                request.answered.set_exception(error)
                return
        request.answered.set_result([part.answered.result()[0] for part in parts])

    for part in parts:
        part.answered.add_done_callback(join)
    return parts


def _fail(request: _Request, error: NotReady) -> None:
    if not request.answered.done():
        request.answered.set_exception(error)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _read(answer: bytes) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for item in cast(list[list[JsonValue]], pydantic_core.from_json(answer)):
        match item:
            case [True, output]:
                outcomes.append(Matched(cast(dict[str, JsonValue] | None, output)))
            case [False]:
                outcomes.append(NotMatched())
            case [None, str() as message]:
                outcomes.append(Failed(message))
            case _:
                raise AssertionError(f"the sandbox answered {item!r}")
    return outcomes
