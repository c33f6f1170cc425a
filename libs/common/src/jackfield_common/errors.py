"""What can go wrong, in words the whole system shares.

Exception
 └── JackfieldError
      ├── Failure            a piece of work failed; its kind says what may be done about it
      ├── Fenced             this process no longer owns what it was working on; stop, write nothing
      ├── StaleRead          a read model is behind the version a command was built on; wait
      ├── ContractError      bytes that are not what their topic promises
      └── NotReady           a dependency (Kafka, PostgreSQL, a read model) is away for now
"""

from enum import StrEnum
from typing import Final


class ErrorKind(StrEnum):
    """What the owner of a failed piece of work may do about it."""

    AUTH = "auth"
    """The vendor refused the credential: refresh it, then try once more."""
    FORBIDDEN = "forbidden"
    """The credential is good but not for this: its owner has to grant more."""
    NOT_FOUND = "not_found"
    """The thing addressed does not exist at the vendor."""
    INVALID = "invalid"
    """The request is wrong; the same request will stay wrong."""
    RATE_LIMITED = "rate_limited"
    """Too many calls: wait as long as the vendor says, else exponentially."""
    UNAVAILABLE = "unavailable"
    """The vendor failed (5xx, maintenance): exponential backoff."""
    CONNECTION = "connection"
    """The vendor could not be reached: linear backoff."""
    TIMEOUT = "timeout"
    """No answer in time: whether it was carried out is not known."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """An action that must not be repeated was cut off in the middle; only its owner can decide."""
    BUG = "bug"
    """Ours: an answer or a state that the code did not allow for."""


RETRYABLE: Final = frozenset(
    {
        ErrorKind.AUTH,
        ErrorKind.RATE_LIMITED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.CONNECTION,
        ErrorKind.TIMEOUT,
    }
)


class JackfieldError(Exception):
    """The root of everything raised on purpose."""


class Failure(JackfieldError):
    """A piece of work failed.

    `message` is for the owner of the work and holds no secret. `field` names the wrong input, as a
    dotted path, where there is one. `retry_after` is in seconds, as the vendor asked.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.field = field
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same work may succeed later."""
        return self.kind in RETRYABLE


class Fenced(JackfieldError):
    """Another process owns this partition now: whatever this one still holds must not be written."""


class StaleRead(JackfieldError):
    """A read model did not reach a needed version in time."""


class ContractError(JackfieldError):
    """A message does not fit the schema of its topic. The text says where, without its content."""


class NotReady(JackfieldError):
    """Something this process needs is away; `retry_after` says in how many seconds to ask again."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
