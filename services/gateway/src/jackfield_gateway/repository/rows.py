"""What rows hold as JSON text."""

import json

from pydantic import JsonValue, TypeAdapter

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def dump(value: JsonValue) -> str:
    """JSON text for a column of type `json`."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def load(text: str | None) -> JsonValue:
    """The value of a column of type `json`; None where it is null."""
    return None if text is None else _JSON.validate_json(text)
