"""Bodies as vendors send them: JSON, forms, forms that hold JSON, and everything else."""

import base64
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import Final, cast
from urllib.parse import parse_qs

import pydantic_core
from pydantic import JsonValue

from jackfield_common.errors import ErrorKind, Failure

MAX_FORM_FIELDS: Final = 1_000
_BOM: Final = b"\xef\xbb\xbf"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Payload:
    """A parsed body. `encoding` says how `data` stands for what is not JSON."""

    data: JsonValue
    encoding: str | None = None


@lru_cache(maxsize=1_024)
def media_type(content_type: str) -> tuple[str, str | None]:
    """Media type, lowercase without parameters, and the charset (RFC 9110, 8.3.1)."""
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset")
    return (
        content_type.partition(";")[0].strip().lower(),
        charset if isinstance(charset, str) else None,
    )


def is_json(kind: str) -> bool:
    """Whether a media type is JSON (RFC 8259, 11; RFC 6839, 3.1)."""
    return kind in ("application/json", "text/json") or kind.endswith("+json")


def parse(body: bytes, content_type: str, declared: tuple[str, ...]) -> Payload:
    """Parse a body by its content type; one without is taken for what the connector declares.

    JSON yields its value; a form its fields, or the JSON in its only field `payload` (GitHub, Slack);
    anything else its text, or base64 (RFC 4648, 4) where it is not text. An empty body is null.
    Raises Failure(INVALID) when JSON or a form does not parse.
    """
    kind, charset = media_type(content_type or (declared[0] if declared else ""))
    if is_json(kind):
        return Payload(_json(body, "the body"))
    if kind == _FORM:
        return Payload(_form(body))
    if not body:
        return Payload(None)
    try:
        return Payload(body.decode(charset or "utf-8"), "text")
    except (UnicodeDecodeError, LookupError):
        return Payload(base64.b64encode(body).decode("ascii"), "base64")


def _json(body: bytes, what: str) -> JsonValue:
    body = body.removeprefix(_BOM)
    if not body.strip():
        return None
    try:
        return cast(JsonValue, pydantic_core.from_json(body, allow_inf_nan=False))
    except ValueError as error:
        raise Failure(ErrorKind.INVALID, f"{what} is not JSON: {error}") from None


def _form(body: bytes) -> JsonValue:
    try:
        fields = parse_qs(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=MAX_FORM_FIELDS,
            errors="strict",
        )
    except UnicodeDecodeError:
        raise Failure(ErrorKind.INVALID, "the form is not UTF-8") from None
    except ValueError as error:
        raise Failure(ErrorKind.INVALID, f"the form cannot be read: {error}") from None
    if set(fields) == {"payload"} and len(fields["payload"]) == 1:
        return _json(fields["payload"][0].encode(), "the form's field payload")
    return {
        name: values[0] if len(values) == 1 else cast(JsonValue, values)
        for name, values in fields.items()
    }
