"""A value that fits a JSON Schema: what an emulated vendor answers where nothing was recorded."""

from typing import Final, cast

from pydantic import JsonValue

from jackfield_common.connector.manifest import JsonSchema

_DEPTH: Final = 6
_TEXT: Final = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example_of(schema: JsonSchema) -> JsonValue:
    """A small value for a schema as pydantic writes them (`$defs`, `anyOf`, formats, bounds).

    Patterns are not satisfied: such a value needs a recording.
    """
    definitions = schema.get("$defs")
    return _example(
        schema, cast(JsonSchema, definitions) if isinstance(definitions, dict) else {}, _DEPTH
    )


def _example(schema: JsonSchema, definitions: JsonSchema, depth: int) -> JsonValue:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = definitions.get(reference.rpartition("/")[2])
        return _example(target, definitions, depth - 1) if isinstance(target, dict) else None
    if "const" in schema:
        return schema["const"]
    for given in ("examples", "enum"):
        values = schema.get(given)
        if isinstance(values, list) and values:
            return values[0]
    for choice in ("anyOf", "oneOf", "allOf"):
        options = schema.get(choice)
        if isinstance(options, list) and options:
            first = options[0]
            return _example(first, definitions, depth) if isinstance(first, dict) else None
    if depth <= 0:
        return schema.get("default")
    return _by_type(schema, definitions, depth)


def _by_type(schema: JsonSchema, definitions: JsonSchema, depth: int) -> JsonValue:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties")
            if not isinstance(properties, dict):
                return {}
            return {
                name: _example(one, definitions, depth - 1)
                for name, one in properties.items()
                if isinstance(one, dict)
            }
        case "array":
            items = schema.get("items")
            return [_example(items, definitions, depth - 1)] if isinstance(items, dict) else []
        case "string":
            text = _TEXT.get(str(schema.get("format", "")), "example")
            shortest = schema.get("minLength")
            return text.ljust(shortest, "x") if isinstance(shortest, int) else text
        case "integer" | "number":
            lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return int(lowest) + 1 if isinstance(lowest, int | float) else 1
        case "boolean":
            return True
        case _:
            return None
