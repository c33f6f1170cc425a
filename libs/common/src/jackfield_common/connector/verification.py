"""How a vendor proves that a webhook is its own: a closed vocabulary, implemented once in the gateway.

Each scheme names the fields that its owner fills in at installation (`fields`); the header, the query
parameter or the body field that carries the proof never reaches the bus. A *place* says where in the
request a value stands, a *template* what bytes are signed.
"""

import re
from typing import Annotated, Final, Literal, Self, cast

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from jackfield_common.connector.fields import FormField, HttpsUrl, Model, secret, text

Algorithm = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]
KeyEncoding = Literal["utf-8", "base64", "hex"]

_PLACE: Final = re.compile(r"^(?:header|query|body|part):[A-Za-z0-9_.@$*-]+$")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_NAMED: Final = frozenset({"body", "method", "url", "decoded_url", "path", "timestamp", "secret"})


def _place(value: str) -> str:
    if not _PLACE.match(value):
        raise ValueError(f"{value!r}: expected header:NAME, query:NAME, body:PATH or part:NAME")
    return value


TemplatePart = tuple[Literal["literal", "value"], str]


def template_parts(template: str) -> tuple[TemplatePart, ...]:
    """A template taken apart: literal text, and what stands between braces."""
    terms: list[TemplatePart] = []
    position = 0
    for match in _PLACEHOLDER.finditer(template):
        if match.start() > position:
            terms.append(("literal", template[position : match.start()]))
        terms.append(("value", match[1]))
        position = match.end()
    if position < len(template):
        terms.append(("literal", template[position:]))
    return tuple(terms)


def template_terms(template: str) -> tuple[TemplatePart, ...]:
    """The parts of a template of signed content.

    Raises ValueError for a placeholder that is neither a place nor one of `body`, `method`, `url`,
    `decoded_url`, `path`, `timestamp`, `secret`.
    """
    terms = template_parts(template)
    for kind, name in terms:
        if kind == "value" and name not in _NAMED and not _PLACE.match(name):
            raise ValueError(f"template {template!r}: {{{name}}} means nothing")
    return terms


def _template(value: str) -> str:
    template_terms(value)
    return value


Place = Annotated[str, AfterValidator(_place)]
"""Where a value stands: `header:NAME`, `query:NAME`, `body:PATH` (JSON, or a form's field; `*` stands
for every item of a list), `part:NAME` of a structured signature header."""

Template = Annotated[str, AfterValidator(_template)]
"""What is signed: `{body}` is the raw body, `{method}`, `{url}` the public address with its query,
`{decoded_url}` the same with its percent-encoding undone, `{path}`, `{timestamp}` the window's
timestamp as sent, `{secret}`, or any place in braces; the rest is literal."""

_SECRET: Final = (secret("webhook_secret", "Webhook secret"),)


class Window(Model):
    """Requests older or newer than `tolerance` seconds are refused."""

    timestamp: Place
    tolerance: float = Field(default=300, gt=0)
    unit: Literal["s", "ms"] = "s"


class Signed(Model):
    """What schemes with a signature over a template share. The signature stands in `header` or `place`.

    With `parts` the header is structured as `k=v`, separated by `separator`, and the signatures are
    the values of `parts` (Stripe's `v1`); one that holds is enough.
    """

    header: str | None = None
    place: Place | None = None
    encoding: Encoding = "hex"
    prefix: str = ""
    content: Template = "{body}"
    parts: str | None = None
    separator: str = ","
    window: Window | None = None

    @model_validator(mode="after")
    def _stands_in_one_place(self) -> Self:
        if (self.header is None) == (self.place is None):
            raise ValueError("a signature stands in `header` or in `place`: give one of them")
        if self.parts is not None and self.header is None:
            raise ValueError("only a header can have parts")
        return self

    @model_validator(mode="after")
    def _signs_its_timestamp(self) -> Self:
        if self.window is not None:
            place = self.window.timestamp
            signed = {name for kind, name in template_terms(self.content) if kind == "value"}
            within_body = place.startswith("body:") and "body" in signed
            if place not in signed and "timestamp" not in signed and not within_body:
                raise ValueError(
                    f"the timestamp {place} is not in the signed content: it is no proof"
                )
        return self

    def signature_place(self) -> str:
        """The place of the signature."""
        return self.place if self.place is not None else f"header:{self.header}"


