"""From an action's input to the request that goes out: address, parameters, body, sign-in."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import quote

from pydantic import JsonValue
from pydantic_core import to_json
from yarl import URL

from jackfield_common.connector.auth import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    KeyHeaders,
    NoAuth,
    OAuth2,
    SecretUrl,
)
from jackfield_common.connector.manifest import HttpCall, Manifest
from jackfield_common.connector.selector import as_text
from jackfield_common.egress import literal
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.credentials import Credential
from jackfield_connectors.engine.operations import own_base_url
from jackfield_connectors.engine.template import (
    fill_members,
    fill_path,
    fill_text,
    places,
)
from jackfield_connectors.engine.transport import Request

USER_AGENT: Final = "Jackfield/0.1"
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UNSAFE_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ABSOLUTE: Final = re.compile(r"^https?://")
_CREDENTIAL_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A request before it is signed in and encoded; pages change its parameters."""

    method: str
    path: str
    query: Mapping[str, JsonValue]
    body: JsonValue
    headers: Mapping[str, str]
    encoding: Literal["json", "form", "raw"] = "json"
    content_type: str = ""
    base_url: str | None = None
    content: bytes | None = None

    def with_query(self, **parameters: JsonValue) -> "Draft":
        """With more parameters in the query."""
        return replace(self, query={**self.query, **parameters})

    def with_body(self, **members: JsonValue) -> "Draft":
        """With more members in the body, at dotted paths."""
        body: JsonValue = self.body if isinstance(self.body, dict) else {}
        for path, value in members.items():
            body = _with_member(body, path.split("."), value)
        return replace(self, body=body)


def _with_member(holder: JsonValue, path: list[str], value: JsonValue) -> JsonValue:
    if not path:
        return value
    members = holder if isinstance(holder, dict) else {}
    return {**members, path[0]: _with_member(members.get(path[0]), path[1:], value)}


def draft(call: HttpCall, values: Mapping[str, JsonValue]) -> Draft:
    """The request of an action, by its input. Raises Failure(INVALID) naming the field."""
    left = dict(values)
    path = fill_path(call.path, left)
    for name in places(call.path):
        left.pop(name, None)
    if call.pages is not None:
        left.pop("limit", None)
    headers: dict[str, str] = {}
    for name, header in call.headers.items():
        text = as_text(left.pop(name, None))
        if text is not None:
            headers[header] = text
    members = {**call.constants, **left}
    query: dict[str, JsonValue] = {}
    for name in call.query:
        if name in members:
            query[call.rename.get(name, name)] = members.pop(name)
    renamed = {call.rename.get(name, name): value for name, value in members.items()}
    body: JsonValue = None
    if call.method not in _BODY_METHODS:
        query.update(renamed)
    elif call.body_field is not None:
        body = left.get(call.body_field)
    elif call.body is not None:
        body = fill_members(call.body, {**call.constants, **left})
    elif renamed or call.method != "DELETE":
        body = renamed
    return Draft(
        method=call.method,
        path=path,
        query=query,
        body=body,
        headers=headers,
        encoding=call.encoding,
        content_type=call.content_type,
        base_url=call.base_url,
    )


@dataclass(frozen=True, slots=True)
class Base:
    """Where an integration's calls go, and what other addresses of the vendor are filled in with.

    `named_only`: only to networks that the operator named.
    """

    url: str
    named_only: bool = False
    values: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


def base_of(
    manifest: Manifest,
    config: Mapping[str, JsonValue],
    scheme: Auth,
    credential: Credential,
) -> Base:
    """The base URL: the secret one, else the setting, else the vendor's. Raises Failure(INVALID)."""
    if isinstance(scheme, SecretUrl):
        url = _secret_url(scheme, credential)
        filled = scheme.path.replace("{path}", url.raw_path)
        query = f"?{url.raw_query_string}" if url.raw_query_string else ""
        return Base(f"{url.origin()}{filled}{query}", named_only=not _is_at(url, scheme.hosts))
    values = {**config, **_path_key(scheme, credential)}
    chosen = config.get("base_url")
    if isinstance(chosen, str) and chosen:
        url = fill_text(chosen, values, field="base_url")
        return Base(url.rstrip("/"), named_only=not own_base_url(manifest), values=values)
    if manifest.base_url is None:
        raise Failure(ErrorKind.INVALID, "the base URL is missing", field="base_url")
    url = fill_text(manifest.base_url, values, field="base_url")
    return Base(url.rstrip("/"), values=values)


def _path_key(scheme: Auth, credential: Credential) -> dict[str, JsonValue]:
    if isinstance(scheme, ApiKey) and scheme.place == "path":
        return {scheme.name: quote(_field(scheme, credential, 0), safe=":")}
    return {}


def _secret_url(scheme: SecretUrl, credential: Credential) -> URL:
    try:
        url = URL(_field(scheme, credential, 0), encoded=True)
        url.origin()
    except ValueError:
        name = scheme.fields[0].name
        raise Failure(ErrorKind.INVALID, f"{name} is not a URL", field=name) from None
    return url


def _is_at(url: URL, hosts: tuple[str, ...]) -> bool:
    host = url.host or ""
    if not hosts:
        return True
    return literal(host) is None and any(
        host.endswith(one) if one.startswith(".") else host == one for one in hosts
    )


