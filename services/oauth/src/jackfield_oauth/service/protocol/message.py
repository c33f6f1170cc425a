"""An HTTP request and an answer to it, as the protocol sees them, without any web framework."""

import base64
import binascii
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

MAX_FORM_BYTES: Final = 64 * 1024
_MAX_FIELDS: Final = 100
_MAX_CLIENT_ID: Final = 200
_FORM: Final = "application/x-www-form-urlencoded"

Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `body` is JSON where it is a mapping."""

    status: int
    body: Mapping[str, object] | str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Identification:
    """Who a client says it is, and its proof."""

    method: Literal["client_secret_basic", "client_secret_post", "none"]
    client_id: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A request to an endpoint of the protocol. `parameters` has each name once (RFC 6749, 3.1, 3.2)."""

    uri: str
    parameters: Parameters
    method: str = "POST"
    authorization: str | None = field(default=None, repr=False)


def parameters_of(content_type: str, body: bytes) -> dict[str, str]:
    """The parameters of a form. Raises InvalidRequestError when it is malformed or one is repeated."""
    if content_type.split(";")[0].strip().lower() != _FORM:
        raise InvalidRequestError(description=f"The content type has to be {_FORM}.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise InvalidRequestError(description="The form is not well-formed.") from None
    return unique(pairs)


def unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; one without a value counts as omitted, none may come twice (RFC 6749, 3.1)."""
    counts = Counter(name for name, _ in pairs)
    if any(count > 1 for count in counts.values()):
        raise InvalidRequestError(description="A parameter is included more than once.")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise InvalidRequestError(description="A parameter holds a NUL character.")
    return {name: value for name, value in pairs if value}


def identify(message: Message) -> Identification:
    """Who sends this (RFC 6749, 2.3).

    Raises InvalidRequestError when several methods are used, InvalidClientError when none is.
    """
    posted_id = message.parameters.get("client_id", "")
    posted_secret = message.parameters.get("client_secret", "")
    if message.authorization is not None:
        client_id, secret = _basic(message.authorization)
        if posted_secret or posted_id not in ("", client_id):
            raise InvalidRequestError(
                description="The client authenticates in more than one way: use one."
            )
        return Identification("client_secret_basic", client_id, secret)
    if not _is_client_id(posted_id):
        raise unauthenticated()
    if posted_secret:
        return Identification("client_secret_post", posted_id, posted_secret)
    return Identification("none", posted_id)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise unauthenticated()
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise unauthenticated() from None
    client_id, colon, secret = text.partition(":")
    # Both parts are form-encoded first (RFC 6749, 2.3.1), so a plus is a space.
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if not colon or not secret or not _is_client_id(client_id):
        raise unauthenticated()
    return client_id, secret


def _is_client_id(text: str) -> bool:
    return 0 < len(text) <= _MAX_CLIENT_ID and text.isascii() and text.isprintable()


def unauthenticated() -> InvalidClientError:
    """The one answer to every failed client authentication: unknown and wrong look the same."""
    return InvalidClientError(
        description="The client is unknown, or its authentication failed.", status_code=401
    )
