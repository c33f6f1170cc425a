"""The ways to sign in at a vendor. Each says which credential fields a person fills in."""

from typing import Annotated, Literal

from pydantic import Field

from jackfield_common.connector.fields import FormField, HttpsUrl, Model, secret, text


class NoAuth(Model):
    """Nothing to sign in with."""

    kind: Literal["none"] = "none"
    fields: tuple[FormField, ...] = ()


class Bearer(Model):
    """`Authorization: Bearer <token>` (RFC 6750, 2.1); `prefix` where a vendor wants another word."""

    kind: Literal["bearer"] = "bearer"
    prefix: str = "Bearer"
    fields: tuple[FormField, ...] = (secret("token", "Token"),)


class ApiKey(Model):
    """A fixed key in a header, in the query, or in place of `{name}` in the base URL (`path`)."""

    kind: Literal["api_key"] = "api_key"
    place: Literal["header", "query", "path"] = "header"
    name: str
    prefix: str = ""
    fields: tuple[FormField, ...] = (secret("api_key", "API key"),)


class KeyHeaders(Model):
    """Several fixed keys, each in a header of its own: header name → credential field."""

    kind: Literal["key_headers"] = "key_headers"
    headers: dict[str, str] = Field(min_length=1)
    fields: tuple[FormField, ...]


class Basic(Model):
    """User name and password (RFC 7617): the first and the second of `fields`, whatever they are called.

    With one field alone the password is empty, as where a secret key is sent as the user name.
    """

    kind: Literal["basic"] = "basic"
    fields: tuple[FormField, ...] = (text("username", "User name"), secret("password", "Password"))


class SecretUrl(Model):
    """The address itself is the secret, as with Slack's incoming webhooks.

    It replaces the base URL; `hosts` says where it may lead (a leading dot matches subdomains),
    empty means anywhere the operator's network rules allow. Where it is more than an address, `path` says
    what is made of its path (`{path}`), and `headers` what carries its user name (`{user}`), which never
    stays in the address.
    """

    kind: Literal["secret_url"] = "secret_url"
    hosts: tuple[str, ...] = ()
    path: str = "{path}"
    headers: dict[str, str] = {}
    fields: tuple[FormField, ...] = (secret("webhook_url", "Webhook URL"),)


class OAuth2(Model):
    """Authorization code (RFC 6749, 4.1) with PKCE (RFC 7636) unless the vendor lacks it.

    `scopes` are asked for, each with what it opens. The rest says where a vendor differs: how scopes are
    separated, what else its authorization URL wants, how it wants the client and the form at its token
    endpoint. `access_token_seconds` is how long a token lives where the answer does not say; `issuer`,
    where the vendor sends it, is compared (RFC 9207). Without people, `grant` is `client_credentials`.
    """

    kind: Literal["oauth2"] = "oauth2"
    authorize_url: HttpsUrl
    token_url: HttpsUrl
    scopes: dict[str, str]
    pkce: bool = True
    prefix: str = "Bearer"
    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    scope_separator: str = " "
    authorize_params: dict[str, str] = {}
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_post"
    token_encoding: Literal["form", "json"] = "form"  # noqa: S105 - an encoding
    access_token_seconds: int | None = Field(default=None, gt=0)
    issuer: str | None = None
    fields: tuple[FormField, ...] = (
        text("client_id", "Client id"),
        secret("client_secret", "Client secret"),
        secret("access_token", "Access token", required=False),
        secret("refresh_token", "Refresh token", required=False),
    )


Auth = Annotated[
    NoAuth | Bearer | ApiKey | KeyHeaders | Basic | SecretUrl | OAuth2, Field(discriminator="kind")
]
