"""The five services as processes of their own, on real Kafka and PostgreSQL."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from jackfield_cli.local.ports import free_ports
from jackfield_common.sealing import create_missing_keys

SERVICES = ("gateway", "oauth", "webhooks", "connectors", "certification")
_START_SECONDS = 60.0


@dataclass
class Platform:
    """A running deployment: its API, and its processes by the name of their service."""

    directory: Path
    environment: dict[str, str]
    ports: dict[str, int]
    client: httpx.AsyncClient
    processes: dict[str, asyncio.subprocess.Process] = field(
        default_factory=dict[str, asyncio.subprocess.Process]
    )

    async def start(self, service: str) -> None:
        """Start one service; it is ready some time later."""
        with (self.directory / f"{service}.log").open("ab") as log:
            self.processes[service] = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"jackfield_{service}",
                env=self.environment | {"JACKFIELD_OPS_PORT": str(self.ports[service])},
                stdout=log,
                stderr=log,
            )

    async def ready(self, service: str) -> None:
        """Wait until a service is ready."""
        deadline = time.monotonic() + _START_SECONDS
        url = f"http://127.0.0.1:{self.ports[service]}/health/ready"
        while True:
            if self.processes[service].returncode is not None:
                raise AssertionError(f"{service} ended:\n{self.log(service)[-3000:]}")
            with contextlib.suppress(httpx.TransportError):
                if (await self.client.get(url)).status_code == 200:
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"{service} is not ready:\n{self.log(service)[-3000:]}")
            await asyncio.sleep(0.05)

    async def kill(self, service: str) -> None:
        """Kill one service with SIGKILL."""
        process = self.processes.pop(service)
        process.kill()
        await process.wait()

    def log(self, service: str) -> str:
        """What a service has printed."""
        return (self.directory / f"{service}.log").read_text()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the API that has to succeed."""
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def install(self, template: str, **config: str) -> str:
        """Install a connector as soon as the marketplace offers it; returns the integration id."""
        async with asyncio.timeout(_START_SECONDS):
            while (
                await self.client.get(f"/api/marketplace/integrations/{template}")
            ).status_code == 404:
                await asyncio.sleep(0.05)
        answer = await self.call(
            "POST",
            "/api/marketplace/install",
            {"template_name": template, "config_overrides": config},
        )
        return str(answer["integration_id"])

    async def certified(self, integration_id: str, *suites: str, seconds: float) -> dict[str, Any]:
        """Ask for a run and wait for its report."""
        run = await self.call(
            "POST",
            "/api/certification/runs",
            {"integration_id": integration_id, "suites": list(suites)},
        )
        return await self.report(run["run_id"], seconds=seconds)

    async def report(self, run_id: str, *, seconds: float) -> dict[str, Any]:
        """The report of a run, once there is one."""
        async with asyncio.timeout(seconds):
            while True:
                run = await self.call("GET", f"/api/certification/runs/{run_id}")
                if run["report"] is not None:
                    return run["report"]
                await asyncio.sleep(0.1)


@asynccontextmanager
async def running(
    bootstrap_servers: str, dsn: str, prefix: str, directory: Path, **settings: str
) -> AsyncGenerator[Platform]:
    """Start everything, end everything."""
    keys = directory / "keys"
    create_missing_keys(keys)
    api_key = directory / "api-key"
    api_key.write_text("jf_" + secrets.token_urlsafe(32))
    api_key.chmod(0o600)
    api, webhook, oauth, *operations = free_ports(3 + len(SERVICES))
    environment = {
        "PATH": os.environ["PATH"],
        "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "JACKFIELD_POSTGRES_DSN": dsn,
        "JACKFIELD_POSTGRES_POOL": "4",
        "JACKFIELD_TOPIC_PREFIX": prefix,
        "JACKFIELD_KEYS_DIR": str(keys),
        "JACKFIELD_EGRESS_ALLOW": "127.0.0.0/8",
        "JACKFIELD_API_PORT": str(api),
        "JACKFIELD_WEBHOOK_PORT": str(webhook),
        "JACKFIELD_OAUTH_PORT": str(oauth),
        "JACKFIELD_ISSUER": f"http://127.0.0.1:{oauth}",
        "JACKFIELD_PUBLIC_URL": f"http://127.0.0.1:{webhook}",
        "JACKFIELD_API_KEY_FILE": str(api_key),
        "JACKFIELD_API_URL": f"http://127.0.0.1:{api}",
        "JACKFIELD_WEBHOOK_URL": f"http://127.0.0.1:{webhook}",
        "JACKFIELD_LOG_FORMAT": "text",
        **settings,
    }
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{api}",
                headers={"Authorization": f"Bearer {api_key.read_text()}"},
                timeout=40,
                trust_env=False,
            )
        )
        platform = Platform(
            directory, environment, dict(zip(SERVICES, operations, strict=True)), client
        )
        stack.push_async_callback(_end, platform)
        for service in SERVICES:
            await platform.start(service)
        for service in SERVICES:
            await platform.ready(service)
        yield platform


async def _end(platform: Platform) -> None:
    for process in platform.processes.values():
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    for process in platform.processes.values():
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
