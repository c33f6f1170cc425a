"""What can be wrong with an expression: when it is saved, and when it runs."""

from jackfield_common.errors import JackfieldError


class ExpressionError(JackfieldError):
    """An expression that cannot be compiled. `line` and `column` count from 1; None where unknown."""

    def __init__(
        self, language: str, message: str, *, line: int | None = None, column: int | None = None
    ) -> None:
        where = f" at line {line}, column {column}" if line is not None else ""
        super().__init__(f"{language}{where}: {message}")
        self.language = language
        self.message = message
        self.line = line
        self.column = column


class EvaluationError(JackfieldError):
    """An expression that compiled and failed on an event; the text is for the owner of the route."""


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset into a text; an offset behind its end is its end."""
    before = text[: max(offset, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
