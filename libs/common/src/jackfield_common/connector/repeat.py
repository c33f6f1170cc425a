"""May a call be made twice?"""

from enum import StrEnum


class Repeat(StrEnum):
    """Whether a call whose outcome is unknown may be made again."""

    SAFE = "safe"
    """Twice is as good as once."""
    KEYED = "keyed"
    """The vendor recognises the idempotency key and does it once."""
    UNSAFE = "unsafe"
    """Twice is twice: an unknown outcome is for the owner to decide."""
