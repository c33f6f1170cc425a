"""An action ready to be performed, whether it was declared in Python or submitted as JSON."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, cast

import jsonschema
from pydantic import JsonValue, ValidationError

from jackfield_common.connector.declaration import COMMON_CONFIG, Action, Connector
from jackfield_common.connector.fields import Input, NoOutput, Output
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.manifest import ActionManifest, Manifest
from jackfield_common.connector.vendor import Vendor
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.message import JsonObject
from jackfield_connectors.engine.answers import ErrorMap
from jackfield_connectors.engine.failures import Unfitting

MAX_RAW: Final = 8 * 1024
"""How much of an answer that does not fit is kept, in characters."""


class Operation(Protocol):
    """One action of one connector."""

    manifest: Manifest
    action: ActionManifest
    errors: ErrorMap
    settings: JsonObject
    """The connector's defaults for an installation's settings."""

    def accept(self, given: JsonObject) -> JsonObject:
        """The input with its defaults, without what is null. Raises Failure(INVALID) naming the field."""
        ...

    def produce(self, data: JsonValue) -> JsonValue:
        """The output, of one item where there are pages. Raises Unfitting."""
        ...

    @property
    def code(self) -> Callable[[Vendor, JsonObject], Awaitable[JsonValue]] | None:
        """The action as code, where data could not say it."""
        ...


def _error_map(manifest: Manifest, action: ActionManifest) -> ErrorMap:
    budgets = [limit for limit in manifest.limits if isinstance(limit, HeaderBudget)]
    return ErrorMap((*action.errors, *manifest.errors), budgets, manifest.error_message)


class DeclaredOperation:
    """An action of the catalogue: pydantic models check what goes in and comes out."""

    def __init__(self, manifest: Manifest, action: Action[Any, Any]) -> None:
        found = manifest.action(action.name)
        assert found is not None, action.name
        self.manifest = manifest
        self.action = found
        self.errors = _error_map(manifest, found)
        self.settings = _defaults(manifest.config)
        self._action = action
        self._input: type[Input] = action.input
        self._output: type[Output] = action.output

    def accept(self, given: JsonObject) -> JsonObject:
        """See Operation."""
        try:
            model = self._input.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise Failure(
                ErrorKind.INVALID, f"{field or 'the input'}: {first['msg']}", field=field or None
            ) from None
        return cast(JsonObject, model.model_dump(mode="json", exclude_none=True))

    def produce(self, data: JsonValue) -> JsonValue:
        """See Operation."""
        if self._output is NoOutput:
            return {}
        try:
            output = self._output.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise unfitting(f"{where}: {first['msg']}", data) from None
        return cast(JsonValue, output.model_dump(mode="json"))

    @property
    def code(self) -> Callable[[Vendor, JsonObject], Awaitable[JsonValue]] | None:
        """See Operation."""
        run = self._action.run
        if run is None:
            return None

        async def call(vendor: Vendor, values: JsonObject) -> JsonValue:
            output = await run(vendor, self._input.model_validate(values))
            return cast(JsonValue, output.model_dump(mode="json"))

        return call


class SubmittedOperation:
    """An action of a manifest that a tenant made: JSON Schema checks what goes in and comes out."""

    code = None

    def __init__(self, manifest: Manifest, action: ActionManifest) -> None:
        if action.http is None:
            raise Failure(ErrorKind.INVALID, f"{action.name} has no HTTP call", field="actions")
        self.manifest = manifest
        self.action = action
        self.errors = _error_map(manifest, action)
        self.settings = _defaults(manifest.config)
        schema = jsonschema.Draft202012Validator
        self._input = schema(action.input)
        self._output = schema(action.output if action.http.pages is None else {})
        self._defaults = _defaults(action.input)

    def accept(self, given: JsonObject) -> JsonObject:
        """See Operation."""
        values = {**self._defaults, **{k: v for k, v in given.items() if v is not None}}
        for error in self._input.iter_errors(values):  # pyright: ignore[reportUnknownMemberType]
            field = ".".join(str(part) for part in error.absolute_path) or _missing(error)
            raise Failure(
                ErrorKind.INVALID,
                f"{field or 'the input'}: does not fit {error.validator!r}",
                field=field,
            )
        return values

    def produce(self, data: JsonValue) -> JsonValue:
        """See Operation."""
        for error in self._output.iter_errors(data):  # pyright: ignore[reportUnknownMemberType]
            where = ".".join(str(part) for part in error.absolute_path) or "the whole"
            raise unfitting(f"{where}: does not fit {error.validator!r}", data)
        return data


def unfitting(difference: str, data: object) -> Unfitting:
    """The failure of an answer that is not what was declared."""
    return Unfitting(f"the vendor's answer does not fit: {difference}", str(data)[:MAX_RAW])


def _defaults(schema: dict[str, JsonValue]) -> JsonObject:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {
        name: one["default"]
        for name, one in properties.items()
        if isinstance(one, dict) and one.get("default") is not None
    }


def _missing(error: jsonschema.ValidationError) -> str | None:
    if error.validator != "required":
        return None
    wanted = cast(list[str], error.validator_value)  # pyright: ignore[reportUnknownMemberType]
    given = cast(dict[str, JsonValue], error.instance)
    return next((name for name in wanted if name not in given), None)


class Operations:
    """All actions of one connector, by name."""

    def __init__(self, manifest: Manifest, connector: Connector | None = None) -> None:
        self.manifest = manifest
        self._ready: dict[str, Operation] = {}
        if connector is not None:
            for action in connector.all_actions():
                self._ready[action.name] = DeclaredOperation(manifest, action)
        else:
            for one in manifest.actions:
                self._ready[one.name] = SubmittedOperation(manifest, one)

    def find(self, name: str) -> Operation:
        """The action with this name. Raises Failure(INVALID)."""
        operation = self._ready.get(name)
        if operation is None:
            raise Failure(
                ErrorKind.INVALID, f"{self.manifest.slug} has no action {name}", field="action"
            )
        return operation


def own_base_url(manifest: Manifest) -> bool:
    """Whether the connector itself declares the setting `base_url`, so that it may lead anywhere public."""
    properties = manifest.config.get("properties")
    declared = properties.get("base_url") if isinstance(properties, dict) else None
    return declared is not None and declared != COMMON_CONFIG["base_url"]


def input_fields(action: ActionManifest) -> frozenset[str]:
    """The names of an action's parameters."""
    properties = action.input.get("properties")
    return frozenset(properties) if isinstance(properties, dict) else frozenset()