class Hmac(Signed):
    """HMAC (RFC 2104) over `content`, compared with the signature in constant time."""

    kind: Literal["hmac"] = "hmac"
    algorithm: Algorithm = "sha256"
    secret_encoding: KeyEncoding = "utf-8"  # noqa: S105 - an encoding
    secret_prefix: str = ""
    fields: tuple[FormField, ...] = _SECRET


class SecretHash(Signed):
    """A plain hash over `content`, which includes `{secret}`: what some vendors had before HMAC."""

    kind: Literal["hash"] = "hash"
    algorithm: Algorithm = "sha256"
    fields: tuple[FormField, ...] = _SECRET

    @model_validator(mode="after")
    def _holds_the_secret(self) -> Self:
        if "{secret}" not in self.content:
            raise ValueError("a hash without {secret} in its content proves nothing")
        return self


_PUBLIC_KEY: Final = (text("public_key", "Public key", "As the vendor shows it"),)


class Ed25519(Signed):
    """Ed25519 (RFC 8032) over `content`, with the vendor's public key, 32 bytes in `key_encoding`."""

    kind: Literal["ed25519"] = "ed25519"
    key_encoding: Encoding = "hex"
    fields: tuple[FormField, ...] = _PUBLIC_KEY


class Ecdsa(Signed):
    """ECDSA on P-256 with SHA-256 (FIPS 186-5) over `content`; the signature is DER, in `encoding`.

    The public key is a SubjectPublicKeyInfo, as PEM or as base64 of its DER form.
    """

    kind: Literal["ecdsa"] = "ecdsa"
    encoding: Encoding = "base64"
    fields: tuple[FormField, ...] = _PUBLIC_KEY


class TwilioForm(Model):
    """Twilio's request signature: base64 of HMAC-SHA1 over the address and the sorted form fields.

    A body that is not a form is covered by the `bodySHA256` parameter of the address. The address is
    tried with and without the default port, as Twilio's own libraries do.
    """

    kind: Literal["twilio"] = "twilio"
    header: str = "X-Twilio-Signature"
    fields: tuple[FormField, ...] = (secret("webhook_secret", "Auth token"),)


class SnsCertificate(Model):
    """Amazon SNS: RSA (PKCS #1 v1.5; SHA-1 for version 1, SHA-256 for 2) by the certificate the message
    names, which must come from an SNS host over https.

    Anyone with an account can sign that way, so the topic's ARN is what decides.
    """

    kind: Literal["sns"] = "sns"
    tolerance: float = Field(default=3600, gt=0)
    fields: tuple[FormField, ...] = (
        text("topic_arn", "Topic ARN", pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+$"),
    )


class Jwt(Model):
    """A JSON Web Token (RFC 7519) in `place`, checked with the keys of `jwks_url`, or with a shared secret.

    `issuer`, `exp` and `audience` are always checked; `claims` maps further claims to the fields whose
    values they must equal. With `jwks_field` the address of the keys is a field of its own. With
    `audience_is_url` the public address of the webhook is the audience.
    """

    kind: Literal["jwt"] = "jwt"
    place: Place = "header:Authorization"
    prefix: str = "Bearer "
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS256"], ...
    ] = Field(default=("RS256", "ES256"), min_length=1)
    jwks_url: HttpsUrl | None = None
    jwks_field: str | None = None
    issuers: tuple[str, ...] = ()
    issuer_field: str | None = None
    audience_field: str | None = "audience"
    audience_is_url: bool = False
    claims: dict[str, str] = {}
    leeway: float = Field(default=60, ge=0, le=600)
    fields: tuple[FormField, ...] = (text("audience", "Audience"),)

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        shared = self.algorithms == ("HS256",)
        if "HS256" in self.algorithms and not shared:
            raise ValueError(
                "HS256 cannot be mixed with public keys: one would be used as the other"
            )
        if not shared and (self.jwks_url is None) == (self.jwks_field is None):
            raise ValueError(
                "give the keys' address as `jwks_url` or name its field in `jwks_field`"
            )
        if shared and not any(field.name == "webhook_secret" for field in self.fields):
            raise ValueError("HS256 needs a field `webhook_secret`")
        return self