def finish(
    draft: Draft,
    manifest: Manifest,
    base: Base,
    scheme: Auth,
    credential: Credential,
    *,
    signed_in: bool = True,
) -> Request:
    """Encode a draft and sign it in. Raises Failure(INVALID)."""
    if draft.base_url is not None:
        # Another host of the vendor's; a base that was redirected elsewhere keeps everything there.
        elsewhere = fill_text(draft.base_url, base.values, field="base_url")
        root = base.url if base.named_only else elsewhere.rstrip("/")
    else:
        root = base.url
    address = _address(draft.path, root, manifest.base_url, signed_in=signed_in)
    query = dict(draft.query)
    headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **manifest.headers}
    headers["Accept-Encoding"] = "gzip, deflate"
    body, content_type = _encoded(draft)
    if content_type:
        headers["Content-Type"] = content_type
    headers.update(draft.headers)
    secret_headers = _CREDENTIAL_HEADERS
    if signed_in:
        for name, value in _proof(scheme, credential):
            headers[name] = value
            secret_headers |= {name.lower()}
        if isinstance(scheme, ApiKey) and scheme.place == "query":
            query[scheme.name] = scheme.prefix + _field(scheme, credential, 0)
    for name, value in headers.items():
        if _UNSAFE_HEADER.search(value):
            raise Failure(ErrorKind.INVALID, f"the header {name} would hold a control character")
    pairs = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in _query(query))
    if pairs:
        address += ("&" if "?" in address else "?") + pairs
    try:
        url = URL(address, encoded=True)
    except ValueError:
        raise Failure(ErrorKind.INVALID, "the address is not a URL", field="base_url") from None
    return Request(
        method=draft.method,
        url=url,
        headers=headers,
        body=body,
        named_only=base.named_only,
        secret_headers=secret_headers,
    )


def _address(path: str, root: str, vendor: str | None, *, signed_in: bool) -> str:
    """Where a path leads. A whole address gets the credential only at the base's own origin."""
    if not _ABSOLUTE.match(path):
        return root + path
    if vendor is not None and path.startswith(vendor + "/"):
        # What the vendor names by its own address stays where the base was redirected to.
        return root + path.removeprefix(vendor)
    if signed_in and URL(path).origin() != URL(root).origin():
        raise Failure(ErrorKind.BUG, f"the vendor named an address at {URL(path).host}")
    return path


def _encoded(draft: Draft) -> tuple[bytes | None, str]:
    if draft.content is not None:
        return draft.content, draft.content_type or "application/octet-stream"
    if draft.body is None:
        return None, ""
    match draft.encoding:
        case "json":
            return to_json(draft.body), draft.content_type or "application/json"
        case "form":
            body = draft.body if isinstance(draft.body, dict) else {}
            text = "&".join(f"{quote(k, safe='[]')}={quote(v, safe='')}" for k, v in _form(body))
            return text.encode(), draft.content_type or "application/x-www-form-urlencoded"
        case "raw":
            return (as_text(draft.body) or "").encode(), draft.content_type or "text/plain"


def _query(values: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Parameters of a query: a list repeats its name, an object nests with brackets."""
    for name, value in values.items():
        match value:
            case None:
                continue
            case list():
                yield from ((name, as_text(item) or "") for item in value)
            case dict():
                yield from _query({f"{name}[{key}]": item for key, item in value.items()})
            case _:
                yield name, as_text(value) or ""


def _form(values: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Members of a form: lists and objects nest with brackets (`items[0][price]`)."""
    for name, value in values.items():
        match value:
            case None:
                continue
            case list():
                yield from _form({f"{name}[{index}]": item for index, item in enumerate(value)})
            case dict():
                yield from _form({f"{name}[{key}]": item for key, item in value.items()})
            case _:
                yield name, as_text(value) or ""


def _proof(scheme: Auth, credential: Credential) -> Iterator[tuple[str, str]]:
    """The headers that a credential goes into."""
    match scheme:
        case NoAuth():
            return
        case SecretUrl():
            user = _secret_url(scheme, credential).user or ""
            for name, value in scheme.headers.items():
                yield name, value.replace("{user}", user)
        case Bearer():
            yield "Authorization", f"{scheme.prefix} {_field(scheme, credential, 0)}".strip()
        case OAuth2():
            token = credential.fields.get("access_token")
            if not token:
                raise Failure(
                    ErrorKind.INVALID,
                    "not connected yet: access_token is missing",
                    field="access_token",
                )
            yield "Authorization", f"{scheme.prefix} {token}"
        case ApiKey():
            if scheme.place == "header":
                yield scheme.name, f"{scheme.prefix}{_field(scheme, credential, 0)}"
        case KeyHeaders():
            for header, name in scheme.headers.items():
                value = credential.fields.get(name)
                if value:
                    yield header, value
                elif any(one.name == name and one.required for one in scheme.fields):
                    raise Failure(
                        ErrorKind.INVALID, f"the credential {name} is missing", field=name
                    )
        case Basic():
            user = _field(scheme, credential, 0)
            password = _field(scheme, credential, 1) if len(scheme.fields) > 1 else ""
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            yield "Authorization", f"Basic {pair}"


def _field(scheme: Auth, credential: Credential, index: int) -> str:
    name = scheme.fields[index].name
    value = credential.fields.get(name)
    if not value:
        raise Failure(ErrorKind.INVALID, f"the credential {name} is missing", field=name)
    return value
