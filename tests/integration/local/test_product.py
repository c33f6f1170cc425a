"""The command against the whole product: what the README promises to someone who just cloned it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from jackfield_cli.exits import Exit
from jackfield_cli.local.installation import Installation, Run
from jackfield_cli.local.ports import Ports, free_ports
from jackfield_cli.local.services import SERVICES
from jackfield_cli.local.supervisor import State
from tests.integration.local.programs import alive, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMAND = (sys.executable, "-m", "jackfield_cli")


@dataclass(frozen=True)
class Product:
    """A running product, and the command with the environment that finds it."""

    environment: dict[str, str]
    installation: Installation

    def jackfield(self, *arguments: str, status: int = Exit.OK) -> str:
        """Run the command; its standard output."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str, status: int = Exit.OK) -> Any:
        """Run the command with --json; what it printed."""
        return json.loads(self.jackfield(*arguments, "--json", status=status))

    def run(self) -> Run:
        """The run that goes on."""
        run = self.installation.current_run()
        assert run is not None
        return run


@pytest.fixture(scope="module")
def product() -> Generator[Product]:
    directory = Path(tempfile.mkdtemp(prefix="jackfield-test-"))
    directory.chmod(0o711)
    # Servers of its own: another run may have left its logins in those that are named.
    environment = {key: value for key, value in os.environ.items() if "JACKFIELD_" not in key}
    names = list(Ports().as_dict())
    for name, port in zip(names, free_ports(len(names)), strict=True):
        environment[f"JACKFIELD_{name.upper()}_PORT"] = str(port)
    environment["JACKFIELD_STATE_DIR"] = str(directory / "state")
    product = Product(environment, Installation(directory / "state"))
    try:
        summary = product.jackfield("up", "--detach")
        assert "Jackfield is ready" in summary
        assert "private addresses" in summary
        yield product
    finally:
        supervisor = product.installation.current_run()
        if supervisor is not None:
            psutil.Process(supervisor.pid).kill()
        shutil.rmtree(directory, ignore_errors=True)


def test_everything_is_ready(product: Product) -> None:
    status = product.json("status")
    assert status["running"] is True
    names = {"kafka", "postgres", *(each.name for each in SERVICES)}
    assert {name: each["state"] for name, each in status["processes"].items()} == dict.fromkeys(
        names, "ready"
    )


def test_a_shell_learns_where_everything_is(product: Product) -> None:
    script = f'eval "$({" ".join(COMMAND)} env)" && {" ".join(COMMAND)} installed --json'
    names = ("JACKFIELD_URL", "JACKFIELD_WEBHOOK_URL", "JACKFIELD_OAUTH_URL", "JACKFIELD_API_KEY")
    script += "".join(f' && test -n "${name}"' for name in names)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env=product.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


def test_the_demo_succeeds_and_cleans_up(product: Product) -> None:
    outcome = product.json("demo")
    assert outcome["message"] == "Codertocat pushed to Codertocat/Hello-World (refs/heads/main)"
    assert outcome["refused_with"] == 401
    hops = [each["milliseconds"] for each in outcome["hops"]]
    assert len(hops) == 6
    assert hops == sorted(hops)
    assert product.json("installed") == []
    assert product.json("routes", "list") == []


def test_an_integration_comes_and_goes(product: Product) -> None:
    made = product.json("install", "github", "--name", "Our [red]code", "-s", "webhook_secret=s3")
    id = made["integration_id"]
    assert made["webhook_secret_configured"] is True
    assert "Our [red]code" in product.jackfield("installed")
    changed = product.json("configure", id, "--config", "repo=acme/shop", "--disable")
    assert changed["config"]["repo"] == "acme/shop"
    assert changed["enabled"] is False
    route = product.json(
        *("routes", "add", "pushes", "--from", id, "-e", "push"),
        *(
            "--to",
            id,
            "--action",
            "create_issue",
            "--input",
            '{"repo": "acme/shop", "title": "hello"}',
        ),
    )
    assert [each["subscription_id"] for each in product.json("routes", "list")] == [
        route["subscription_id"]
    ]
    product.jackfield("routes", "remove", route["subscription_id"])
    product.jackfield("uninstall", id)
    assert product.json("installed") == []


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("install", "nothing"), Exit.REFUSED, "no template"),
        (("install", "github", "-c", "bogus=1"), Exit.REFUSED, "config_overrides.bogus"),
        (("installed", "nope"), Exit.REFUSED, "no integration"),
        (("install", "github", "-c", "bogus"), Exit.USAGE, "name=value"),
        (("call", "x", "y", "--input", "[1]"), Exit.USAGE, "JSON object"),
    ],
)
def test_refusals_say_what_to_do(
    product: Product, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments], env=product.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_key_is_refused_and_silence_is_told_apart(product: Product) -> None:
    environment = {**product.environment, "JACKFIELD_URL": product.run().url("api")}
    for url, key, status in (
        (environment["JACKFIELD_URL"], "jf_wrong", Exit.REFUSED),
        (f"http://127.0.0.1:{free_ports(1)[0]}", "jf_wrong", Exit.UNREACHABLE),
        (environment["JACKFIELD_URL"], "", Exit.FAILED),
    ):
        named = {**environment, "JACKFIELD_URL": url, "JACKFIELD_API_KEY": key}
        done = subprocess.run([*COMMAND, "installed"], env=named, capture_output=True, check=False)
        assert done.returncode == status


def test_killed_services_come_back_and_the_demo_succeeds(product: Product) -> None:
    names = [each.name for each in SERVICES]
    before = product.run().processes
    for name in names:
        pid = before[name].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def are_back() -> bool:
        now = product.run().processes
        return all(
            now[name].state is State.READY and now[name].restarts > before[name].restarts
            for name in names
        )

    eventually(are_back, "all services are ready again")
    assert product.json("demo")["refused_with"] == 401


def test_nothing_is_left_after_down(product: Product) -> None:
    """The last one: it ends the product."""
    supervisor = psutil.Process(product.run().pid)
    children = supervisor.children(recursive=True)
    assert len(children) > len(SERVICES)
    assert "Stopped" in product.jackfield("down")
    eventually(lambda: not any(alive(each.pid) for each in children), "every process ended")
    product.jackfield("status", status=Exit.NOT_RUNNING)
    assert (product.installation.api_key.stat().st_mode & 0o777) == 0o600
