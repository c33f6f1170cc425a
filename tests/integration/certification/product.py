"""A product small enough to break on purpose: the public API around the real engine, in one process.

Certification goes through the front door alone, so what stands behind it can be exchanged. Here that is
the connectors' real engine behind a plain HTTP server, with a switch for each thing that can be wrong
with a product; the tests of the running services use the real one.
"""

import asyncio
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
from jackfield_connectors.engine import Engine
from jackfield_connectors.engine.credentials import Credential
from jackfield_connectors.engine.operations import Operations
from jackfield_connectors.engine.transport import Transport

API_KEY = "jf_key_of_the_tests"


@dataclass
class _Installed:
    integration_id: str
    name: str
    auth: str
    config: dict[str, Any]
    credential: dict[str, str] = field(default_factory=dict[str, str])
    secrets: dict[str, str] = field(default_factory=dict[str, str])


class Product:
    """One deployment with one connector. `broken` names what does not work (see its uses)."""

    def __init__(self, manifest: Manifest, directory: Path, broken: frozenset[str]) -> None:
        self.manifest = manifest
        self.broken = broken
        self.away = False
        self.slow = 0.0
        self.calls: Counter[str] = Counter()
        self.installed: dict[str, _Installed] = {}
        self.api_key_file = directory / "api-key"
        self.api_key_file.write_text(API_KEY)
        self.results: dict[str, dict[str, Any]] = {}
        self._by_key: dict[str, str] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._operations = Operations(manifest)
        self._runner: web.AppRunner | None = None

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
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._transport.close()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

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
        open_door = "accepts any key" in self.broken
        if request.headers.get("Authorization") != f"Bearer {API_KEY}" and not open_door:
            return _problem(401, "no key")
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
            (one.credential if name in own else one.secrets)[name] = value
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
        while True:
            attempts += 1
            failure, data = await self._attempt(action_id, one, action, given)
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
        try:
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
            "missing_fields": [
                {"name": each.name, "used_for": "sign_in", "required": each.required}
                for each in scheme.fields
                if each.required and each.name not in one.credential
            ],
        }


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response(
        {"type": "about:blank", "title": "Refused", "status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )
