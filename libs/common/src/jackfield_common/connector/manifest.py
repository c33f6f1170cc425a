"""A connector as JSON: what the bus carries, and what a tenant may submit."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import Auth
from jackfield_common.connector.error_map import On
from jackfield_common.connector.fields import HttpsUrl, Model
from jackfield_common.connector.limits import Limit
from jackfield_common.connector.pages import Pages
from jackfield_common.connector.webhook import Webhook
from jackfield_common.events.action import Repeat
from jackfield_common.ids import Slug


class Category(StrEnum):
    """Where the marketplace shelves a connector."""

    COMMUNICATION = "communication"
    EMAIL = "email"
    VIDEO = "video"
    PRODUCTIVITY = "productivity"
    SOURCE_CONTROL = "source_control"
    PROJECT_TRACKING = "project_tracking"
    CI_CD = "ci_cd"
    MONITORING = "monitoring"
    SECURITY = "security"
    BUSINESS = "business"
    STORAGE = "storage"
    ANALYTICS = "analytics"
    AI = "ai"
    CLOUD = "cloud"
    INFRASTRUCTURE = "infrastructure"
    DATABASE = "database"
    FILES = "files"
    PROTOCOL = "protocol"
    STREAM = "stream"
    CUSTOM = "custom"


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
JsonSchema = dict[str, JsonValue]


class HttpCall(Model):
    """An action as an HTTP request: fields of the input go where they are named.

    Input fields named in `path` fill it, those in `query` go to the query string, those in `headers`
    (input field → header name) to headers; the rest is the JSON body of a method that has one, else
    the query. `body_field` sends one field alone as the whole body. `result_path` is where in the
    answer the output stands.
    """

    method: Method
    path: str
    query: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    encoding: Literal["json", "form"] = "json"
    body_field: str | None = None
    result_path: str = ""
    pages: Pages | None = None


class ActionManifest(Model):
    """One thing a connector can do. Without `http` it is code of the connector's own."""

    name: Slug
    title: str
    description: str = ""
    input: JsonSchema
    output: JsonSchema
    repeat: Repeat
    auth: tuple[str, ...] = ()
    ordering: str | None = None
    timeout: float = Field(default=30, gt=0, le=900)
    http: HttpCall | None = None
    idempotency_header: str | None = None
    errors: tuple[On, ...] = ()


class Exchange(Model):
    """A request and the answer to it, recorded or taken from the vendor's documentation."""

    action: Slug
    name: str
    input: dict[str, JsonValue]
    request: dict[str, JsonValue]
    response: dict[str, JsonValue]
    source: str


class WebhookSample(Model):
    """A webhook request of the vendor with its headers; `secret` is what it was signed with."""

    name: str
    headers: dict[str, str]
    body: str
    secret: str = ""
    event_type: str
    source: str


class Manifest(Model):
    """All that other services know of a connector."""

    slug: Slug
    title: str
    description: str
    category: Category
    docs: HttpsUrl
    version: str
    base_url: str | None = None
    auth: tuple[Auth, ...] = Field(min_length=1)
    config: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}
    headers: dict[str, str] = {}
    limits: tuple[Limit, ...] = ()
    errors: tuple[On, ...] = ()
    test: Slug
    actions: tuple[ActionManifest, ...]
    webhook: Webhook | None = None
    templates: tuple["TemplateManifest", ...] = ()
    popularity: int = Field(default=0, ge=0)
    icon: str = ""
    readme: str = ""
    exchanges: tuple[Exchange, ...] = ()
    samples: tuple[WebhookSample, ...] = ()

    def action(self, name: str) -> ActionManifest | None:
        """The action with this name."""
        return next((action for action in self.actions if action.name == name), None)


class TemplateManifest(Model):
    """A preset of a connector: a name to install by, defaults, and which fields must be given."""

    name: Slug
    title: str
    description: str = ""
    default_config: dict[str, JsonValue] = {}
    required_fields: tuple[str, ...] = ()
    auth: str | None = None
