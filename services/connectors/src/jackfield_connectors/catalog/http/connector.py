"""Any HTTP API: requests to a base URL of your own; and webhooks signed in any of the common ways."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import ApiKey, Basic, Bearer, NoAuth
from jackfield_common.connector.declaration import Action, Config, Connector
from jackfield_common.connector.fields import secret
from jackfield_common.connector.manifest import Category
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Configured, Hmac
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_connectors.catalog.http.actions import ApiAnswer, ApiRequest, Check, call, check


class Settings(Config):
    """Which API, and how to know whether it answers."""

    base_url: str = Field(
        title="Base URL", pattern=r"^https?://[^\s{}]+$", examples=["https://api.example.com/v1"]
    )
    test_path: str = Field(
        default="/",
        title="Path for the connection test",
        pattern=r"^/",
        description="A GET of it has to succeed",
    )
    verification: dict[str, JsonValue] | None = Field(
        default=None,
        title="Webhook verification",
        description="Another scheme than HMAC-SHA256 in X-Signature, in the connectors' vocabulary",
    )


METHODS: dict[str, tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], Repeat]] = {
    "get": ("GET", Repeat.SAFE),
    "post": ("POST", Repeat.UNSAFE),
    "put": ("PUT", Repeat.SAFE),
    "patch": ("PATCH", Repeat.UNSAFE),
    "delete": ("DELETE", Repeat.SAFE),
}

connector = Connector(
    slug="http",
    title="HTTP",
    description="Any HTTP API with a base URL of your own, and signed webhooks from anywhere.",
    category=Category.PROTOCOL,
    docs="https://www.rfc-editor.org/rfc/rfc9110",
    version="1.0.0",
    auth=(
        NoAuth(),
        Bearer(),
        Basic(),
        ApiKey(name="X-API-Key", fields=(secret("api_key", "API key", "Sent as X-API-Key"),)),
    ),
    config=Settings,
    test=Action[Check, ApiAnswer](
        name="test_connection", input=Check, output=ApiAnswer, repeat=Repeat.SAFE, run=check
    ),
    actions=tuple(
        Action[ApiRequest, ApiAnswer](
            name=name,
            title=f"{method} request",
            input=ApiRequest,
            output=ApiAnswer,
            repeat=repeat,
            run=call(method),
            timeout=60,
        )
        for name, (method, repeat) in METHODS.items()
    ),
    webhook=Webhook(
        verify=Configured(default=Hmac(header="X-Signature", prefix="sha256=")),
        delivery_id="header:X-Delivery-Id",
        event_type="header:X-Event-Type",
        events={"*": EventMapping()},
        setup=(
            "Let your system POST JSON to {url}.",
            "Sign the raw body with HMAC-SHA256 and the secret that you enter here; send the result in"
            " hexadecimal as X-Signature: sha256=…",
            "Name the kind of event in X-Event-Type, and give each delivery an id of its own in"
            " X-Delivery-Id, so that repetitions are recognised.",
        ),
    ),
    popularity=60,
)
