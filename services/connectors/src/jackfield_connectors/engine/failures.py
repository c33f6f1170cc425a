"""Failures that carry more than their kind.

Failure
 ├── CutOff      the request left and no whole answer came: what it did at the vendor is not known
 └── Unfitting   the vendor answered with something that the action's output does not allow for
"""

from pydantic import JsonValue

from jackfield_common.errors import ErrorKind, Failure


class CutOff(Failure):
    """The request left, and no whole answer came back: it may have been carried out."""


class Unfitting(Failure):
    """The answer does not fit the declared output. `raw` is the start of it, for the owner."""

    def __init__(self, message: str, raw: JsonValue) -> None:
        super().__init__(ErrorKind.BUG, message)
        self.raw = raw
