"""A connector as typed Python: what a folder of the catalogue declares, from which the manifest is made."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

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
from jackfield_common.connector.webhook import Webhook
from jackfield_common.events.action import Repeat

In = TypeVar("In", bound=Input)
Out = TypeVar("Out", bound=Output)

_PLACEHOLDER = re.compile(r"{(\w+)}")


class Action(BaseModel, Generic[In, Out]):
    """One thing a connector can do: an HTTP call as data, or a coroutine where data is not enough.

    With pages its output is the list of all items, bounded by the caller.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    title: str = ""
    input: type[In]
    output: type[Out]
    repeat: Repeat
    http: HttpCall | None = None
    run: Callable[[Any, In], Awaitable[Out]] | None = None
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
        if self.http is not None:
            named = (
                *_PLACEHOLDER.findall(self.http.path),
                *self.http.query,
                *self.http.headers,
                *((self.http.body_field,) if self.http.body_field else ()),
            )
            for field in named:
                if field not in known:
                    raise ValueError(
                        f"{self.name}: the call uses {field!r}, {self.input.__name__} has no such field"
                    )
        if self.ordering is not None and self.ordering not in known:
            raise ValueError(
                f"{self.name}: ordering {self.ordering!r} is no field of {self.input.__name__}"
            )
        if self.repeat is Repeat.KEYED and self.idempotency_header is None and self.run is None:
            raise ValueError(f"{self.name}: a keyed action names its idempotency_header")
        return self

    def manifest(self) -> ActionManifest:
        """The action as JSON."""
        return ActionManifest(
            name=self.name,
            title=self.title or self.name.replace("_", " ").capitalize(),
            description=(self.input.__doc__ or "").strip() if self.input is not NoInput else "",
            input=self.input.model_json_schema(),
            output=self.output.model_json_schema(),
            repeat=self.repeat,
            auth=self.auth,
            ordering=self.ordering,
            timeout=self.timeout,
            http=self.http,
            idempotency_header=self.idempotency_header,
            errors=self.errors,
        )


def _call(
    method: Method,
    repeat: Repeat,
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
        repeat=more.pop("repeat", repeat),
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
    """What of an installation is not secret; its JSON Schema draws the form."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
                "config": self.config.model_json_schema(),
                "test": self.test.name,
                "actions": [action.manifest() for action in self.all_actions()],
                **extra,
            }
        )
