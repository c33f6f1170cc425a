"""The service's own types."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jackfield_common.errors import ErrorKind
from jackfield_common.events.action import ActionCompleted
from jackfield_common.events.health import Health


@dataclass(frozen=True, slots=True)
class Begun:
    """An action that was begun before: `intent` where its outcome is unknown, `open` where it failed.

    `replayed_by` is the command by which its owner had it run again; empty for the first run.
    """

    state: Literal["intent", "open"]
    replayed_by: str


@dataclass(frozen=True, slots=True)
class Finished:
    """An action that has a result."""

    result: ActionCompleted
    replayed_by: str


Known = Begun | Finished | None
"""What is known of an action: nothing when it is new."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a call said of an integration's health. `always`: worth publishing without a change of status."""

    status: Health
    authentication: Literal["ok", "failed", "reconnect", "unknown"]
    response_time_ms: float | None
    checked_at: datetime | None
    succeeded_at: datetime | None
    error: ErrorKind | None
    message: str
    always: bool
