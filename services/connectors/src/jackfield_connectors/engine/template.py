"""Filling in: paths, bodies and addresses with `{name}` in them."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from pydantic import JsonValue

from jackfield_common.connector.selector import as_text
from jackfield_common.errors import ErrorKind, Failure

_PLACE: Final = re.compile(r"{(\+?)(\w+)}")
_WHOLE: Final = re.compile(r"^{(\w+)}$")
_SEGMENT: Final = "-._~!$&'()*,;=:@"  # RFC 3986, 3.3: what a path segment may hold unencoded


class _Absent:
    """What a template yields when all it is built of is absent."""


ABSENT: Final = _Absent()


def places(text: str) -> frozenset[str]:
    """The names that a template mentions."""
    return frozenset(name for _, name in _PLACE.findall(text))


def fill_path(path: str, values: Mapping[str, JsonValue]) -> str:
    """A path with `{name}` and `{+name}` filled in and encoded. Raises Failure(INVALID) naming the field."""

    def value_of(match: re.Match[str]) -> str:
        keeps_slashes, name = match[1] == "+", match[2]
        text = as_text(values.get(name))
        if not text:
            raise Failure(ErrorKind.INVALID, f"{name} is missing", field=name)
        segments = text.split("/") if keeps_slashes else [text]
        # Dots would climb out of the path that the action is about.
        if any(segment in ("", ".", "..") for segment in segments):
            raise Failure(ErrorKind.INVALID, f"{name} cannot stand in an address", field=name)
        return "/".join(quote(segment, safe=_SEGMENT) for segment in segments)

    return _PLACE.sub(value_of, path)


def fill_text(text: str, values: Mapping[str, JsonValue], *, field: str) -> str:
    """An address with `{name}` filled in as it is. Raises Failure(INVALID) when a value is missing."""

    def value_of(match: re.Match[str]) -> str:
        found = as_text(values.get(match[2]))
        if not found:
            raise Failure(ErrorKind.INVALID, f"{match[2]} is missing", field=match[2] or field)
        return found

    return _PLACE.sub(value_of, text)


def fill_members(
    template: Mapping[str, JsonValue], values: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """An object with its names filled in, without the members that are built of absent names alone."""
    filled = {key: fill_body(item, values) for key, item in template.items()}
    return {key: item for key, item in filled.items() if not isinstance(item, _Absent)}


def fill_body(template: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue | _Absent:
    """A part of a body with its names filled in; ABSENT where it names something and none of it is there."""
    match template:
        case str():
            whole = _WHOLE.match(template)
            if whole is not None:
                return values.get(whole[1], ABSENT)
            named = _PLACE.findall(template)
            if named and not any(name in values for _, name in named):
                return ABSENT
            return _PLACE.sub(lambda match: as_text(values.get(match[2])) or "", template)
        case dict():
            kept = fill_members(template, values)
            # Constants accompany what is named; they do not stand for it.
            empty = all(only_constants(template[key]) for key in kept)
            return ABSENT if empty and not only_constants(template) else kept
        case list():
            items = [fill_body(item, values) for item in template]
            there = [item for item in items if not isinstance(item, _Absent)]
            empty = not there and not only_constants(template)
            return ABSENT if empty else there
        case _:
            return template


def only_constants(template: JsonValue) -> bool:
    """Whether a template mentions no name."""
    match template:
        case str():
            return not _PLACE.search(template)
        case dict():
            return all(only_constants(item) for item in template.values())
        case list():
            return all(only_constants(item) for item in template)
        case _:
            return True
