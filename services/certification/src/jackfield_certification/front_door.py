"""The product's front door: its public HTTP API and its public webhook endpoint."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar, cast

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, ValidationError

from jackfield_certification.evidence import Evidence
from jackfield_common.errors import ErrorKind, JackfieldError, NotReady
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import new_id

_REQUEST_SECONDS: Final = 15.0
_WAIT_SECONDS: Final = 20.0
_MAX_WAIT: Final = 60.0
_UNAVAILABLE: Final = frozenset({502, 503, 504})
_BACKOFF_MAX: Final = 2.0


class FrontDoorAway(NotReady):
    """The API did not answer, or said 502, 503 or 504, for as long as it was waited for."""


class FrontDoorRefused(JackfieldError):
    """The API answered with a problem (RFC 9457)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class NoResult(JackfieldError):
    """An action was accepted and had no result in time."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


T = TypeVar("T", bound=_Answer)
Sending = Callable[[], Awaitable[httpx.Response]]


class NeededField(_Answer):
    """A field of a credential that is still to be given."""

    name: str
    used_for: str = ""
    required: bool = True


class Installed(_Answer):
    """An installation, as the API shows it."""

    integration_id: str
    name: str
    connector: str
    template_name: str = ""
    config: JsonObject = {}
    auth: str | None = None
    credential_status: str = ""
    webhook_url: str | None = None
    webhook_secret_configured: bool = False
    missing_fields: tuple[NeededField, ...] = ()
    warnings: tuple[str, ...] = ()
    created_at: AwareDatetime | None = None


class _InstalledPage(_Answer):
    items: tuple[Installed, ...]
    next_cursor: str | None = None


class ActionResult(_Answer):
    """What came of an action."""

    action_id: str
    status: str
    success: bool | None = None
    message: str = ""
    data: JsonValue = None
    error: ErrorKind | None = None
    field: str | None = None
    attempts: int | None = None
    duration_ms: float | None = None


class ProcessedEvent(_Answer):
    """What became of a webhook delivery."""

    event_id: str
    status: str
    event_type: str | None = None
    actions: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    reason: str | None = None


class Delivered(_Answer):
    """The answer of the webhook endpoint."""

    status: int
    event_id: str | None = None
    body: str = ""
    headers: dict[str, str] = {}


class FrontDoor:
    """Speaks to one deployment as any customer does.

    Reads the API key from its file. Waits `patience` seconds for an API that is away. Raises
    FrontDoorAway and FrontDoorRefused from every method; what is seen goes to `evidence`.
    """

    def __init__(
        self, api_url: str, api_key_file: Path, webhook_url: str, *, patience: float
    ) -> None:
        self._api_key_file = api_key_file
        self._webhook_url = webhook_url.rstrip("/")
        self._patience = patience
        self._client = httpx.AsyncClient(
            base_url=api_url.rstrip("/"),
            timeout=httpx.Timeout(_REQUEST_SECONDS + _MAX_WAIT, connect=_REQUEST_SECONDS),
            limits=httpx.Limits(max_connections=128, max_keepalive_connections=64),
            trust_env=False,
        )
        self.evidence = Evidence()

    async def __aenter__(self) -> "FrontDoor":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def install(
        self, template: str, name: str, config: JsonObject, auth: str | None
    ) -> Installed:
        """Install a connector under a name."""
        body: JsonObject = {
            "template_name": template,
            "config_overrides": config,
            "custom_name": name,
        }
        if auth is not None:
            body["auth"] = auth
        answer = await self._call("POST", "/api/marketplace/install", body)
        return _read(Installed, answer)

    async def configure(self, integration_id: str, **changes: JsonValue) -> Installed:
        """Give credentials, or change an installation."""
        body: JsonObject = {"integration_id": integration_id, **changes}
        answer = await self._call("POST", "/api/marketplace/configure", body)
        return _read(Installed, answer)

    async def installed(self, integration_id: str) -> Installed:
        """One installation."""
        path = f"/api/marketplace/installed/{integration_id}"
        return _read(Installed, await self._call("GET", path))

    async def all_installed(self) -> AsyncIterator[Installed]:
        """Every installation of the tenant."""
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            answer = await self._call("GET", "/api/marketplace/installed", query=query)
            page = _read(_InstalledPage, answer)
            for one in page.items:
                yield one
            cursor = page.next_cursor
            if not cursor:
                return

    async def uninstall(self, integration_id: str) -> None:
        """Remove an installation; one that is gone already is fine."""
        try:
            await self._call("DELETE", f"/api/marketplace/installed/{integration_id}")
        except FrontDoorRefused as refused:
            if refused.status != 404:
                raise

    async def test(self, integration_id: str, *, seconds: float = 60) -> ActionResult:
        """The connection test. Raises NoResult when there is none in time."""
        path = f"/api/marketplace/installed/{integration_id}/test"
        return await self._result(path, {}, new_id(), min(_WAIT_SECONDS, seconds), seconds)

    async def act(
        self,
        integration_id: str,
        action: str,
        given: Mapping[str, JsonValue],
        *,
        key: str | None = None,
        wait: float = _WAIT_SECONDS,
        seconds: float = 60,
    ) -> ActionResult:
        """Do an action and wait for its result. Raises NoResult when there is none in time.

        `wait` is how long the API itself waits, and the product tries; afterwards the result is asked
        for, up to `seconds` in all.
        """
        path = f"/api/marketplace/installed/{integration_id}/actions/{action}"
        return await self._result(path, {"input": dict(given)}, key or new_id(), wait, seconds)

    async def request_run(self, integration_id: str) -> str:
        """Ask for a certification by all suites; returns the id of the run."""
        body: JsonObject = {"integration_id": integration_id}
        return str((await self._call("POST", "/api/certification/runs", body)).json()["run_id"])

    async def add_key(self, name: str, scopes: tuple[str, ...]) -> tuple[str, str]:
        """Make an API key; returns its id and what opens."""
        body: JsonObject = {"name": name, "scopes": list(scopes)}
        document = (await self._call("POST", "/api/keys", body, quiet=True)).json()
        return str(document["key_id"]), str(document["key"])

    async def remove_key(self, key_id: str) -> None:
        """Revoke an API key."""
        await self._call("DELETE", f"/api/keys/{key_id}")

    async def add_route(self, route: JsonObject) -> str:
        """Add a route; returns its id."""
        answer = await self._call("POST", "/api/routes", route)
        document = cast(JsonObject, answer.json())
        return str(document["subscription_id"])

    async def remove_route(self, route_id: str) -> None:
        """Remove a route; one that is gone already is fine."""
        try:
            await self._call("DELETE", f"/api/routes/{route_id}")
        except FrontDoorRefused as refused:
            if refused.status != 404:
                raise

    async def event(self, event_id: str, *, seconds: float = 30) -> ProcessedEvent | None:
        """What became of a delivery, once it is known; None when it is not in time."""
        deadline = time.monotonic() + seconds
        delay = 0.02
        while True:
            try:
                answer = await self._call("GET", f"/api/events/{event_id}", quiet=True)
            except FrontDoorRefused as refused:
                if refused.status != 404:
                    raise
            else:
                found = _read(ProcessedEvent, answer)
                self.evidence.add("event", **cast(JsonObject, found.model_dump(mode="json")))
                return found
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, 0.5)

    async def get(self, path: str) -> JsonValue:
        """Any document of the API."""
        return cast(JsonValue, (await self._call("GET", path)).json())

    async def status_without_key(self, method: str, path: str, key: str | None) -> int:
        """The status that a stranger, or the holder of another key, meets."""
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        answer = await self._patiently(
            lambda: self._client.request(method, path, headers=headers), f"{method} {path}"
        )
        self.evidence.add("api", request=f"{method} {path}", status=answer.status_code)
        return answer.status_code

    async def deliver(
        self, address: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST"
    ) -> Delivered:
        """Send a webhook to the public endpoint. `address` is the one that installation printed."""
        path = httpx.URL(address).raw_path.decode()
        target = self._webhook_url + path
        answer = await self._patiently(
            lambda: self._client.request(method, target, content=body, headers=dict(headers)),
            "the webhook endpoint",
            unavailable=frozenset(),
        )
        event_id: str | None = None
        if answer.headers.get("content-type", "").startswith("application/json"):
            document = answer.json()
            if isinstance(document, dict):
                event_id = cast(dict[str, str], document).get("eventId")
        self.evidence.add(
            "delivery",
            bytes=len(body),
            headers=cast(JsonValue, dict(headers)),
            status=answer.status_code,
            answer=answer.text[:300],
        )
        return Delivered(
            status=answer.status_code,
            event_id=event_id,
            body=answer.text[:2_000],
            headers={name.lower(): value for name, value in answer.headers.items()},
        )

    async def _result(
        self, path: str, body: JsonObject, key: str, wait: float, seconds: float
    ) -> ActionResult:
        deadline = time.monotonic() + seconds
        headers = {"Idempotency-Key": key}
        answer = await self._call(
            "POST", path, body, query={"wait": f"{wait:g}"}, headers=headers, quiet=True
        )
        delay = 0.05
        while answer.status_code == 202:
            location = answer.headers.get("location")
            if location is None:
                raise NoResult(f"POST {path} answered 202 without a Location (RFC 9110, 15.3.3)")
            if time.monotonic() > deadline:
                raise NoResult(f"no result within {seconds:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, 1.0)
            answer = await self._call("GET", location, quiet=True)
            if answer.status_code == 200 and _read(ActionResult, answer).status == "pending":
                answer.status_code = 202
                answer.headers["location"] = location
        result = _read(ActionResult, answer)
        seen = cast(JsonObject, result.model_dump(mode="json"))
        self.evidence.add("result", request=f"POST {path}", input=body.get("input"), result=seen)
        return result

    async def _call(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> httpx.Response:
        signed = {"Authorization": f"Bearer {self._key()}", **(headers or {})}
        answer = await self._patiently(
            lambda: self._client.request(
                method, path, json=body, params=dict(query or {}), headers=signed
            ),
            f"{method} {path}",
        )
        refused = answer.status_code >= 400
        if not quiet or refused:
            document = _document(answer)
            self.evidence.add(
                "api", request=f"{method} {path}", status=answer.status_code, answer=document
            )
        if refused:
            raise FrontDoorRefused(answer.status_code, _detail(answer))
        return answer

    def _key(self) -> str:
        try:
            return self._api_key_file.read_text("utf-8").strip()
        except OSError as error:
            raise FrontDoorAway(
                f"the API key cannot be read: {error.strerror} (JACKFIELD_API_KEY_FILE)"
            ) from None

    async def _patiently(
        self,
        send: Sending,
        what: str,
        *,
        unavailable: frozenset[int] = _UNAVAILABLE,
    ) -> httpx.Response:
        deadline = time.monotonic() + self._patience
        delay = 0.1
        while True:
            try:
                answer = await send()
            except httpx.TransportError as error:
                reason = f"{what}: {type(error).__name__}"
            else:
                if answer.status_code not in unavailable:
                    return answer
                reason = f"{what}: {answer.status_code}"
            if time.monotonic() + delay > deadline:
                raise FrontDoorAway(f"{reason}, for {self._patience:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _BACKOFF_MAX)


def _read(model: type[T], answer: httpx.Response) -> T:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FrontDoorRefused(
            answer.status_code, f"the answer is not a {model.__name__}: {where}: {first['msg']}"
        ) from None


def _document(answer: httpx.Response) -> JsonValue:
    try:
        return cast(JsonValue, answer.json())
    except ValueError:
        return answer.text[:300]


def _detail(answer: httpx.Response) -> str:
    document = _document(answer)
    if isinstance(document, dict):
        detail = str(document.get("detail") or document.get("title") or "")
        errors = document.get("errors")
        return f"{detail} {errors}" if errors else detail
    return str(document)[:300]
