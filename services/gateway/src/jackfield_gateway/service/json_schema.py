"""Checking values against the JSON Schemas (2020-12) of manifests.

Messages say what would be right and never quote the value: somebody may have put a secret there.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import referencing
import referencing.exceptions
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic import JsonValue

from jackfield_common.connector.manifest import JsonSchema
from jackfield_gateway.models.problem import FieldError

MAX_ERRORS: Final = 50
_NOWHERE: Final[referencing.Registry[Any]] = referencing.Registry()
"""References lead nowhere outside the schema: nothing is fetched because a manifest says so."""
_TYPES: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def check(schema: JsonSchema, value: JsonValue, root: str) -> list[FieldError]:
    """What of `value` does not fit `schema`; `root` begins every field's path."""
    validator = Draft202012Validator(
        schema, registry=_NOWHERE, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    errors: list[FieldError] = []
    try:
        found = cast(Iterable[ValidationError], validator.iter_errors(value))  # pyright: ignore[reportUnknownMemberType]
        for error in found:
            errors += _told(error, root)
            if len(errors) >= MAX_ERRORS:
                break
    except (SchemaError, referencing.exceptions.Unresolvable):
        return [FieldError(field=root, message="the connector's own schema for this is broken")]
    return sorted(errors[:MAX_ERRORS], key=lambda one: one.field)


def without_required(schema: JsonSchema) -> JsonSchema:
    """The same schema for a part of the value: at its top nothing has to be there."""
    return {key: value for key, value in schema.items() if key != "required"}


def _told(error: ValidationError, root: str) -> list[FieldError]:
    path = ".".join([root, *(str(part) for part in error.absolute_path)])
    rule = cast(Any, error.validator_value)
    match error.validator:
        case "required":
            given = cast(Mapping[str, Any], error.instance)
            missing = [name for name in rule if name not in given]
            return [FieldError(field=f"{path}.{name}", message="is missing") for name in missing]
        case "additionalProperties":
            known = sorted(_properties(error))
            message = f"is not known here; known: {', '.join(known) or 'nothing'}"
            given = cast(Mapping[str, Any], error.instance)
            return [
                FieldError(field=f"{path}.{name}", message=message)
                for name in given
                if name not in known
            ]
        case "type":
            kinds: list[str] = [rule] if isinstance(rule, str) else rule
            message = f"give {' or '.join(_TYPES.get(kind, kind) for kind in kinds)}"
        case "enum":
            message = f"give one of {', '.join(str(item) for item in rule)}"
        case "const":
            message = f"give {rule}"
        case "pattern":
            message = f"does not match {rule}"
        case "format":
            message = f"is not in the format {rule}"
        case "minLength":
            message = "give a text that is not empty" if rule == 1 else f"shorter than {rule}"
        case "maxLength":
            message = f"longer than {rule} characters"
        case "anyOf" | "oneOf":
            message = "fits none of the forms allowed here"
        case _:
            message = f"breaks the rule {error.validator}: {rule}"
    return [FieldError(field=path, message=message)]


def _properties(error: ValidationError) -> Mapping[str, Any]:
    schema = cast(Any, error.schema)
    return schema.get("properties", {}) if isinstance(schema, Mapping) else {}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
