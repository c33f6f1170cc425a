"""`name=value` arguments of the command line."""

import json
from collections.abc import Iterable
from pathlib import Path

import typer
from pydantic import JsonValue


def secrets_from(pairs: Iterable[str]) -> dict[str, JsonValue]:
    """`name=value`, `name=@file`, or `name=-` to be asked for without echo.

    A value on the command line is visible to other users of the machine while the command runs,
    and stays in the shell's history: the other two are not. Raises typer.BadParameter.
    """
    found: dict[str, JsonValue] = {}
    for name, value in map(_split, pairs):
        if value == "-":
            found[name] = typer.prompt(name, hide_input=True, err=True)
        elif value.startswith("@"):
            found[name] = _content(Path(value[1:])).rstrip("\n")
        else:
            found[name] = value
    return found


def configuration_from(pairs: Iterable[str]) -> dict[str, JsonValue]:
    """`name=value`; a value that is JSON (a number, true, a list, an object) is taken as that.

    Raises typer.BadParameter.
    """
    return {name: _json_or_text(value) for name, value in map(_split, pairs)}


def object_from(text: str) -> dict[str, JsonValue]:
    """A JSON object, given as it is or as `@file`. Raises typer.BadParameter."""
    if text.startswith("@"):
        text = _content(Path(text[1:]))
    try:
        value: JsonValue = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"this is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter('give a JSON object, such as {"text": "hello"}')
    return value


def _split(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name:
        raise typer.BadParameter(f"{name!r} is not of the form name=value")
    return name, value


def _json_or_text(text: str) -> JsonValue:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from None
