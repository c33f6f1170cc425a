"""Each image, rehearsed without a container engine: its build steps in an empty directory, its entry
point with the variables of docker-compose.yml, and its health check until it holds.

What only an engine can do is left out by name: making the user, and running as it.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SERVICES = ("oauth", "connectors", "webhooks", "gateway", "certification")
ENGINE_ONLY = ("groupadd",)


@dataclass(frozen=True)
class Stage:
    name: str
    parent: str
    steps: tuple[tuple[str, str], ...]


def stages() -> dict[str, Stage]:
    text = (ROOT / "deploy/Dockerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    found: dict[str, Stage] = {}
    for block in re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]:
        first, *rest = block.strip().splitlines()
        _, parent, _, name = first.split()
        steps = tuple((line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in rest if line)
        found[name] = Stage(name, parent, steps)
    return found


class Rehearsal:
    """A directory that stands for an image's file system."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment: dict[str, str] = {}
        self.entry: list[str] = []
        self.health: list[str] = []
        (directory / "work").mkdir(parents=True)

    def build(self, stage: Stage, known: dict[str, Stage]) -> None:
        if stage.parent in known:
            self.build(known[stage.parent], known)
        for word, rest in stage.steps:
            match word:
                case "COPY":
                    self._copy(rest)
                case "RUN":
                    if not rest.startswith(ENGINE_ONLY):
                        self._run(rest)
                case "ENV":
                    self.environment |= dict(one.split("=", 1) for one in shlex.split(rest))
                case "ENTRYPOINT":
                    self.entry = json.loads(rest)
                case "HEALTHCHECK":
                    self.health = json.loads(rest.partition("CMD ")[2] or "[]")
                case _:
                    assert word in ("WORKDIR", "USER", "EXPOSE", "CMD"), word

    def command(self, words: list[str]) -> list[str]:
        return [str(self.directory / "opt/jackfield/bin" / words[0]), *words[1:]]

    def _copy(self, rest: str) -> None:
        if rest.startswith("--from"):
            return  # the build stage is rehearsed in the same directory
        source, target = rest.split()
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info")
        into = self.directory / "work" / target
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, into, ignore=ignored, dirs_exist_ok=True)
        else:
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, into)

    def _run(self, command: str) -> None:
        line = command.replace("/opt/jackfield", str(self.directory / "opt/jackfield"))
        path = f"{self.directory / 'opt/jackfield/bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        subprocess.run(
            ["sh", "-c", line],
            cwd=self.directory / "work",
            env={**os.environ, "PATH": path},
            check=True,
            timeout=400,
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """All targets, built one on the other: they share the environment of the build stage."""
    directory = tmp_path_factory.mktemp("image")
    rehearsal = Rehearsal(directory)
    known = stages()
    rehearsal.build(known["build"], {})
    yield rehearsal
    shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compose_environment(service: str, ports: dict[str, int], **replaced: str) -> dict[str, str]:
    """The service's variables, with the addresses of containers replaced by local ones."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    given = {
        name: str(value) for name, value in compose["services"][service]["environment"].items()
    }
    given |= {name: value for name, value in replaced.items() if name in given}
    given["JACKFIELD_OTLP_ENDPOINT"] = ""
    for name, port in ports.items():
        given[name] = str(port)
    return given


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_image_builds_starts_and_becomes_healthy(
    image: Rehearsal, kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    known = stages()
    ports = {service: free_port() for service in SERVICES}
    api, webhook, oauth = free_port(), free_port(), free_port()
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    subprocess.run(
        [*image.command(["python", "-m", "jackfield_common.prepare"]), str(secrets)], check=True
    )
    running: list[subprocess.Popen[bytes]] = []
    started: list[tuple[Rehearsal, dict[str, str], subprocess.Popen[bytes], Path]] = []
    try:
        for service in SERVICES:
            target = Rehearsal(tmp_path / service)
            (target.directory / "opt").symlink_to(image.directory / "opt")
            stage = known[service]
            target.build(stage, {name: known[name] for name in ("base",)})
            environment = target.environment | compose_environment(
                service,
                {
                    "JACKFIELD_OPS_PORT": ports[service],
                    "JACKFIELD_API_PORT": api,
                    "JACKFIELD_WEBHOOK_PORT": webhook,
                    "JACKFIELD_OAUTH_PORT": oauth,
                },
                JACKFIELD_KAFKA_BOOTSTRAP_SERVERS=kafka,
                JACKFIELD_POSTGRES_DSN=database,
                JACKFIELD_KEYS_DIR=str(secrets / "keys"),
                JACKFIELD_API_KEY_FILE=str(secrets / "api-key"),
                JACKFIELD_PUBLIC_URL=f"http://127.0.0.1:{webhook}",
                JACKFIELD_ISSUER=f"http://127.0.0.1:{oauth}",
                JACKFIELD_API_URL=f"http://127.0.0.1:{api}",
                JACKFIELD_WEBHOOK_URL=f"http://127.0.0.1:{webhook}",
                JACKFIELD_EMULATOR_NAME="127.0.0.1",
                JACKFIELD_EGRESS_ALLOW="127.0.0.0/8",
            )
            environment |= {"JACKFIELD_TOPIC_PREFIX": topic_prefix, "PATH": "/usr/bin:/bin"}
            with (tmp_path / f"{service}.log").open("wb") as output:
                process = subprocess.Popen(
                    target.command(target.entry),
                    cwd=target.directory / "work",
                    env=environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            running.append(process)
            started.append((target, environment, process, tmp_path / f"{service}.log"))
        for one in started:
            await healthy(*one)
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            assert await asyncio.to_thread(process.wait, 30) == 0
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()


async def healthy(
    target: Rehearsal, environment: dict[str, str], process: subprocess.Popen[bytes], log: Path
) -> None:
    """Run the image's health check as the engine would, until it holds."""
    said = b""
    for _ in range(120):
        assert process.poll() is None, log.read_text("utf-8")[-4000:]
        check = await asyncio.to_thread(
            subprocess.run,
            target.command(target.health),
            env=environment,
            stdout=subprocess.PIPE,
            check=False,
        )
        if check.returncode == 0:
            return
        said = check.stdout
        await asyncio.sleep(0.25)
    raise AssertionError(said.decode() + log.read_text("utf-8")[-4000:])
