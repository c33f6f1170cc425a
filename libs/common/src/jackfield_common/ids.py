"""Identifiers, as types: mixing two of them up is a type error."""

import base64
import re
import secrets
from typing import Annotated, Final, NewType
from uuid import UUID, uuid5

from pydantic import StringConstraints

TENANT_PATTERN: Final = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
_TENANT = re.compile(TENANT_PATTERN)

TenantId = NewType("TenantId", str)
IntegrationId = NewType("IntegrationId", str)
SubscriptionId = NewType("SubscriptionId", str)
EventId = NewType("EventId", str)
ActionId = NewType("ActionId", str)

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""The name of a connector, an action or a template: a folder or function name."""

DEFAULT_TENANT: Final = TenantId("default")

_DERIVED: Final = UUID("6a61636b-6669-556c-a400-646572697665")


def new_id() -> str:
    """An unguessable id of 128 random bits, 26 characters of lowercase base32 (RFC 4648, 6)."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


def derived_id(*cause: str) -> str:
    """The id of an effect, from its causes: the same causes give the same id, so copies collapse."""
    return str(uuid5(_DERIVED, "\x1f".join(cause)))


def tenant_id(text: str) -> TenantId:
    """Check that `text` can stand in a topic's name as a tenant. Raises ValueError."""
    if not _TENANT.fullmatch(text):
        raise ValueError(
            f"{text!r} is no tenant id: use 1 to 63 lowercase letters, digits and inner hyphens"
        )
    return TenantId(text)
