"""Recorded exchanges, read: the requests a vendor expects, and its answers."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from jackfield_common.connector.auth import SecretUrl
from jackfield_common.connector.manifest import Exchange, Manifest
from jackfield_common.connector.selector import as_text

# What a client library or the network adds by itself, and what carries the credential: a recording
# says nothing about these, whatever it holds.
UNCOMPARED: Final = frozenset(
    {
        "authorization", "host", "connection", "content-length", "content-type", "user-agent",
        "accept-encoding", "transfer-encoding", "traceparent", "tracestate", "date", "cookie",
    }
)  # fmt: skip

BASE_URL: Final = "{base_url}"
"""Stands in recorded answers for the address at which the vendor was called."""
_PLACEHOLDER: Final = re.compile(r"{(\w+)}")


class RecordingError(ValueError):
    """An exchange of a manifest that cannot be read; the text says which and why."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    method: str
    path: str
    query: dict[str, JsonValue] = {}
    headers: dict[str, str] = {}
    body: JsonValue = None


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    status: int = Field(ge=100, le=599)
    headers: dict[str, str] = {}
    body: JsonValue = None


@dataclass(frozen=True, slots=True)
class ExpectedRequest:
    """What arrives at the vendor when an action does as recorded.

    `path` is absolute and percent-encoded, `headers` have lowercase names, `body` is JSON or text.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: JsonValue


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """The vendor's answer; a string as `body` is sent as text, anything else as JSON."""

    status: int
    headers: Mapping[str, str]
    body: JsonValue


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer. `host` is the other host it goes to, where it does.

    The address of a step that is `handed_out` stood in an earlier answer: it needs no credential.
    """

    request: ExpectedRequest
    response: RecordedResponse
    host: str | None
    handed_out: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange of an action, made of one step or more; `auth` is the kind of its credential."""

    action: str
    name: str
    auth: str
    input: Mapping[str, JsonValue]
    config: Mapping[str, JsonValue]
    steps: tuple[Step, ...]
    result: JsonValue
    source: str

    @property
    def succeeds(self) -> bool:
        """Whether the vendor's last answer is one of success, as far as its status says."""
        return self.steps[-1].response.status < 400

    @property
    def documented(self) -> bool:
        """Whether it comes from a document of the vendor rather than from the connector's author."""
        return "https://" in self.source


def base_path(manifest: Manifest, config: Mapping[str, JsonValue] | None = None) -> str:
    """The path of an installation's base URL, without a slash at its end.

    Settings are filled in; a `{name}` that is none, as where a key stands in the path, stays.
    """
    settings = config or {}
    chosen = settings.get("base_url")
    base_url = chosen if isinstance(chosen, str) else manifest.base_url or ""
    path = ("/" + base_url.partition("://")[2].partition("/")[2]).rstrip("/")
    return _PLACEHOLDER.sub(lambda found: as_text(settings.get(found[1])) or found[0], path)


def read_recording(exchange: Exchange, manifest: Manifest) -> Recording:
    """Read an exchange. Raises RecordingError."""
    kind = exchange.auth or manifest.auth[0].kind
    secret_url = any(isinstance(auth, SecretUrl) for auth in manifest.auth if auth.kind == kind)
    base = "" if secret_url else base_path(manifest, exchange.config)
    pairs = [(exchange.request, exchange.response)]
    pairs += [(step.request, step.response) for step in exchange.then]
    return Recording(
        action=exchange.action,
        name=exchange.name,
        auth=kind,
        input=exchange.input,
        config=exchange.config,
        steps=_steps(exchange, pairs, base),
        result=exchange.result,
        source=exchange.source,
    )


def _steps(
    exchange: Exchange, pairs: list[tuple[dict[str, JsonValue], dict[str, JsonValue]]], base: str
) -> tuple[Step, ...]:
    steps: list[Step] = []
    said = ""
    for request, response in pairs:
        address = f"{BASE_URL}{request.get('path')}"
        steps.append(_step(exchange, request, response, base, handed_out=address in said))
        said += json.dumps(response)
    return tuple(steps)


def _step(
    exchange: Exchange,
    raw_request: dict[str, JsonValue],
    raw_response: dict[str, JsonValue],
    base: str,
    *,
    handed_out: bool,
) -> Step:
    try:
        request = _Request.model_validate(raw_request)
        response = _Response.model_validate(raw_response)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordingError(f"exchange {exchange.name!r}: {where}: {first['msg']}") from None
    address = urlsplit(request.path)
    path = address.path if address.netloc else base + address.path
    query = parse_qsl(address.query, keep_blank_values=True)
    query += [pair for key, value in request.query.items() for pair in _pairs(key, value)]
    return Step(
        ExpectedRequest(
            method=request.method.upper(),
            path=encoded_path(path),
            query=tuple(sorted(query)),
            headers={
                key.lower(): value
                for key, value in request.headers.items()
                if key.lower() not in UNCOMPARED
            },
            body=request.body,
        ),
        RecordedResponse(
            status=response.status,
            headers={key.lower(): value for key, value in response.headers.items()},
            body=response.body,
        ),
        host=address.netloc or None,
        handed_out=handed_out,
    )


def encoded_path(path: str) -> str:
    """A path, percent-encoded where it is not yet (RFC 3986, 2.1); `/` when empty."""
    return quote(path, safe="/%:@!$&'()*+,;=~") or "/"


def _pairs(key: str, value: JsonValue) -> list[tuple[str, str]]:
    values = value if isinstance(value, list) else [value]
    return [(key, as_text(one) or "") for one in values]
