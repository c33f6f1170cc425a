"""The process inside the sandbox: reads events and programs on standard input, writes outcomes.

Frames are a four-byte length (big endian) and JSON. A request is `[programs, event]`, where a program is
`[condition, transform]`; an answer is a list with one outcome a program: `[true, output]`,
`[false]`, or `[null, message]`.

Time is limited by two interval timers of the kernel. At the soft limit SIGPROF raises in Python code,
which includes its regular expressions; at the hard limit SIGVTALRM, left at its default, ends the
process inside whatever native call it is. While CEL runs, which is native throughout, SIGPROF is at its
default as well.
"""

import os
import resource
import signal
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import BinaryIO, Final, Generic, TypeVar, cast

import pydantic_core
from pydantic import JsonValue

from jackfield_common.expressions.condition import Condition, Subject
from jackfield_common.expressions.errors import EvaluationError, ExpressionError
from jackfield_common.expressions.limits import EvaluationLimits
from jackfield_common.expressions.transformation import Transformation

LENGTH: Final = struct.Struct(">I")
MAX_CACHED: Final = 4_096
RECURSION: Final = 5_000

Compiled = TypeVar("Compiled")
Event = dict[str, JsonValue]


class TimeUp(BaseException):
    """The soft limit; not an Exception, so that no library mistakes it for one of its own."""


class Cache(Generic[Compiled]):
    """The most recently used compiled expressions."""

    def __init__(self, compile_text: Callable[[str], Compiled], size: int = MAX_CACHED) -> None:
        self._compile = compile_text
        self._size = size
        self._entries: OrderedDict[str, Compiled] = OrderedDict()

    def of(self, text: str) -> Compiled:
        """The compiled form. Raises ExpressionError."""
        found = self._entries.get(text)
        if found is None:
            found = self._entries[text] = self._compile(text)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(text)
        return found


class Evaluator:
    """Runs programs, one after the other, each within the limits."""

    def __init__(self, limits: EvaluationLimits) -> None:
        self._limits = limits
        self._conditions = Cache(Condition)
        self._transformations = Cache(Transformation)
        self._armed = False

    def answer(self, request: bytes) -> bytes:
        """The answer to one request."""
        programs, event = cast(
            tuple[list[tuple[str | None, str | None]], Event],
            pydantic_core.from_json(request, cache_strings="keys"),
        )
        subject: Subject | None = None
        outcomes: list[bytes] = []
        for condition, transform in programs:
            try:
                if condition is not None:
                    compiled = self._conditions.of(condition)
                    subject = subject or Subject(event)
                    if not self._holds(compiled, subject):
                        outcomes.append(b"[false]")
                        continue
                outcomes.append(b"[true,%b]" % self._output(transform, event))
            except (EvaluationError, ExpressionError) as error:
                outcomes.append(b"[null,%b]" % pydantic_core.to_json(str(error)))
        return b"[%b]" % b",".join(outcomes)

    def _holds(self, condition: Condition, subject: Subject) -> bool:
        with self._within_limits(signal.SIG_DFL):
            return condition.holds(subject)

    def _output(self, transform: str | None, event: Event) -> bytes:
        if transform is None:
            return b"null"
        compiled = self._transformations.of(transform)
        try:
            with self._within_limits(self._time_is_up):
                output = pydantic_core.to_json(compiled.of(event), inf_nan_mode="null")
        except TimeUp:
            milliseconds = round(self._limits.seconds * 1000)
            raise EvaluationError(f"JSONata: took more than {milliseconds} ms") from None
        except MemoryError:
            raise EvaluationError("JSONata: needs too much memory") from None
        except ValueError:
            raise EvaluationError("JSONata: the result is not JSON, such as a function") from None
        if len(output) > self._limits.output:
            raise EvaluationError(
                f"JSONata: the result has {len(output)} bytes, {self._limits.output} are allowed"
            )
        return output

    @contextmanager
    def _within_limits(
        self, at_soft_limit: signal.Handlers | Callable[[int, FrameType | None], None]
    ) -> Generator[None]:
        signal.signal(signal.SIGPROF, at_soft_limit)
        self._armed = True
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, self._limits.hard_seconds)
            signal.setitimer(signal.ITIMER_PROF, self._limits.seconds)
            try:
                yield
            finally:
                self._armed = False
        finally:
            # Timers fire once, so a TimeUp raised a step too late, in the line above, is the last.
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._armed = False

    def _time_is_up(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            raise TimeUp


def serve(evaluator: Evaluator, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the other side closes."""
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        request = requests.read(length)
        if len(request) < length:
            return
        answer = evaluator.answer(request)
        answers.write(LENGTH.pack(len(answer)) + answer)
        answers.flush()


def main(arguments: list[str]) -> None:
    """Take the limits from the command line, confine this process, and serve."""
    seconds, hard_seconds, memory, output = arguments
    limits = EvaluationLimits(float(seconds), float(hard_seconds), int(memory), int(output))
    # Answers have a descriptor of their own: a stray print goes to standard error.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        sys.setrecursionlimit(RECURSION)
        serve(Evaluator(limits), sys.stdin.buffer, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
