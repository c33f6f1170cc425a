"""One request and its answer, as the listener and the schemes see it."""

import json
from collections.abc import Mapping
from typing import Final, Protocol, cast
from urllib.parse import parse_qsl, unquote

import orjson
from pydantic import JsonValue

FORM: Final = b"application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 1000


class Answering(Protocol):
    """The connection's side of an exchange."""

    def answer(self, exchange: "Exchange", raw: bytes) -> None:
        """Send the answer when it is this exchange's turn."""
        ...


class Exchange:
    """One request. Header names are lowercase bytes; a header that came twice is joined (RFC 9110, 5.3).

    `repeated` names the headers that came more than once. `source` is the sender's address, as far as
    trusted proxies say; `through_proxy` whether one of them handed it over.
    """

    # defaults on the class: a request sets only what it has
    method = b""
    target = b""
    body = b""
    keep_alive = True
    source = ""
    through_proxy = False
    origin = ""
    repeated: set[bytes] | None = None
    raw: bytes | None = None
    integration: object = None
    handshake: object = None
    _document: JsonValue | ValueError = None
    _parameters: dict[str, str] | None = None

    def __init__(self, connection: Answering, started: float) -> None:
        self.connection = connection
        self.started = started
        self.headers: dict[bytes, bytes] = {}

    def answer(self, raw: bytes) -> None:
        """Send the answer. Called once."""
        self.connection.answer(self, raw)

    @property
    def path(self) -> str:
        """The path as it was sent."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> str:
        """The query as it was sent, without the question mark."""
        return self.target.partition(b"?")[2].decode("latin-1")

    @property
    def url(self) -> str:
        """The address the sender used: the public origin, path and query."""
        origin = self.origin
        if not origin:
            origin = "http://" + self.headers.get(b"host", b"").decode("latin-1")
        return origin + self.target.decode("latin-1")

    def parameters(self) -> Mapping[str, str]:
        """The query's parameters; the first of each name."""
        if self._parameters is None:
            self._parameters = _pairs(self.query)
        return self._parameters

    @property
    def content_type(self) -> bytes:
        """The media type, lowercase, without its parameters."""
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()

    def document(self) -> JsonValue:
        """The body as JSON, or a form as an object of text. Raises ValueError when it is neither."""
        if self._document is None:
            try:
                self._document = parse(self.content_type, self.body)
            except (ValueError, RecursionError) as error:
                self._document = ValueError(str(error))
        if isinstance(self._document, ValueError):
            raise self._document
        return self._document

    def text_headers(self) -> dict[str, str]:
        """All headers as text, for selectors."""
        return {
            name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers.items()
        }


def parse(content_type: bytes, body: bytes) -> JsonValue:
    """A body as JSON, or a form as an object of text. Raises ValueError.

    A form whose only JSON stands in its field `payload` is that document, as GitHub and Slack send it.
    """
    if content_type != FORM:
        return cast(JsonValue, orjson.loads(body))
    fields = _pairs(body.decode())
    payload = fields.get("payload", "")
    if is_document("payload", payload):
        return cast(JsonValue, json.loads(payload))
    return dict(fields)


def is_document(name: str, value: str) -> bool:
    """Whether a form's field is the JSON document that the form carries."""
    return name == "payload" and value.startswith(("{", "["))


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS):
        found.setdefault(name, value)
    return found


def decoded(url: str) -> str:
    """An address with its percent-encoding undone."""
    return unquote(url)
