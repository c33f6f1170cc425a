"""A connector as typed Python: what a folder of the catalogue declares, from which the manifest is made."""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from jackfield_common.connector.auth import Auth
from jackfield_common.connector.error_map import On
from jackfield_common.connector.fields import HttpsUrl, Input, NoInput, Output
from jackfield_common.connector.limits import Limit
from jackfield_common.connector.manifest import (
    ActionManifest,
    Category,
    HttpCall,
    Manifest,
    Method,
    TemplateManifest,
)
from jackfield_common.connector.pages import Pages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.vendor import Vendor
from jackfield_common.connector.webhook import Webhook

In = TypeVar("In", bound=Input)
Out = TypeVar("Out", bound=Output)

_PLACEHOLDER = re.compile(r"{\+?(\w+)}")


class Action(BaseModel, Generic[In, Out]):
    """One thing a connector can do: an HTTP call as data, or a coroutine where data is not enough.

    With pages its output is `{"items": […], "complete": bool}` of `output`, bounded by the field `limit`
    of its input (see `Paged`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    title: str = ""
    input: type[In]
    output: type[Out]
    repeat: Repeat
    http: HttpCall | None = None
    http_by_auth: dict[str, HttpCall] = {}
    run: Callable[[Vendor, In], Awaitable[Out]] | None = None
    auth: tuple[str, ...] = ()
    ordering: str | None = None
    timeout: float = Field(default=30, gt=0, le=900)
    idempotency_header: str | None = None
    errors: tuple[On, ...] = ()

    @model_validator(mode="after")
    def _declares_one_way_to_run(self) -> Self:
        if (self.http is None) == (self.run is None):
            raise ValueError(f"{self.name}: give either an HTTP call or a run function")
        known = self.input.model_fields
        for call in self.calls():
            for field in _named(call):
                if field not in known and field not in call.constants:
                    raise ValueError(
                        f"{self.name}: the call uses {field!r}, {self.input.__name__} has no such field"
                    )
            if call.pages is not None and call.pages.kind != "one" and "limit" not in known:
                raise ValueError(f"{self.name}: pages need an input that is Paged")
        if self.ordering is not None and self.ordering not in known:
            raise ValueError(
                f"{self.name}: ordering {self.ordering!r} is no field of {self.input.__name__}"
            )
        if self.repeat is Repeat.KEYED and self.idempotency_header is None and self.run is None:
            raise ValueError(f"{self.name}: a keyed action names its idempotency_header")
        return self

    def calls(self) -> tuple[HttpCall, ...]:
        """Every HTTP call this action may turn into."""
        return (*((self.http,) if self.http else ()), *self.http_by_auth.values())

    @property
    def paged(self) -> bool:
        """Whether the output is a list collected from pages."""
        return self.http is not None and self.http.pages is not None

    def manifest(self) -> ActionManifest:
        """The action as JSON."""
        return ActionManifest(
            name=self.name,
            title=self.title or self.name.replace("_", " ").capitalize(),
            description=(self.input.__doc__ or "").strip() if self.input is not NoInput else "",
            input=self.input.model_json_schema(),
            output=_items_schema(self.output) if self.paged else self.output.model_json_schema(),
            repeat=self.repeat,
            auth=self.auth,
            ordering=self.ordering,
            timeout=self.timeout,
            http=self.http,
            http_by_auth=self.http_by_auth,
            idempotency_header=self.idempotency_header,
            errors=self.errors,
        )


def _named(call: HttpCall) -> Iterator[str]:
    """The input fields that a call names."""
    yield from _PLACEHOLDER.findall(call.path)
    yield from call.query
    yield from call.headers
    yield from call.rename
    if call.body_field:
        yield call.body_field
    yield from _in_template(call.body)


def _in_template(template: JsonValue) -> Iterator[str]:
    match template:
        case str():
            yield from _PLACEHOLDER.findall(template)
        case dict():
            for item in template.values():
                yield from _in_template(item)
        case list():
            for item in template:
                yield from _in_template(item)
        case _:
            return


def _items_schema(item: type[Output]) -> dict[str, Any]:
    schema = item.model_json_schema()
    definitions = schema.pop("$defs", None)
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": schema},
            "complete": {"type": "boolean", "description": "Whether these are all there are"},
        },
        "required": ["items", "complete"],
        **({"$defs": definitions} if definitions else {}),
    }


def _call(
    method: Method,
    by_default: Repeat,
    name: str,
    path: str,
    takes: type[In],
    returns: type[Out],
    **more: Any,
) -> Action[In, Out]:
    http = {key: more.pop(key) for key in HttpCall.model_fields if key in more}
    return Action[In, Out](
        name=name,
        input=takes,
        output=returns,
        repeat=more.pop("repeat", by_default),
        http=HttpCall(method=method, path=path, **http),
        **more,
    )


def get(
    name: str,
    path: str,
    takes: type[In],
    *,
    returns: type[Out],
    pages: Pages | None = None,
    **more: Any,
) -> Action[In, Out]:
    """A GET: safe to repeat; fields of `takes` not in the path go to the query string.

    `more` are fields of `Action` or of `HttpCall`, by name; here and below.
    """
    return _call("GET", Repeat.SAFE, name, path, takes, returns, pages=pages, **more)


def post(
    name: str, path: str, takes: type[In], *, returns: type[Out], **more: Any
) -> Action[In, Out]:
    """A POST: unsafe to repeat unless declared otherwise; fields not in the path go to the body."""
    return _call("POST", Repeat.UNSAFE, name, path, takes, returns, **more)


def put(
    name: str, path: str, takes: type[In], *, returns: type[Out], **more: Any
) -> Action[In, Out]:
    """A PUT: idempotent (RFC 9110, 9.2.2), so safe to repeat."""
    return _call("PUT", Repeat.SAFE, name, path, takes, returns, **more)


def patch(
    name: str, path: str, takes: type[In], *, returns: type[Out], **more: Any
) -> Action[In, Out]:
    """A PATCH (RFC 5789): unsafe to repeat unless declared otherwise."""
    return _call("PATCH", Repeat.UNSAFE, name, path, takes, returns, **more)


def delete(
    name: str, path: str, takes: type[In], *, returns: type[Out], **more: Any
) -> Action[In, Out]:
    """A DELETE: idempotent (RFC 9110, 9.2.2), so safe to repeat."""
    return _call("DELETE", Repeat.SAFE, name, path, takes, returns, **more)


class Config(BaseModel):
    """What of an installation is not secret; its JSON Schema draws the form.

    A field that an action's input has as well is that field's default (a channel, a project key).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


