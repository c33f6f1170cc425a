"""Why a request was refused. The sender learns the status, the owner of the integration the reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """The reason of a refusal, as it is counted."""

    BAD_REQUEST = "bad_request"
    """Not HTTP/1.x as RFC 9112 has it."""
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TOO_LARGE = "body_too_large"
    SLOW = "slow"
    """Headers or body did not come in time."""
    NOT_FOUND = "not_found"
    """Unknown or disabled integration, unknown path, or a method that nothing answers."""
    SOURCE_LIMIT = "source_limit"
    INTEGRATION_LIMIT = "integration_limit"
    ADDRESS = "address"
    """Not from a network on the allow list."""
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    TOO_DEEP = "too_deep"
    HANDSHAKE = "handshake"
    """A handshake that cannot be answered as it was asked."""
    UNCONFIGURED = "unconfigured"
    """The integration has no secret to verify with, or one that cannot be used."""
    MISSING = "missing_proof"
    REPEATED = "repeated_proof"
    """A header that carries proof came twice: which one counts must not be a guess."""
    MALFORMED = "malformed_proof"
    STALE = "stale"
    """Outside of the replay window."""
    SIGNATURE = "signature"
    """The proof is wrong."""
    KEYS = "keys_unavailable"
    """What the proof is checked with could not be fetched."""
    TOO_LARGE_FOR_BUS = "too_large_for_bus"
    OVERLOADED = "overloaded"
    """Too much is under way already."""
    NOT_READY = "not_ready"
    """The integrations are not loaded yet."""
    KAFKA = "kafka"
    """Kafka is away, or did not acknowledge in time."""
    DRAINING = "draining"
    BUG = "bug"
    """Ours: a state that the code did not allow for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What the sender reads (RFC 9457)."""

    status: int
    phrase: str
    type: str
    detail: str
    retry: bool = False
    """With Retry-After."""
    close: bool = False
    """The connection cannot be used any further."""


_UNVERIFIED: Final = Problem(
    401, "Unauthorized", "unverified", "The sender of this request could not be verified."
)
_NOT_FOUND: Final = Problem(404, "Not Found", "not-found", "There is nothing at this address.")
_AWAY: Final = Problem(
    503,
    "Service Unavailable",
    "unavailable",
    "The request could not be stored just now; send it again later.",
    retry=True,
)
_LIMITED: Final = Problem(
    429, "Too Many Requests", "rate-limited", "Too many requests; slow down.", retry=True
)

PROBLEMS: Final[dict[Reason, Problem]] = {
    Reason.BAD_REQUEST: Problem(
        400, "Bad Request", "bad-request", "This is not a valid HTTP/1.1 request.", close=True
    ),
    Reason.HEAD_TOO_LARGE: Problem(
        431,
        "Request Header Fields Too Large",
        "headers-too-large",
        "The request line and headers are too large.",
        close=True,
    ),
    Reason.BODY_TOO_LARGE: Problem(
        413, "Content Too Large", "too-large", "The body is too large.", close=True
    ),
    Reason.SLOW: Problem(
        408, "Request Timeout", "timeout", "The request did not arrive in time.", close=True
    ),
    Reason.NOT_FOUND: _NOT_FOUND,
    Reason.SOURCE_LIMIT: _LIMITED,
    Reason.INTEGRATION_LIMIT: _LIMITED,
    Reason.ADDRESS: Problem(403, "Forbidden", "forbidden", "This address may not send here."),
    Reason.CONTENT_TYPE: Problem(
        415,
        "Unsupported Media Type",
        "content-type",
        "This content type is not one that this webhook declares.",
    ),
    Reason.CONTENT_ENCODING: Problem(
        415, "Unsupported Media Type", "content-encoding", "Send the body without content-encoding."
    ),
    Reason.TOO_DEEP: Problem(
        422, "Unprocessable Content", "too-deep", "The JSON document is nested too deeply."
    ),
    Reason.HANDSHAKE: Problem(
        400, "Bad Request", "handshake", "This handshake cannot be answered."
    ),
    Reason.UNCONFIGURED: _UNVERIFIED,
    Reason.MISSING: _UNVERIFIED,
    Reason.REPEATED: _UNVERIFIED,
    Reason.MALFORMED: _UNVERIFIED,
    Reason.STALE: _UNVERIFIED,
    Reason.SIGNATURE: _UNVERIFIED,
    Reason.TOO_LARGE_FOR_BUS: Problem(
        413, "Content Too Large", "too-large", "The body is too large."
    ),
    Reason.KEYS: _AWAY,
    Reason.OVERLOADED: _AWAY,
    Reason.NOT_READY: _AWAY,
    Reason.KAFKA: _AWAY,
    Reason.BUG: Problem(
        500, "Internal Server Error", "internal", "Something went wrong here.", close=True
    ),
    Reason.DRAINING: Problem(
        503, "Service Unavailable", "unavailable", "Send it again.", retry=True, close=True
    ),
}

AGAINST_SOURCE: Final = frozenset(
    {
        Reason.NOT_FOUND,
        Reason.UNCONFIGURED,
        Reason.MISSING,
        Reason.REPEATED,
        Reason.MALFORMED,
        Reason.STALE,
        Reason.SIGNATURE,
        Reason.ADDRESS,
        Reason.BAD_REQUEST,
    }
)
"""Refusals that count against the address they came from: guessing ids or secrets gets slow."""
