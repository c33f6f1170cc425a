"""Selectors: where in a webhook request a value stands, as text that a manifest can carry.

    selector = term *( "+" term )
    term     = "header:" name | "body:" path | "query:" name | "'" literal "'"
    path     = name *( "." name )          a name that is a number indexes a list

`header:X-GitHub-Event + '.' + body:action` joins its terms. A term that is absent makes the whole
selector yield None, except after `?`: `header:X-GitHub-Event +? '.' + body:action` drops the tail that
starts there when a term in it is absent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, cast

from pydantic import AfterValidator, JsonValue

_TERM: Final = re.compile(
    r"\s*(?:(?P<where>header|body|query):(?P<name>[A-Za-z0-9_.@$-]+)|'(?P<literal>[^']*)')\s*"
)
_JOIN: Final = re.compile(r"\+(?P<optional>\?)?")


@dataclass(frozen=True, slots=True)
class Request:
    """What selectors look at: lowercase header names, the parsed body, query parameters."""

    headers: Mapping[str, str]
    body: JsonValue = None
    query: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Term:
    where: Literal["header", "body", "query", "literal"]
    name: str
    optional: bool = False

    def value(self, request: Request) -> str | None:
        match self.where:
            case "literal":
                return self.name
            case "header":
                return request.headers.get(self.name.lower())
            case "query":
                return (request.query or {}).get(self.name)
            case "body":
                return as_text(at_path(request.body, self.name))


def at_path(value: JsonValue, path: str) -> JsonValue:
    """The value at a dotted path, or None where the path leaves the document."""
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def as_text(value: JsonValue) -> str | None:
    """A scalar as text: true and false as in JSON, whole numbers without a point; else None."""
    match value:
        case None | dict() | list():
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case _:
            return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True, slots=True)
class CompiledSelector:
    """A parsed selector."""

    terms: tuple[_Term, ...]

    @property
    def needs_body(self) -> bool:
        """Whether the parsed body is looked at."""
        return any(term.where == "body" for term in self.terms)

    def of(self, request: Request) -> str | None:
        """The value in this request; None when a term is absent, or the result is empty."""
        parts: list[str] = []
        optional_from: int | None = None
        for index, term in enumerate(self.terms):
            if term.optional:
                optional_from = index
            value = term.value(request)
            if value is None:
                if optional_from is None:
                    return None
                parts = parts[:optional_from]
                break
            parts.append(value)
        return "".join(parts) or None


def compile_selector(text: str) -> CompiledSelector:
    """Parse a selector. Raises ValueError with the position of what it cannot read."""
    terms: list[_Term] = []
    position, optional = 0, False
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise ValueError(
                f"selector {text!r}: expected header:NAME, body:PATH, query:NAME or 'text' "
                f"at position {position}"
            )
        where = match["where"] or "literal"
        terms.append(
            _Term(
                cast(Literal["header", "body", "query", "literal"], where),
                match["name"] if match["where"] else match["literal"],
                optional,
            )
        )
        position = match.end()
        if position == len(text):
            return CompiledSelector(tuple(terms))
        join = _JOIN.match(text, position)
        if join is None:
            raise ValueError(f"selector {text!r}: expected '+' at position {position}")
        optional = join["optional"] is not None
        position = join.end()


def _checked(text: str) -> str:
    compile_selector(text)
    return text


Selector = Annotated[str, AfterValidator(_checked)]
"""The text of a selector, checked when the declaration is loaded."""