COMMON_CONFIG: Final[dict[str, JsonValue]] = {
    "base_url": {
        "type": "string",
        "format": "uri",
        "title": "Base URL",
        "description": "Instead of the vendor's own address: only inside networks the operator allows",
    },
    "repeat_unknown_outcomes": {
        "type": "boolean",
        "default": False,
        "title": "Repeat calls whose outcome is unknown",
        "description": "An action may then be carried out twice; otherwise it waits for a decision",
    },
}
"""Settings that every installation has, whatever its connector declares."""


class Connector(BaseModel):
    """A vendor: how to sign in, what it can do, what it can tell us.

    `base_url` may hold `{name}` of a config field, for vendors with instances of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    slug: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    title: str
    description: str
    category: Category
    docs: HttpsUrl
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    base_url: str | None = None
    auth: tuple[Auth, ...] = Field(min_length=1)
    config: type[Config] = Config
    headers: dict[str, str] = {}
    limits: tuple[Limit, ...] = ()
    errors: tuple[On, ...] = ()
    error_message: tuple[str, ...] = ()
    test: Action[Any, Any]
    actions: tuple[Action[Any, Any], ...] = ()
    webhook: Webhook | None = None
    templates: tuple[TemplateManifest, ...] = ()
    popularity: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [action.name for action in self.all_actions()]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.slug}: an action's name is used twice")
        if self.test.name != "test_connection":
            raise ValueError(f"{self.slug}: the test action is called test_connection")
        return self

    def all_actions(self) -> tuple[Action[Any, Any], ...]:
        """The connection test and everything else."""
        return (self.test, *self.actions)

    def manifest(self, **extra: JsonValue) -> Manifest:
        """The JSON form; `extra` is what stands beside the declaration in the folder (icon, fixtures)."""
        return Manifest.model_validate(
            {
                **self.model_dump(exclude={"config", "test", "actions"}),
                "config": _with_common(self.config.model_json_schema()),
                "test": self.test.name,
                "actions": [action.manifest() for action in self.all_actions()],
                **extra,
            }
        )


def _with_common(schema: dict[str, Any]) -> dict[str, Any]:
    # what a connector declares itself comes first, and wins
    return schema | {"properties": {**COMMON_CONFIG, **schema.get("properties", {})}}
