"""A connector as JSON: what the bus carries, and what a tenant may submit."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import Auth
from jackfield_common.connector.error_map import On
from jackfield_common.connector.fields import HttpsUrl, Model
from jackfield_common.connector.limits import Limit
from jackfield_common.connector.pages import Pages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.webhook import Webhook
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

    Input fields named in `path` fill it: `{name}` percent-encoded whole, `{+name}` keeping slashes (RFC
    6570, 3.2.3). Those in `query` go to the query string, those in `headers` (input field → header name)
    to headers; the rest is the JSON body of a method that has one, else the query. A field that is
    absent or null is left out. `constants` stand beside the input's fields as though they were given;
    `rename` says what the vendor calls a field of the query or of the body.

    `body` is a template for bodies that nest: a string that is `{name}` alone becomes that field's value
    with its type, other strings are filled in; what names fields, and none of them is there, is left out.
    `body_field` sends one field alone as the whole body, with `encoding="raw"` as text of `content_type`.
    Form encoding nests with brackets (`metadata[key]`).

    `base_url` replaces the connector's, for the rare action at another host. `result_path` is where in
    the answer the output stands; an `answer` of `text` reads as `{"text": …}`, of `bytes` as
    `{"content_base64": …, "content_type": …}`.
    """

    method: Method
    path: str
    base_url: str | None = None
    query: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    constants: dict[str, JsonValue] = {}
    rename: dict[str, str] = {}
    encoding: Literal["json", "form", "raw"] = "json"
    content_type: str = ""
    body: dict[str, JsonValue] | None = None
    body_field: str | None = None
    answer: Literal["json", "text", "bytes"] = "json"
    result_path: str = ""
    pages: Pages | None = None


class ActionManifest(Model):
    """One thing a connector can do. Without `http` it is code of the connector's own.

    `http_by_auth` replaces `http` where the credential is of that kind. With pages the output is
    `{"items": […], "complete": bool}`, bounded by the reserved input field `limit`.
    """

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
    http_by_auth: dict[str, HttpCall] = {}
    idempotency_header: str | None = None
    errors: tuple[On, ...] = ()

    def call(self, auth: str) -> HttpCall | None:
        """The HTTP call under a credential of this kind."""
        return self.http_by_auth.get(auth, self.http)


class Step(Model):
    """A further request of an exchange and the answer to it."""

    request: dict[str, JsonValue]
    response: dict[str, JsonValue]


class Exchange(Model):
    """A request and the answer to it, recorded or taken from the vendor's documentation.

    `request` has `method`, `path` (relative to the base URL; below a secret URL empty), `query`,
    `headers` (those worth comparing) and `body` (JSON, or text); `response` has `status`, `headers` and
    `body`. `then` are the further pairs of an action that makes several calls. `auth` is the kind of
    credential, the connector's first when absent; `result` the output to expect.
    """

    action: Slug
    name: str
    input: dict[str, JsonValue]
    request: dict[str, JsonValue]
    response: dict[str, JsonValue]
    then: tuple[Step, ...] = ()
    auth: str | None = None
    config: dict[str, JsonValue] = {}
    result: JsonValue = None
    source: str


class WebhookSample(Model):
    """A webhook request of the vendor with its headers; `secret` is what it is to be signed with.

    The signature is computed when the sample is sent, since a recorded one ages.
    """

    name: str
    headers: dict[str, str]
    body: str
    secret: str = ""
    event_type: str
    source: str


class Manifest(Model):
    """All that other services know of a connector.

    `error_message` are dotted paths of an error answer's body where the vendor explains itself, the
    first that is there. `config` is the schema of an installation's settings, the common ones included.
    """

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
    error_message: tuple[str, ...] = ()
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
