"""Cursors: where the next page of a list begins, opaque to its reader."""

import base64
import binascii
import json
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from jackfield_gateway.models.problem import Invalid, invalid

Place = list[str | int]


def encode_cursor(place: Place) -> str:
    """A cursor for a place in a list: base64url (RFC 4648, 5) of JSON."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Place:
    """The place. Raises Invalid for what this API did not hand out."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place: JsonValue = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise _unknown() from None
    if not isinstance(place, list) or not all(
        isinstance(part, str | int) and not isinstance(part, bool) for part in place
    ):
        raise _unknown()
    return cast(Place, place)


def time_cursor(at: datetime, key: str) -> str:
    """A cursor into a list in the order of time and id."""
    return encode_cursor([at.isoformat(), key])


def read_time_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """The time and id that a page begins behind; None for the first page. Raises Invalid."""
    if cursor is None:
        return None
    match decode_cursor(cursor):
        case [str(text), str(key)] if key.isascii() and key.isprintable():
            try:
                at = datetime.fromisoformat(text)
            except ValueError:
                raise _unknown() from None
            if at.tzinfo is None:
                raise _unknown()
            return at, key
        case _:
            raise _unknown()


def _unknown() -> Invalid:
    return invalid("cursor", "not a cursor of this list: begin without one")
