"""Transformations: JSONata 2 over an event, yielding the object that becomes an action's input.

The library keeps the last expression compiled in a thread as that thread's current one, whose clock
`$now()` reads, and keeps variables of an evaluation for the next unless it is given bindings: both are
seen to here.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from jsonata import Jsonata
from jsonata.jexception import JException
from pydantic import JsonValue

from jackfield_common.expressions.errors import EvaluationError, ExpressionError, position

MAX_TEXT: Final = 16_384
"""Characters that a transformation may have."""

_FAULTS: Final = (
    JException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    re.error,
)
"""What the library raises for a bad expression: its own exception, and whatever Python makes of one."""


class Transformation:
    """A compiled transformation."""

    def __init__(self, text: str) -> None:
        """Compile. Raises ExpressionError with the position of what is wrong."""
        if len(text) > MAX_TEXT:
            raise ExpressionError("JSONata", f"longer than {MAX_TEXT} characters")
        if not text.strip():
            raise ExpressionError("JSONata", "the expression is empty", line=1, column=1)
        try:
            self._expression = Jsonata(text)
            self._expression.set_validate_input(False)  # the event came from JSON
        except JException as error:
            line, column = position(text, error.get_location())
            raise ExpressionError(
                "JSONata", _message(error), line=line, column=max(column - 1, 1)
            ) from None
        except RecursionError:
            raise ExpressionError("JSONata", "nested too deeply") from None
        except _FAULTS as error:
            raise ExpressionError("JSONata", f"cannot be read ({type(error).__name__})") from None

    def of(self, event: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The object that the expression yields. Raises EvaluationError, also for what is no object."""
        current = cast(Any, Jsonata).CURRENT
        current.jsonata = self._expression
        evaluate = cast(
            Callable[[Mapping[str, JsonValue], dict[str, object]], object],
            self._expression.evaluate,
        )
        try:
            result = evaluate(event, {})
        except RecursionError:
            raise EvaluationError("JSONata: nested too deeply") from None
        except MemoryError:
            raise EvaluationError("JSONata: needs too much memory") from None
        except JException as error:
            raise EvaluationError(f"JSONata: {error.get_error()} {_message(error)}") from None
        except _FAULTS as error:
            raise EvaluationError(f"JSONata: fails with {type(error).__name__}") from None
        if not isinstance(result, dict):
            raise EvaluationError(
                f"JSONata: a transformation yields an object, this one yielded {_kind(result)}"
            )
        return cast(dict[str, JsonValue], result)


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "a function"


def _message(error: JException) -> str:
    return str(error)[:300]
