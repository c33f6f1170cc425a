"""What a vendor's token endpoint answers (RFC 6749, 5), and what of it is kept."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast
from urllib.parse import parse_qsl

from jackfield_oauth.service.fields import Fields

WORKER_SEES_NOT: Final = frozenset({"client_secret", "refresh_token"})
"""What of an OAuth credential stays in the vault: workers need the access token alone."""

_MARGIN: Final = timedelta(minutes=5)
_SHARE: Final = 0.1
_JITTER: Final = 0.05
_MAX_LIFETIME: Final = 10 * 365 * 86_400


class Refused(Exception):
    """The vendor's answer is an error. `error` is its code, `detail` its description."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(f"{error}: {detail}" if detail else error)
        self.error = error
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Granted:
    """Tokens. `expires_in` is in seconds, None where nobody said."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750
    expires_in: int | None = None
    scope: str | None = None

    def merged(self, fields: Fields, time: datetime) -> Fields:
        """The credential's fields with these tokens in them; a refresh token not renewed stays good."""
        merged: Fields = {
            **fields,
            "access_token": self.access_token,
            "token_type": self.token_type,
        }
        if self.refresh_token is not None:
            merged["refresh_token"] = self.refresh_token
        if self.scope is not None:
            merged["scope"] = self.scope
        merged.pop("expires_at", None)
        if self.expires_in is not None:
            over = time + timedelta(seconds=self.expires_in)
            merged["expires_at"] = over.isoformat(timespec="seconds")
        return merged

    def refresh_at(self, time: datetime) -> datetime | None:
        """When to renew: a margin and a random bit before the end, so that not all come at once."""
        if self.expires_in is None:
            return None
        lifetime = timedelta(seconds=self.expires_in)
        margin = min(_MARGIN, lifetime * _SHARE)
        jitter = lifetime * _JITTER * random.random()  # noqa: S311 - spreads load, guards nothing
        return time + max(lifetime - margin - min(jitter, _MARGIN), lifetime / 2)


def read(status: int, content_type: str, body: bytes, default_lifetime: int | None) -> Granted:
    """Read an answer in JSON or as a form. Raises Refused for an error, also under a 200."""
    document = _document(content_type, body)
    error = document.get("error")
    token = document.get("access_token")
    if error or status >= 400 or not isinstance(token, str) or not token:
        code = error if isinstance(error, str) and error else f"http_{status}"
        detail = document.get("error_description") or document.get("error_uri") or ""
        raise Refused(_printable(code, 64), _printable(str(detail), 300))
    return Granted(
        access_token=token,
        refresh_token=_text(document.get("refresh_token")),
        token_type=_text(document.get("token_type")) or "Bearer",
        expires_in=_seconds(document.get("expires_in")) or default_lifetime,
        scope=_text(document.get("scope")),
    )


def _document(content_type: str, body: bytes) -> Mapping[str, object]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {}
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        # Some vendors answer with a form whatever they are asked for.
        if "html" in content_type or "=" not in text:
            return {}
        return dict(parse_qsl(text, max_num_fields=50))
    return cast(dict[str, object], document) if isinstance(document, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> int | None:
    try:
        seconds = int(cast(str, value)) if isinstance(value, int | str) else 0
    except ValueError:
        return None
    return seconds if 0 < seconds <= _MAX_LIFETIME else None


def _printable(text: str, limit: int) -> str:
    return "".join(one if one.isprintable() else " " for one in text[:limit])
