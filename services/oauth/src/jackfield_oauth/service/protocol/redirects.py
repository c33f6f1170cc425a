"""Redirect addresses: which may be registered, and when one is the other (RFC 9700, 2.1; RFC 8252)."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_PRIVATE_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+$")
_MAX: Final = 2000
_NEVER: Final = frozenset({"javascript", "data", "file", "vbscript", "blob", "about"})


def problem_with(redirect_uri: str) -> str | None:
    """Why this cannot be registered; None when it can."""
    if len(redirect_uri) > _MAX or not redirect_uri.isascii() or not redirect_uri.isprintable():
        return "a redirect address is printable ASCII of at most 2000 characters"
    if any(one in redirect_uri for one in " <>\"'\\"):
        return "a redirect address holds no spaces, quotes, brackets or backslashes"
    try:
        parts = urlsplit(redirect_uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "a redirect address is a URL"
    if "#" in redirect_uri:
        return "a redirect address has no fragment (RFC 6749, 3.1.2)"
    if parts.username is not None or parts.password is not None:
        return "a redirect address holds no user name"
    if parts.scheme == "https":
        return None if host else "a redirect address names a host"
    if parts.scheme == "http":
        return None if _is_loopback(parts) else "http is for loopback addresses alone: use https"
    if parts.scheme in _NEVER or not _PRIVATE_SCHEME.match(parts.scheme):
        return "a scheme of one's own is a domain name reversed: com.example.app (RFC 8252, 7.1)"
    return None


def matches(given: str, registered: str) -> bool:
    """Whether they are the same: character by character; on loopback by IP any port (RFC 8252, 7.3)."""
    if given == registered:
        return True
    try:
        one, other = urlsplit(given), urlsplit(registered)
        _ = one.port, other.port
    except ValueError:
        return False
    if not (one.scheme == other.scheme == "http" and _is_loopback_address(other.hostname)):
        return False
    return (
        one.hostname == other.hostname
        and one.username is one.password is None
        and "#" not in given
        and "\\" not in given
        and (one.path, one.query) == (other.path, other.query)
    )


def _is_loopback(parts: SplitResult) -> bool:
    return parts.hostname == "localhost" or _is_loopback_address(parts.hostname)


def _is_loopback_address(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
