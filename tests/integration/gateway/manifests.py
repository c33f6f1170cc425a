"""Connectors made for the tests."""

from jackfield_common.connector.auth import Bearer, NoAuth, OAuth2, SecretUrl
from jackfield_common.connector.declaration import (
    Config,
    Connector,
    get,
    post,
)
from jackfield_common.connector.fields import Input, NoInput, Output
from jackfield_common.connector.manifest import Category, Manifest, TemplateManifest
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import Webhook


class Ok(Output):
    ok: bool = True


class Message(Input):
    """Send a message."""

    text: str
    channel: str = "general"


class ChatConfig(Config):
    channel: str = "general"
    server_url: str | None = None


CHAT: Manifest = Connector(
    slug="chat",
    title="Chat",
    description="Messages for people.",
    category=Category.COMMUNICATION,
    docs="https://chat.example.com/docs",
    version="1.0.0",
    base_url="https://chat.example.com/api",
    auth=(SecretUrl(hosts=("hooks.chat.example.com",)), Bearer()),
    config=ChatConfig,
    test=get("test_connection", "/me", NoInput, returns=Ok),
    actions=(
        post("send_message", "/messages", Message, returns=Ok, ordering="channel"),
        post("archive", "/archive", NoInput, returns=Ok, auth=("bearer",)),
    ),
    templates=(
        TemplateManifest(
            name="chat_alerts",
            title="Chat alerts",
            default_config={"channel": "alerts"},
            required_fields=("server_url",),
            auth="bearer",
        ),
    ),
    popularity=50,
).manifest()

FORGE: Manifest = Connector(
    slug="forge",
    title="Forge",
    description="Source code and reviews.",
    category=Category.SOURCE_CONTROL,
    docs="https://forge.example.com/docs",
    version="2.1.0",
    base_url="https://forge.example.com/api",
    auth=(Bearer(),),
    test=get("test_connection", "/user", NoInput, returns=Ok),
    webhook=Webhook(
        verify=Hmac(header="X-Forge-Signature", prefix="sha256="),
        delivery_id="header:X-Forge-Delivery",
        event_type="header:X-Forge-Event",
        setup=("Open the repository's settings.", "Enter {url} as the payload address."),
    ),
    popularity=90,
).manifest()

CLOCK: Manifest = Connector(
    slug="clock",
    title="Clock",
    description="Tells the time.",
    category=Category.CUSTOM,
    docs="https://clock.example.com/docs",
    version="1.0.0",
    base_url="https://clock.example.com",
    auth=(NoAuth(),),
    test=get("test_connection", "/now", NoInput, returns=Ok),
).manifest()

CALENDAR: Manifest = Connector(
    slug="calendar",
    title="Calendar",
    description="Appointments.",
    category=Category.PRODUCTIVITY,
    docs="https://calendar.example.com/docs",
    version="1.0.0",
    base_url="https://calendar.example.com",
    auth=(
        OAuth2(
            authorize_url="https://calendar.example.com/authorize",
            token_url="https://calendar.example.com/token",
            scopes={"read": "Read appointments"},
        ),
    ),
    test=get("test_connection", "/me", NoInput, returns=Ok),
).manifest()

ALL = (CHAT, FORGE, CLOCK, CALENDAR)
