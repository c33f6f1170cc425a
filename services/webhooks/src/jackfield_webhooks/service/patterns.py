"""Patterns for event types: `*` stands for any run of characters, also an empty one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, cut at its stars: what comes first, in between in order, and last."""

    first: str
    between: tuple[str, ...]
    last: str | None

    def matches(self, text: str) -> bool:
        """Whether the pattern is the whole of `text`. Takes time linear in its length."""
        if self.last is None:
            return text == self.first
        if len(text) < len(self.first) + len(self.last):
            return False
        if not text.startswith(self.first) or not text.endswith(self.last):
            return False
        # leftmost finds suffice: an earlier end leaves more room for what follows
        position, end = len(self.first), len(text) - len(self.last)
        for part in self.between:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True


def compile_pattern(text: str) -> Pattern:
    """A pattern from its text; every text is one."""
    first, *rest = text.split("*")
    if not rest:
        return Pattern(first, (), None)
    return Pattern(first, tuple(part for part in rest[:-1] if part), rest[-1])