class StaticToken(Model):
    """A shared token, sent as it is. In a body it is removed before the body goes on the bus."""

    kind: Literal["token"] = "token"
    header: str | None = None
    place: Place | None = None
    prefix: str = ""
    fields: tuple[FormField, ...] = _SECRET

    @model_validator(mode="after")
    def _stands_in_one_place(self) -> Self:
        if (self.header is None) == (self.place is None):
            raise ValueError("a token stands in `header` or in `place`: give one of them")
        return self

    def token_place(self) -> str:
        """The place of the token."""
        return self.place if self.place is not None else f"header:{self.header}"


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
    tolerance: float = Field(default=300, gt=0)
    fields: tuple[FormField, ...] = _SECRET


class ClientCertificate(Model):
    """mTLS, ended at a trusted proxy that forwards the certificate as URL-encoded PEM in `header`.

    The field holds the SHA-256 fingerprint of the certificate, or the PEM of the authority that
    issued it. Accepted only from an address in the operator's trusted proxies.
    """

    kind: Literal["client_certificate"] = "client_certificate"
    header: str = "X-SSL-Client-Cert"
    fields: tuple[FormField, ...] = (
        text("client_certificate", "SHA-256 fingerprint, or the authority's certificate as PEM"),
    )


class Addresses(Model):
    """The sender's network is all the proof there is: `networks` (CIDR) of the vendor, else the field's."""

    kind: Literal["addresses"] = "addresses"
    networks: tuple[str, ...] = ()
    fields: tuple[FormField, ...] = (
        text("networks", "Networks", "CIDR, separated by commas", required=False),
    )


Simple = (
    Hmac
    | SecretHash
    | Ed25519
    | Ecdsa
    | TwilioForm
    | SnsCertificate
    | Jwt
    | StaticToken
    | BasicCredentials
    | StandardWebhooks
    | ClientCertificate
    | Addresses
)
SimpleVerify = Annotated[Simple, Field(discriminator="kind")]
"""A scheme that is one proof by itself."""


_SCHEMES: Final = TypeAdapter(dict[str, SimpleVerify])


class Choice(Model):
    """Several schemes, of which the installation's `config` field chooses one; nothing falls back."""

    kind: Literal["choice"] = "choice"
    config: str
    default: str
    of: dict[str, SimpleVerify] = Field(min_length=1)
    fields: tuple[FormField, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fields_of_all(cls, data: object) -> object:
        # a plain field, because readers of the manifest look for `fields` on every scheme
        if not isinstance(data, dict) or "fields" in data or "of" not in data:
            return cast(object, data)
        given = cast(dict[str, object], data)
        of = _SCHEMES.validate_python(given["of"])
        merged: dict[str, FormField] = {}
        for scheme in of.values():
            for field in scheme.fields:
                merged.setdefault(field.name, field.model_copy(update={"required": False}))
        return {**given, "of": of, "fields": tuple(merged.values())}

    @model_validator(mode="after")
    def _default_exists(self) -> Self:
        if self.default not in self.of:
            raise ValueError(f"the default {self.default!r} is none of {', '.join(self.of)}")
        return self


class Configured(Model):
    """The installation's `config` field holds the scheme itself, in this vocabulary."""

    kind: Literal["configured"] = "configured"
    config: str = "verification"
    default: SimpleVerify
    fields: tuple[FormField, ...] = (
        secret("webhook_secret", "Webhook secret", required=False),
        text("public_key", "Public key", required=False),
        text("audience", "Audience", required=False),
        text("client_certificate", "Client certificate", required=False),
        text("networks", "Networks", required=False),
    )


Verify = Annotated[Simple | Choice | Configured, Field(discriminator="kind")]
"""What a vendor's webhooks look like."""
