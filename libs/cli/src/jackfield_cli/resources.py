"""What the API answers, as far as the command reads it. `raw` is the whole answer."""

from datetime import datetime
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator


class Resource(BaseModel):
    """An answer, or a part of one. Fields that a newer API adds stand in `raw` alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    raw: JsonValue = None

    @model_validator(mode="before")
    @classmethod
    def _keep_raw(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        fields = cast(dict[str, object], data)
        return {**fields, "raw": fields}


T = TypeVar("T", bound=Resource)


class Page(Resource, Generic[T]):
    """Some items of a list, and where the next ones begin."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class Template(Resource):
    """Something that can be installed."""

    template_name: str
    title: str
    description: str
    category: str
    level: str
    actions: int
    receives_webhooks: bool


class Action(Resource):
    """An action of a template."""

    name: str
    title: str
    description: str


class Field(Resource):
    """A field that a person fills in."""

    name: str
    title: str
    type: str
    required: bool = True
    description: str = ""
    used_for: str = ""


class SignIn(Resource):
    """One way to sign in."""

    kind: str
    fields: tuple[Field, ...]


class Webhook(Resource):
    """What a template receives."""

    verification: str
    fields: tuple[Field, ...]
    events: tuple[str, ...]


class TemplateDetail(Template):
    """Everything about one template."""

    required_fields: tuple[str, ...]
    sign_in: tuple[SignIn, ...]
    action_list: tuple[Action, ...]
    webhook: Webhook | None = None


class Installed(Resource):
    """An installed integration."""

    integration_id: str
    template_name: str
    title: str
    name: str
    enabled: bool
    auth: str | None = None
    credential_status: str
    credential_message: str
    webhook_url: str | None = None
    webhook_secret_configured: bool
    setup_steps: tuple[str, ...]
    missing_fields: tuple[Field, ...]
    warnings: tuple[str, ...]
    health: str


class Health(Resource):
    """How an integration does."""

    integration_id: str
    status: str
    authentication_status: str
    response_time_ms: float | None = None
    last_check: datetime | None = None
    error: str | None = None
    message: str


class ActionResult(Resource):
    """What came of an action."""

    action_id: str
    action: str
    status: str
    success: bool | None = None
    message: str = ""
    data: JsonValue = None
    error: str | None = None
    attempts: int | None = None
    duration_ms: float | None = None


class Target(Resource):
    """What a route leads to."""

    integration_id: str
    action: str


class Route(Resource):
    """A route."""

    subscription_id: str
    name: str
    source: str | None = None
    events: tuple[str, ...]
    condition: str | None = None
    target: Target
    enabled: bool


class Event(Resource):
    """What became of an event."""

    event_id: str
    integration_id: str
    status: str
    event_type: str | None = None
    matched: tuple[str, ...]
    actions: tuple[str, ...]
    reason: str | None = None


class Check(Resource):
    """One check of a certification run."""

    suite: str
    name: str
    outcome: str
    message: str
    against: str


class Report(Resource):
    """The report of a certification run."""

    complete: bool
    score: float
    level: str
    checks: tuple[Check, ...]
    message: str = ""


class CertificationRun(Resource):
    """A certification run."""

    run_id: str
    connector: str
    status: str
    report: Report | None = None
