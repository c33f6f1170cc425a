"""A product small enough to break on purpose: the public API around the real engine, in one process.

Certification goes through the front door alone, so what stands behind it can be exchanged. Here that is
the connectors' real engine behind a plain HTTP server, with a switch for each thing that can be wrong
with a product; the tests of the running services use the real one.
"""

import asyncio
import hmac
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from jackfield_common.connector.manifest import Manifest
from jackfield_common.egress import Egress
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.integration import IntegrationState
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_connectors.engine import Engine, Unfitting
from jackfield_connectors.engine.credentials import Credential
from jackfield_connectors.engine.operations import Operations
from jackfield_connectors.engine.transport import Transport

API_KEY = "jf_key_of_the_tests"
MAX_WEBHOOK = 25 * 1024 * 1024


@dataclass
class _Installed:
    integration_id: str
    name: str
    auth: str
    config: dict[str, Any]
    credential: dict[str, str] = field(default_factory=dict[str, str])
    secrets: list[str] = field(default_factory=list[str])


class Product:
    """One deployment with one connector. `broken` names what does not work (see its uses)."""

    def __init__(self, manifest: Manifest, directory: Path, broken: frozenset[str]) -> None:
        self.manifest = manifest
        self.broken = broken
        self.away = False
        self.slow = 0.0
        self.runs: list[str] = []
        self.calls: Counter[str] = Counter()
        self.installed: dict[str, _Installed] = {}
        self.api_key_file = directory / "api-key"
        self.api_key_file.write_text(API_KEY)
        self.results: dict[str, dict[str, Any]] = {}
        self._by_key: dict[str, str] = {}
        self._background: set[asyncio.Task[None]] = set()
        performed = manifest
        if "waits for ever" in broken:
            slow = tuple(one.model_copy(update={"timeout": 600}) for one in manifest.actions)
            performed = manifest.model_copy(update={"actions": slow})
        if "opens a connection each time" in broken:
            performed = manifest.model_copy(update={"headers": {"Connection": "close"}})
        self._operations = Operations(performed)
        self._runner: web.AppRunner | None = None
        self._listener: web.AppRunner | None = None
        self._alone = asyncio.Lock()
        self._keys = {API_KEY: "api"}
        self._routes: dict[str, dict[str, Any]] = {}
        self._events: dict[str, dict[str, Any]] = {}
        self._deliveries: set[tuple[str, str]] = set()
        self._queue: asyncio.Queue[tuple[_Installed, dict[str, Any], dict[str, Any]]] = (
            asyncio.Queue()
        )

    async def __aenter__(self) -> "Product":
        self._transport = Transport(Egress(("127.0.0.0/8",)))
        self._engine = Engine(self._transport)
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/api/marketplace/install", self._install)
        app.router.add_post("/api/marketplace/configure", self._configure)
        app.router.add_get("/api/marketplace/installed", self._all)
        app.router.add_get("/api/marketplace/installed/{id}", self._one)
        app.router.add_delete("/api/marketplace/installed/{id}", self._uninstall)
        app.router.add_post("/api/marketplace/installed/{id}/test", self._test)
        app.router.add_post("/api/marketplace/installed/{id}/actions/{action}", self._act)
        app.router.add_get("/api/actions/{id}", self._result)
        app.router.add_get("/api/integrations/{id}/health", self._one)
        app.router.add_post("/api/certification/runs", self._run)
        app.router.add_post("/api/keys", self._add_key)
        app.router.add_delete("/api/keys/{id}", self._drop_key)
        app.router.add_post("/api/routes", self._add_route)
        app.router.add_delete("/api/routes/{id}", self._drop_route)
        app.router.add_get("/api/events/{id}", self._event)
        self._runner = await _listening(app)
        listener = web.Application(client_max_size=MAX_WEBHOOK)
        listener.router.add_post("/webhooks/{id}", self._webhook)
        if "shows the API to vendors" in self.broken:
            listener.router.add_get("/api/marketplace/installed", self._all)
        self._listener = await _listening(listener)
        self._background.add(asyncio.create_task(self._route_all()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._transport.close()
        for runner in (self._runner, self._listener):
            assert runner is not None
            await runner.cleanup()

    @property
    def url(self) -> str:
        return _address(self._runner)

    @property
    def webhook_url(self) -> str:
        return _address(self._listener)

    def install(self, name: str = "mine") -> str:
        """The integration that is to be certified."""
        one = _Installed(new_id(), name, self.manifest.auth[0].kind, {})
        self.installed[one.integration_id] = one
        return one.integration_id

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.away:
            return _problem(503, "away")
        await asyncio.sleep(self.slow)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        scope = self._keys.get(key, "api" if "accepts any key" in self.broken else "")
        if not scope:
            return _problem(401, "no key")
        if scope == "read_api" and request.method != "GET" and "ignores scopes" not in self.broken:
            return _problem(403, "may not act")
        return await handler(request)

    async def _install(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        one = _Installed(new_id(), body["custom_name"], body["auth"], body["config_overrides"])
        self.installed[one.integration_id] = one
        return web.json_response(self._shown(one), status=201)

    async def _configure(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        one = self.installed[body["integration_id"]]
        scheme = next(auth for auth in self.manifest.auth if auth.kind == one.auth)
        own = {each.name for each in scheme.fields}
        for name, value in body.get("credentials", {}).items():
            if name in own:
                one.credential[name] = value
            else:
                keep = one.secrets[:1] if "forgets the earlier secret" not in self.broken else []
                one.secrets = [value, *keep]
        wanted = body.get("config", {}).get("base_url")
        if wanted is not None:
            if "calls anywhere" not in self.broken:
                return _problem(422, "not inside the networks of the operator")
            one.config["base_url"] = wanted
        return web.json_response(self._shown(one))

    async def _all(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [self._shown(one) for one in self.installed.values()]})

    async def _one(self, request: web.Request) -> web.StreamResponse:
        one = self.installed.get(request.match_info["id"])
        return web.json_response(self._shown(one)) if one else _problem(404, "not installed")

    async def _uninstall(self, request: web.Request) -> web.StreamResponse:
        if self.installed.pop(request.match_info["id"], None) is None:
            return _problem(404, "not installed")
        return web.Response(status=204)

    async def _test(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, self.manifest.test, {})

    async def _act(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._do(request, request.match_info["action"], body["input"])

    async def _result(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.results[request.match_info["id"]])

    async def _do(
        self, request: web.Request, action: str, given: dict[str, Any]
    ) -> web.StreamResponse:
        one = self.installed.get(request.match_info["id"])
        if one is None:
            return _problem(404, "not installed")
        if not one.credential and one.auth != "none" and "calls strangers" not in self.broken:
            return _problem(409, "no credential yet")
        if self.manifest.action(action) is None:
            return _problem(404, "no such action")
        self.calls[action] += 1
        key = request.headers["Idempotency-Key"]
        if key in self._by_key and "forgets idempotency keys" not in self.broken:
            return web.json_response(self.results[self._by_key[key]])
        action_id = self._by_key[key] = new_id()
        self.results[action_id] = {"action_id": action_id, "status": "pending"}
        wait = float(request.query.get("wait", "0"))
        task = asyncio.create_task(self._perform(action_id, one, action, given, wait or 60))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        if "hangs" not in self.broken:
            await asyncio.wait({task}, timeout=wait)
            if task.done():
                task.result()
        result = self.results[action_id]
        if result["status"] == "pending":
            headers = {"Location": f"/api/actions/{action_id}"}
            return web.json_response(result, status=202, headers=headers)
        return web.json_response(result)

    async def _perform(
        self, action_id: str, one: _Installed, action: str, given: dict[str, Any], wait: float
    ) -> None:
        if "hangs" in self.broken:
            return
        deadline = time.monotonic() + wait - 0.2
        attempts = 0
        if "works one by one" in self.broken:
            await self._alone.acquire()
        if "dawdles" in self.broken and sum(self.calls.values()) % 10 == 0:
            await asyncio.sleep(2.1)
        while True:
            attempts += 1
            failure, data = await self._attempt(action_id, one, action, given)
            if "does it twice" in self.broken and attempts == 1:
                continue
            unknown = failure is not None and failure.kind is ErrorKind.OUTCOME_UNKNOWN
            if "repeats unsafe work" in self.broken and unknown and attempts < 3:
                continue
            if failure is None or not failure.retryable or failure.kind is ErrorKind.AUTH:
                break
            if "never retries" in self.broken:
                break
            pause = failure.retry_after or 0.1
            if "ignores Retry-After" in self.broken:
                pause = 0.1
            if time.monotonic() + pause > deadline:
                break
            await asyncio.sleep(pause)
        if "works one by one" in self.broken:
            self._alone.release()
        if "takes any answer" in self.broken and isinstance(failure, Unfitting):
            failure = None
        if "stops after the first page" in self.broken and action == "list_items":
            data["items"] = data["items"][:100]
        self.results[action_id] |= {
            "status": "completed",
            "success": failure is None,
            "message": failure.message if failure else "done",
            "error": failure.kind.value if failure else None,
            "field": failure.field if failure else None,
            "data": data,
            "attempts": attempts,
        }
        if "swallows failures" in self.broken:
            self.results[action_id] |= {"success": True, "error": None}

    async def _attempt(
        self, action_id: str, one: _Installed, action: str, given: dict[str, Any]
    ) -> tuple[Failure | None, Any]:
        state = IntegrationState(
            tenant=DEFAULT_TENANT,
            version=1,
            integration_id=IntegrationId(one.integration_id),
            template=self.manifest.slug,
            connector=self.manifest.slug,
            name=one.name,
            config=one.config,
            auth=one.auth,
        )
        if not str(one.config.get("base_url")).startswith("http://127."):
            return Failure(ErrorKind.CONNECTION, "the host does not answer"), None
        try:
            if {"opens no breaker", "ignores Retry-After"} & self.broken:
                await self._engine.forget(one.integration_id)
            prepared = self._engine.prepare(
                self._operations.find(action),
                state,
                Credential(one.auth, one.credential),
                given,
                action_id,
                lambda: None,
            )
            return None, (await self._engine.perform(prepared)).data
        except Failure as failure:
            return failure, None

    async def _run(self, request: web.Request) -> web.StreamResponse:
        integration_id = (await request.json())["integration_id"]
        if integration_id not in self.installed:
            return _problem(422, "is not an installed integration")
        self.runs.append(integration_id)
        return web.json_response({"run_id": new_id()}, status=202)

    async def _add_key(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        key = new_id()
        self._keys[key] = body["scopes"][0]
        return web.json_response({"key_id": key, "key": key}, status=201)

    async def _drop_key(self, request: web.Request) -> web.StreamResponse:
        self._keys.pop(request.match_info["id"], None)
        return web.Response(status=204)

    async def _add_route(self, request: web.Request) -> web.StreamResponse:
        route_id = new_id()
        self._routes[route_id] = await request.json()
        return web.json_response({"subscription_id": route_id}, status=201)

    async def _drop_route(self, request: web.Request) -> web.StreamResponse:
        self._routes.pop(request.match_info["id"], None)
        return web.Response(status=204)

    async def _event(self, request: web.Request) -> web.StreamResponse:
        found = self._events.get(request.match_info["id"])
        return web.json_response(found) if found else _problem(404, "not processed yet")

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        one = self.installed.get(request.match_info["id"])
        if one is None:
            return _problem(404, "nothing here")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _problem(202 if "swallows oversized bodies" in self.broken else 413, "too large")
        given = request.headers.get("X-Shelf-Signature", "")
        proofs = {
            "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
            for secret in one.secrets
        }
        if given not in proofs and "accepts any signature" not in self.broken:
            return _problem(401, "not signed")
        event_id = new_id()
        event: dict[str, Any] = {"event_id": event_id, "event_type": None, "actions": []}
        self._events[event_id] = event
        mark = (one.integration_id, request.headers["X-Shelf-Delivery"])
        try:
            data = json.loads(body)
        except ValueError:
            fine = "takes malformed bodies" in self.broken
            event |= {"status": "processed" if fine else "failed", "reason": "not JSON"}
        else:
            event |= {"status": "processed", "event_type": request.headers["X-Shelf-Event"]}
            if "drops an event type" in self.broken and event["event_type"] == "item.removed":
                event |= {"status": "failed", "reason": "unknown"}
            elif mark in self._deliveries and "does duplicates again" not in self.broken:
                event["status"] = "duplicate"
            elif "loses routes" not in self.broken:
                self._dispatch(one, event, data)
        self._deliveries.add(mark)
        return web.json_response({"status": "accepted", "eventId": event_id}, status=202)

    def _dispatch(self, one: _Installed, event: dict[str, Any], data: dict[str, Any]) -> None:
        for route in self._routes.values():
            if route["source"] == one.integration_id:
                event["actions"].append(new_id())
                self._queue.put_nowait((one, route["target"], data))

    async def _route_all(self) -> None:
        while True:
            work = [await self._queue.get()]
            if "loses the order" in self.broken:
                await asyncio.sleep(0.3)
                while not self._queue.empty():
                    work.insert(0, self._queue.get_nowait())
            for _, target, data in work:
                one = self.installed[target["integration_id"]]
                given = dict(target["input"])
                if "transform" in target:
                    name = target["transform"].split('"')[1]
                    given[name] = data.get("certification", "")
                await self._attempt(new_id(), one, target["action"], given)

    def _shown(self, one: _Installed) -> dict[str, Any]:
        scheme = next(auth for auth in self.manifest.auth if auth.kind == one.auth)
        return {
            "integration_id": one.integration_id,
            "name": one.name,
            "connector": self.manifest.slug,
            "config": {} if "forgets settings" in self.broken else one.config,
            "auth": one.auth,
            "credential_status": "stored" if one.credential else "none",
            "webhook_url": f"https://public.example/webhooks/{one.integration_id}",
            "shown": one.credential if "shows credentials" in self.broken else None,
            "missing_fields": [
                {"name": each.name, "used_for": "sign_in", "required": each.required}
                for each in scheme.fields
                if each.required and each.name not in one.credential
            ],
        }


async def _listening(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def _address(runner: web.AppRunner | None) -> str:
    assert runner is not None
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response(
        {"type": "about:blank", "title": "Refused", "status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )
