"""Every knob of the oauth service, read from the environment with the prefix `JACKFIELD_`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from jackfield_common.settings import Settings


class OauthSettings(Settings):
    """The settings of the oauth service."""

    oauth_host: str = "127.0.0.1"
    """Address that the authorization server listens on."""
    oauth_port: int = Field(default=8081, ge=0, le=65535)
    """Its port; 0 picks a free one."""
    issuer: str = "http://127.0.0.1:8081"
    """The issuer identifier (RFC 8414, 2) as clients see it: https, unless on loopback; no path."""
    audience: str = "urn:jackfield:api"
    """What access tokens are for unless a client asks for something else (RFC 9068, 2.2 `aud`)."""
    access_token_seconds: int = Field(default=900, ge=30, le=86_400)
    """How long an access token lives."""
    signing_algorithm: Literal["ES256", "Ed25519"] = "ES256"
    """With what new signing keys sign (RFC 7518, 3.4; RFC 9864, 2.2)."""
    signing_key_days: float = Field(default=30, gt=0)
    """After how many days a new signing key takes over."""
    signing_key_notice_seconds: float = Field(default=300, ge=0)
    """How long a new key is published before anything is signed with it."""
    oauth_client_file: Path | None = None
    """JSON file `{client_id, client_secret}` of a client for local use. Absent, it is made at start with
    mode 0600; present, the client in it is made to exist."""

    oauth_first_link_file: Path | None = None
    """Where the link for the first administrator is written, with mode 0600, while there is no user."""

    @field_validator("issuer")
    @classmethod
    def _issuer_is_an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.query or parts.fragment or parts.path not in ("", "/") or not parts.hostname:
            raise ValueError("the issuer is scheme, host and port alone: https://auth.example.com")
        if parts.scheme != "https" and not (
            parts.scheme == "http" and _is_loopback(parts.hostname)
        ):
            raise ValueError("the issuer has to be https, unless it is on loopback (RFC 8414, 2)")
        return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
