"""The fields of a credential, opened."""

from pydantic import JsonValue

Fields = dict[str, JsonValue]
"""Field name → value; never logged, never in an exception."""


def text(fields: Fields, name: str) -> str:
    """A field as text; empty when it is missing or is none."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""
