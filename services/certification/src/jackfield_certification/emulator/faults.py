"""What can be wrong with a vendor, on demand or by plan."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

MAX_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Status:
    """Answers with this status instead; `retry_after` is sent as it is (seconds or an HTTP date).

    `body` is JSON; a plain message stands in where there is none.
    """

    status: int
    retry_after: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: JsonValue = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Answers, after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Takes the request and says nothing for so many seconds, then closes the connection."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HalfBody:
    """Promises the whole body, sends half of it and closes the connection."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the connection (TCP RST) instead of an answer."""


@dataclass(frozen=True, slots=True)
class ExpiredToken:
    """Refuses a good credential as the vendor refuses an expired one."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Answers with the types of the JSON body changed, as after an incompatible release."""


def drifted(body: JsonValue) -> JsonValue:
    """The same document with every scalar's type changed."""
    match body:
        case dict():
            return {name: drifted(value) for name, value in body.items()}
        case list():
            return [drifted(value) for value in body]
        case bool():
            return "yes" if body else "no"
        case str():
            return {"value": body}
        case None:
            return None
        case _:
            return {"amount": body}


Fault = Status | Latency | Stall | HalfBody | Reset | ExpiredToken | Drift


@dataclass(slots=True)
class _Planned:
    fault: Fault
    share: float
    times: int | None
    action: str | None


class Faults:
    """The faults that are planned; each request takes at most one, in the order of planning.

    The dice are seeded: the same requests meet the same faults.
    """

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._planned: list[_Planned] = []

    def plan(
        self,
        fault: Fault,
        *,
        times: int | None = None,
        share: float = 1.0,
        action: str | None = None,
    ) -> None:
        """Plan a fault for the next `times` requests (without end when None), or a `share` of them.

        With `action` only requests of that action count.
        """
        if not 0 < share <= 1:
            raise ValueError(f"a share of requests is above 0 and at most 1, not {share}")
        self._planned.append(_Planned(fault, share, times, action))

    def clear(self) -> None:
        """A healthy vendor again."""
        self._planned.clear()

    def take(self, action: str | None) -> Fault | None:
        """The fault that this request meets, if any; `action` is the one it belongs to, if known."""
        for planned in self._planned:
            if planned.action is not None and planned.action != action:
                continue
            if planned.share < 1 and self._dice.random() >= planned.share:
                continue
            if planned.times is not None:
                planned.times -= 1
                if planned.times <= 0:
                    self._planned.remove(planned)
            return planned.fault
        return None


_SPELLING: Final = re.compile(
    r"^(?P<what>[a-z]+|[45]\d\d|[45]xx)(?:=(?P<value>[^:]+))?:(?P<often>\d+(?:\.\d+)?%|\d+)$"
)
SPELLING_HELP: Final = (
    "a fault is WHAT[=VALUE]:HOW_OFTEN, where WHAT is 5xx, 4xx, a status (429=7 sends Retry-After: 7),"
    " latency=SECONDS, stall=SECONDS, half, reset, expired or drift, and HOW_OFTEN is a number of"
    " requests or a share of them: 5xx:10%, 429=7:3, latency=0.2:100%"
)


def plan_from_text(faults: Faults, text: str) -> None:
    """Plan a fault as it is written on a command line. Raises ValueError saying how to write one."""
    match = _SPELLING.match(text)
    if match is None:
        raise ValueError(f"{text!r}: {SPELLING_HELP}")
    fault = _fault(match["what"], match["value"], text)
    often = match["often"]
    if often.endswith("%"):
        share = float(often[:-1]) / 100
        if not 0 < share <= 1:
            raise ValueError(f"{text!r}: a share is above 0% and at most 100%")
        faults.plan(fault, share=share)
    elif int(often) > 0:
        faults.plan(fault, times=int(often))
    else:
        raise ValueError(f"{text!r}: at least one request")


def _fault(what: str, value: str | None, text: str) -> Fault:
    plain: dict[str, Callable[[], Fault]] = {
        "half": HalfBody,
        "reset": Reset,
        "expired": ExpiredToken,
        "drift": Drift,
    }
    if what in plain and value is None:
        return plain[what]()
    if what in ("latency", "stall"):
        try:
            seconds = float(value or "")
        except ValueError:
            raise ValueError(f"{text!r}: {what} needs seconds, as in {what}=0.5:10%") from None
        if not 0 < seconds <= MAX_SECONDS:
            raise ValueError(f"{text!r}: between 0 and {MAX_SECONDS:g} seconds")
        return Latency(seconds) if what == "latency" else Stall(seconds)
    if what[0] in "45":
        return Status(int(what.replace("xx", "03" if what[0] == "5" else "00")), value)
    raise ValueError(f"{text!r}: {SPELLING_HELP}")
