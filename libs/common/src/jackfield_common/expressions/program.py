"""What a route runs on an event, and what can come of it."""

from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Program:
    """A condition (CEL), then a transformation (JSONata); either may be absent."""

    condition: str | None = None
    transform: str | None = None

    @property
    def trivial(self) -> bool:
        """Whether there is nothing to evaluate."""
        return self.condition is None and self.transform is None


@dataclass(frozen=True, slots=True)
class Matched:
    """The condition holds; `output` is what the transformation yielded, None without one."""

    output: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class NotMatched:
    """The condition does not hold."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The condition or the transformation failed on this event; `message` is for the route's owner."""

    message: str


Outcome = Matched | NotMatched | Failed
