"""How a vendor proves that a webhook is its own: a closed vocabulary, implemented once in the gateway.

Each scheme names the secret fields that its owner fills in at installation, and the headers that
carry proof or secrets and therefore never reach the bus.
"""

from typing import Annotated, Literal

from pydantic import Field

from jackfield_common.connector.fields import FormField, Model, secret

Algorithm = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]

_SECRET = (secret("webhook_secret", "Webhook secret"),)


class Window(Model):
    """Requests older or newer than `tolerance` seconds are refused.

    `timestamp` is a selector-like place: `header:NAME`, or `part:NAME` of a structured signature header.
    """

    timestamp: str
    tolerance: float = 300
    unit: Literal["s", "ms"] = "s"


class Hmac(Model):
    """HMAC (RFC 2104) over `content`, compared with the signature in `header`.

    `content` is a template: `{body}` is the raw body, `{header:NAME}` a header, `{part:NAME}` a part
    of a structured header, `{method}`, `{url}`, `{path}`, `{timestamp}`. With `parts` the header is
    structured as `k=v,k=v` and the signatures are the values of `parts` (Stripe's `v1`).
    """

    kind: Literal["hmac"] = "hmac"
    header: str
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""
    content: str = "{body}"
    parts: str | None = None
    separator: str = ","
    window: Window | None = None
    secret_encoding: Literal["utf-8", "base64", "hex"] = "utf-8"  # noqa: S105 - an encoding
    secret_prefix: str = ""
    fields: tuple[FormField, ...] = _SECRET


class StaticToken(Model):
    """A shared token, sent as it is in a header."""

    kind: Literal["token"] = "token"
    header: str
    prefix: str = ""
    fields: tuple[FormField, ...] = _SECRET


class BasicCredentials(Model):
    """User name and password (RFC 7617), as `user:password` in one secret."""

    kind: Literal["basic"] = "basic"
    fields: tuple[FormField, ...] = (
        secret("webhook_secret", "User name and password", "In the form user:password"),
    )


class StandardWebhooks(Model):
    """The Standard Webhooks specification 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

    `header_prefix` is `svix-` for Svix. Secrets start with `whsec_` and are base64 after it.
    """

    kind: Literal["standard_webhooks"] = "standard_webhooks"
    header_prefix: str = "webhook-"
    tolerance: float = 300
    fields: tuple[FormField, ...] = _SECRET


Verify = Annotated[
    Hmac | StaticToken | BasicCredentials | StandardWebhooks, Field(discriminator="kind")
]
