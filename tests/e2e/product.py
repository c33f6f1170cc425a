"""A whole Jackfield of a test's own, driven only through what its users have."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from jackfield_cli.local.ports import Ports, free_ports

COMMAND = (sys.executable, "-m", "jackfield_cli")


@dataclass(frozen=True)
class Product:
    """A running installation."""

    environment: dict[str, str]
    state: Path

    def jackfield(self, *arguments: str) -> str:
        """Run the command; its standard output."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def access(self) -> dict[str, str]:
        """What `jackfield env` says."""
        found: dict[str, str] = json.loads(self.jackfield("env", "--json"))
        return found

    def api(self) -> httpx.AsyncClient:
        """A client of the API with the administrator's key."""
        known = self.access()
        return httpx.AsyncClient(
            base_url=known["JACKFIELD_URL"],
            headers={"Authorization": f"Bearer {known['JACKFIELD_API_KEY']}"},
            timeout=30,
        )

    def kill(self, service: str) -> None:
        """`kill -9` of the process that runs a service now."""
        run = json.loads((self.state / "run.json").read_text("utf-8"))
        os.kill(run["processes"][service]["pid"], signal.SIGKILL)


@contextmanager
def product() -> Generator[Product]:
    """Start everything with fresh data; end and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="jackfield-test-"))
    directory.chmod(0o711)
    environment = {key: value for key, value in os.environ.items() if "JACKFIELD_" not in key}
    names = list(Ports().as_dict())
    for name, port in zip(names, free_ports(len(names)), strict=True):
        environment[f"JACKFIELD_{name.upper()}_PORT"] = str(port)
    environment["JACKFIELD_STATE_DIR"] = str(directory / "state")
    running = Product(environment, directory / "state")
    try:
        running.jackfield("up", "--detach")
        yield running
    finally:
        subprocess.run([*COMMAND, "down"], env=environment, capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


@dataclass
class Vendor:
    """Plays the receiving vendor: notes every text that arrives, and when."""

    arrived: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    url: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        """An incoming webhook: `{"text": …}` → `ok`."""
        text = (await request.json())["text"]
        self.arrived.setdefault(text, []).append(time.monotonic())
        return web.Response(text="ok")

    def waits_for(self, texts: list[str]) -> list[str]:
        """Of these, what has not arrived."""
        return [text for text in texts if text not in self.arrived]

    async def start(self) -> web.AppRunner:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_post("/services/T0/B0/x", self.receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/services/T0/B0/x"
        return runner


@dataclass(frozen=True)
class Line:
    """An installed source and target with a route between them."""

    source: dict[str, Any]
    target: dict[str, Any]
    secret: str

    def push(self, sha: str, *, secret: str | None = None) -> tuple[bytes, dict[str, str]]:
        """A push with its real headers, signed."""
        body = json.dumps(
            {
                "ref": "refs/heads/main",
                "after": sha,
                "repository": {"full_name": f"acme/{sha[:1]}"},
                "pusher": {"name": "ada"},
            }
        ).encode()
        key = (secret or self.secret).encode()
        return body, {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/abc",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": sha,
            "X-Hub-Signature-256": f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}",
        }


async def connect(api: httpx.AsyncClient, vendor: Vendor) -> Line:
    """Install GitHub and Slack, configure both, and route pushes from the one to the other."""
    secret = secrets.token_hex(16)

    async def install(template: str, credentials: dict[str, str]) -> dict[str, Any]:
        answer = await api.post("/api/marketplace/install", json={"template_name": template})
        assert answer.status_code == 201, answer.text
        installed: dict[str, Any] = answer.json()
        answer = await api.post(
            "/api/marketplace/configure",
            json={"integration_id": installed["integration_id"], "credentials": credentials},
        )
        assert answer.status_code == 200, answer.text
        return installed

    source = await install("github", {"webhook_secret": secret})
    target = await install("slack", {"webhook_url": vendor.url})
    answer = await api.post(
        "/api/routes",
        json={
            "name": "pushes",
            "source": source["integration_id"],
            "events": ["push"],
            "target": {
                "integration_id": target["integration_id"],
                "action": "send_message",
                "transform": '{"text": data.after}',
            },
        },
    )
    assert answer.status_code == 201, answer.text
    return Line(source, target, secret)


async def arrives(vendor: Vendor, text: str, seconds: float = 30) -> None:
    """Wait until a text has arrived."""
    async with asyncio.timeout(seconds):
        while text not in vendor.arrived:
            await asyncio.sleep(0.02)
