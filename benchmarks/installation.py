"""A whole Jackfield for a measurement: fresh data, own ports, ended afterwards."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

PORT_OFFSET = 20_000


@dataclass(frozen=True)
class Running:
    """A running installation. `start_seconds` is from the command to everything ready."""

    url: str
    webhook_url: str
    api_key: str
    kafka: str
    state: Path
    start_seconds: float

    def client(self) -> httpx.AsyncClient:
        """A client of its API."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.api_key}"}, timeout=30
        )

    def processes(self) -> dict[str, psutil.Process]:
        """Every program of it, by name."""
        run = json.loads((self.state / "run.json").read_text("utf-8"))
        return {
            name: psutil.Process(process["pid"])
            for name, process in run["processes"].items()
            if process["pid"] is not None
        }

    def memory(self) -> dict[str, float]:
        """Resident memory of each program and its children, in MB."""
        sizes: dict[str, float] = {}
        for name, process in self.processes().items():
            family = [process, *process.children(recursive=True)]
            sizes[name] = sum(one.memory_info().rss for one in family) / 1e6
        return sizes

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time used so far by each program."""
        return {name: sum(process.cpu_times()[:2]) for name, process in self.processes().items()}


def _jackfield(state: Path, *arguments: str) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "jackfield_cli", *arguments],
        env={**environment, "JACKFIELD_STATE_DIR": str(state)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=180,
    ).stdout


def _fresh_directory() -> Path:
    state = Path(tempfile.mkdtemp(prefix="jackfield-bench-"))
    state.chmod(0o755)  # PostgreSQL runs as another account when this one is root
    return state


@asynccontextmanager
async def installation() -> AsyncGenerator[Running]:
    """Start everything with fresh data, and end and remove it afterwards."""
    state = _fresh_directory()
    try:
        began = time.monotonic()
        await asyncio.to_thread(
            _jackfield, state, "up", "--detach", "--port-offset", str(PORT_OFFSET)
        )
        took = time.monotonic() - began
        known: dict[str, Any] = json.loads(
            await asyncio.to_thread(_jackfield, state, "env", "--json")
        )
        yield Running(
            url=known["JACKFIELD_URL"],
            webhook_url=known["JACKFIELD_WEBHOOK_URL"],
            api_key=known["JACKFIELD_API_KEY"],
            kafka=known["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
            state=state,
            start_seconds=took,
        )
    finally:
        await asyncio.to_thread(_jackfield, state, "down")
        shutil.rmtree(state, ignore_errors=True)


async def restart_seconds(state: Path) -> float:
    """Stop it and start it again on the same data: the warm start."""
    await asyncio.to_thread(_jackfield, state, "down")
    began = time.monotonic()
    await asyncio.to_thread(_jackfield, state, "up", "--detach", "--port-offset", str(PORT_OFFSET))
    return time.monotonic() - began
