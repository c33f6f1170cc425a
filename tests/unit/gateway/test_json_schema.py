"""Values against the JSON Schemas of manifests."""

from typing import Any

import pytest
from pydantic import JsonValue

from jackfield_gateway.service.json_schema import check, without_required

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5, "minLength": 1},
        "mode": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "count": {"type": "integer", "minimum": 1},
        "fixed": {"const": "x"},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "abc"}, {}),
        ({}, {"input.name": "is missing"}),
        ({"name": 3}, {"input.name": "give a text"}),
        ({"name": ""}, {"input.name": "give a text that is not empty"}),
        ({"name": "abcdef"}, {"input.name": "longer than 5 characters"}),
        ({"name": "a", "mode": "c"}, {"input.mode": "give one of a, b"}),
        ({"name": "a", "tags": ["x", "Y"]}, {"input.tags.1": "does not match ^[a-z]+$"}),
        ({"name": "a", "place": {}}, {"input.place.city": "is missing"}),
        ({"name": "a", "either": 3}, {"input.either": "fits none of the forms allowed here"}),
        ({"name": "a", "count": 0}, {"input.count": "breaks the rule minimum: 1"}),
        ({"name": "a", "fixed": "y"}, {"input.fixed": "give x"}),
        ([], {"input": "give an object"}),
        (
            {"name": "a", "place": {"city": "b", "zip": 1}},
            {"input.place.zip": "is not known here; known: city"},
        ),
    ],
)
def test_errors_name_the_field_and_what_would_be_right(
    value: JsonValue, expected: dict[str, str]
) -> None:
    assert {error.field: error.message for error in check(SCHEMA, value, "input")} == expected


@pytest.mark.parametrize(
    "value",
    [
        {"name": ["s3cret"]},
        {"name": "s3cret-and-long"},
        {"name": "a", "mode": "s3cret"},
        {"name": "a", "tags": ["s3cret"]},
        {"name": "a", "either": {"s3cret": 1}},
    ],
)
def test_errors_never_quote_the_value(value: JsonValue) -> None:
    errors = check(SCHEMA, value, "input")
    assert errors
    assert not any("s3cret" in error.message for error in errors)


def test_a_part_may_leave_out_what_is_required() -> None:
    assert check(without_required(SCHEMA), {}, "input") == []
    assert check(without_required(SCHEMA), {"name": 1}, "input") != []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/nothing"},
    ],
)
def test_a_schema_fetches_nothing(schema: dict[str, JsonValue]) -> None:
    [error] = check(schema, {}, "input")
    assert "broken" in error.message
