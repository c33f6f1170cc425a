"""What happens after a failure, as data; and what a worker may hold."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jackfield_common.errors import ErrorKind

MIB: Final = 1024 * 1024

MAX_ATTEMPTS: Final = 1_000_000
_YEAR: Final = 366 * 86_400.0


class Backoff(StrEnum):
    """How the waits between attempts grow."""

    EXPONENTIAL = "exponential"
    """A random share of `initial_delay * backoff_factor ** n` (full jitter), at most `max_delay`."""
    LINEAR = "linear"
    """`initial_delay * n`, at most `max_delay`, with a tenth of jitter."""
    NEVER = "never"
    """No second attempt."""


_DEFAULT_BACKOFF: Final[dict[ErrorKind, Backoff]] = {
    ErrorKind.AUTH: Backoff.EXPONENTIAL,
    ErrorKind.RATE_LIMITED: Backoff.EXPONENTIAL,
    ErrorKind.UNAVAILABLE: Backoff.EXPONENTIAL,
    ErrorKind.CONNECTION: Backoff.LINEAR,
    ErrorKind.TIMEOUT: Backoff.EXPONENTIAL,
}

_HOPELESS: Final = frozenset({ErrorKind.INVALID, ErrorKind.OUTCOME_UNKNOWN, ErrorKind.BUG})
"""The same work would fail the same way, or must not be done twice."""


class Policy(BaseModel):
    """How often and how long a failed piece of work is tried again. Times are in seconds.

    `max_retries` counts attempts after the first. `budget` is how long after its first attempt work
    may still be tried; what a vendor asks for in Retry-After is honoured within it. `timeout` bounds
    one run of the handler. `park_after` is how long a lane waits in memory before it is parked.
    `then` says what happens to the lane when its head is given up: `skip` goes on with the next,
    `block` waits for its owner. Kinds missing from `backoff` are as by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_retries: int = Field(default=3, ge=0, lt=MAX_ATTEMPTS)
    initial_delay: float = Field(default=1.0, gt=0, le=_YEAR, allow_inf_nan=False)
    max_delay: float = Field(default=30.0, gt=0, le=_YEAR, allow_inf_nan=False)
    backoff_factor: float = Field(default=2.0, ge=1, le=100, allow_inf_nan=False)
    timeout: float = Field(default=30.0, gt=0, le=3_600, allow_inf_nan=False)
    budget: float = Field(default=86_400.0, gt=0, le=_YEAR, allow_inf_nan=False)
    park_after: float = Field(default=30.0, ge=0, le=300, allow_inf_nan=False)
    then: Literal["skip", "block"] = "skip"
    backoff: dict[ErrorKind, Backoff] = Field(default_factory=dict[ErrorKind, Backoff])

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.max_delay < self.initial_delay:
            raise ValueError(
                f"max_delay ({self.max_delay} s) is below initial_delay ({self.initial_delay} s):"
                " raise it, or start lower"
            )
        if self.max_retries and self.budget < self.initial_delay:
            raise ValueError(
                f"budget ({self.budget} s) ends before the first retry ({self.initial_delay} s):"
                " raise it, or set max_retries to 0"
            )
        for kind, backoff in self.backoff.items():
            if kind in _HOPELESS and backoff is not Backoff.NEVER:
                raise ValueError(f"work that failed as {kind} cannot be retried: leave it out")
        return self

    def delay(
        self,
        kind: ErrorKind,
        attempt: int,
        elapsed: float,
        chance: float,
        retry_after: float | None = None,
    ) -> float | None:
        """Seconds until the next attempt, or None when the work is to be given up.

        `attempt` is the one that just failed, counted from 1; `elapsed` the seconds since the first;
        `chance` a random number in [0, 1); `retry_after` what the vendor asked for, in seconds.
        """
        backoff = self.backoff.get(kind, _DEFAULT_BACKOFF.get(kind, Backoff.NEVER))
        if backoff is Backoff.NEVER or attempt > self.max_retries:
            return None
        if backoff is Backoff.LINEAR:
            delay = min(self.max_delay, self.initial_delay * attempt) * (1 - chance / 10)
        else:
            delay = self._ceiling(attempt) * chance
        if retry_after is not None and math.isfinite(retry_after):
            delay = max(retry_after, 0.0) + self.initial_delay * chance / 10
        return delay if elapsed + delay <= self.budget else None

    def _ceiling(self, attempt: int) -> float:
        growth = (attempt - 1) * math.log(self.backoff_factor) + math.log(self.initial_delay)
        return self.max_delay if growth >= math.log(self.max_delay) else math.exp(growth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker holds at most, and how it takes part in its group. Times are in seconds."""

    in_flight: int = 256
    """Handlers that run at once."""
    in_flight_per_key: int = 128
    """Handlers of one key (integration) that run at once."""
    records: int = 10_000
    """Records read and not yet done or parked."""
    bytes: int = 64 * MIB
    """Their size. It may be exceeded by one record from the log and by one load of each reader."""
    lane_records: int = 1_000
    """Records of one lane in memory; what comes after them is parked."""
    lane_bytes: int = 8 * MIB
    key_records: int = 4_000
    """Records of one key (integration) in memory; what comes after them is parked."""
    key_bytes: int = 32 * MIB
    fetch_bytes: int = 8 * MIB
    """What one answer of a broker holds; a single larger record is still delivered."""
    partition_fetch_bytes: int = 1 * MIB
    session_timeout: float = 10.0
    """How long the group waits for a silent worker before it gives its partitions to others."""
    heartbeat: float = 1.0
    margin: float = 2.0
    """No outside call starts later than last heartbeat + session_timeout - margin."""
    drain: float = 5.0
    """How long a rebalance waits for running handlers; what takes longer is cancelled if it moves."""
    commit_interval: float = 0.25
    watch_interval: float = 1.0
    """How often a worker looks for what was changed from outside: pauses, retries, replays."""

    def __post_init__(self) -> None:
        positive = (
            self.in_flight, self.in_flight_per_key, self.records, self.bytes, self.lane_records,
            self.lane_bytes, self.key_records, self.key_bytes, self.fetch_bytes,
            self.partition_fetch_bytes, self.session_timeout, self.heartbeat, self.margin,
            self.drain, self.commit_interval, self.watch_interval,
        )  # fmt: skip
        if min(positive) <= 0:
            raise ValueError("every limit is a positive number")
        if self.heartbeat * 2 + self.margin >= self.session_timeout:
            raise ValueError(
                "session_timeout must exceed two heartbeats and the margin,"
                " or work stops at the first late heartbeat"
            )

    @property
    def rebalance_timeout(self) -> float:
        """How long the group waits for its members to come back during a rebalance."""
        return max(self.session_timeout, self.drain * 2 + 5)
