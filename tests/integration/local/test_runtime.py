"""A whole installation: started, killed, started again. The services are fakes, nothing else."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from jackfield_cli.local.access import access
from jackfield_cli.local.installation import Installation, Run
from jackfield_cli.local.ports import LOOPBACK, Ports, free_ports
from jackfield_cli.local.postgres import postgres_for_tests
from jackfield_cli.local.supervisor import State
from tests.integration.local import fakes
from tests.integration.local.programs import alive, eventually

SCRIPT = Path(fakes.__file__)
ALL = ("gateway", "oauth", "webhooks", "connectors", "certification")


class Runner:
    """Starts installations in one state directory, as the command would."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.installation = Installation(directory / "state")
        names = list(Ports().as_dict())
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._directory = directory
        self.environment = environment
        fakes.write_fake(directory)

    @contextmanager
    def started(self, *services: str) -> Generator[subprocess.Popen[str]]:
        """Run in the background; killed at the end if it still runs."""
        wanted = {
            "directory": str(self.installation.directory),
            "ports": self.ports,
            "services": services,
            "postgres_settings": {"fsync": "off"},
        }
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(wanted)],
            env={
                **os.environ,
                **self.environment,
                "PYTHONPATH": str(self._directory),
                "FAKE_DIRECTORY": str(self._directory),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def ready(self, process: subprocess.Popen[str]) -> Run:
        """Wait until all is ready."""

        def is_ready() -> bool:
            if process.poll() is not None:
                assert process.stderr is not None
                raise AssertionError(process.stderr.read())
            run = self.installation.last_run()
            return (
                run is not None
                and run.pid == process.pid
                and run.ready_after_seconds is not None
                and all(each.state is State.READY for each in run.processes.values())
            )

        eventually(is_ready, "everything is ready")
        run = self.installation.current_run()
        assert run is not None
        return run

    def told(self, ops_port: str) -> dict[str, str]:
        """The settings that the service on this port was given."""
        return json.loads((self._directory / f"{self.ports[ops_port]}.json").read_text())


@pytest.fixture
def directory() -> Generator[Path]:
    # As for the servers of the run: the account that PostgreSQL may run as must get there.
    directory = Path(tempfile.mkdtemp(prefix="jackfield-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(servers_directory: Path) -> Generator[str]:
    """A PostgreSQL of these tests' own: they set the passwords of the product's logins."""
    place = servers_directory / "test_runtime"
    place.mkdir(mode=0o711)
    with postgres_for_tests(place) as dsn:
        yield dsn


@pytest.fixture
def runner(kafka: str, cluster: str, directory: Path) -> Runner:
    """On servers that are up already, so that a start takes a second."""
    named = {"JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka, "JACKFIELD_POSTGRES_DSN": cluster}
    return Runner(directory, named)


@pytest.fixture
def embedded(directory: Path) -> Runner:
    """On servers of its own."""
    nothing = {"JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": "", "JACKFIELD_POSTGRES_DSN": ""}
    return Runner(directory, nothing)


def pids(run: Run) -> list[int]:
    return [each.pid for each in run.processes.values() if each.pid is not None]


def test_services_are_told_where_everything_is(runner: Runner, kafka: str) -> None:
    with runner.started(*ALL) as process:
        runner.ready(process)
        gateway = runner.told("gateway_ops")
        certification = runner.told("certification_ops")
        oauth = runner.told("oauth_ops")
        process.terminate()
        assert process.wait(30) == 0
    ports = runner.ports
    assert gateway["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"] == kafka
    assert gateway["JACKFIELD_API_PORT"] == str(ports["api"])
    assert gateway["JACKFIELD_WEBHOOK_PORT"] == str(ports["webhook"])
    assert gateway["JACKFIELD_PUBLIC_URL"] == f"http://127.0.0.1:{ports['webhook']}"
    assert gateway["JACKFIELD_EGRESS_ALLOW"] == "127.0.0.0/8,::1/128"
    assert oauth["JACKFIELD_OAUTH_PORT"] == str(ports["oauth"])
    assert oauth["JACKFIELD_ISSUER"] == f"http://127.0.0.1:{ports['oauth']}"
    assert "JACKFIELD_API_KEY_FILE" not in oauth
    assert certification["JACKFIELD_API_URL"] == f"http://127.0.0.1:{ports['api']}"
    key = Path(certification["JACKFIELD_API_KEY_FILE"])
    assert key == Path(gateway["JACKFIELD_API_KEY_FILE"])
    assert key.read_text().startswith("jf_")
    assert len(key.read_text()) == len("jf_") + 43
    assert key.stat().st_mode & 0o777 == 0o600
    keys = Path(gateway["JACKFIELD_KEYS_DIR"])
    assert {"gateway.jwks", "public.jwks"} <= {each.name for each in keys.iterdir()}


async def test_a_service_sees_its_own_schema_and_no_other(runner: Runner) -> None:
    with runner.started("gateway", "oauth") as process:
        runner.ready(process)
        gateway_dsn = runner.told("gateway_ops")["JACKFIELD_POSTGRES_DSN"]
        oauth_dsn = runner.told("oauth_ops")["JACKFIELD_POSTGRES_DSN"]
    oauth = await asyncpg.connect(oauth_dsn)
    gateway = await asyncpg.connect(gateway_dsn)
    try:
        await oauth.execute("CREATE TABLE IF NOT EXISTS grants (id int)")
        schema = await oauth.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 'grants'")
        assert schema == "oauth"
        for statement in (
            "SELECT * FROM oauth.grants",
            "CREATE TABLE oauth.mine (id int)",
            "CREATE TABLE public.everyones (id int)",
            "CREATE SCHEMA another",
            "SET ROLE jackfield_oauth",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await gateway.execute(statement)
    finally:
        await oauth.close()
        await gateway.close()


def test_a_killed_service_is_restarted_and_status_says_so(runner: Runner) -> None:
    with runner.started("gateway", "oauth") as process:
        before = runner.ready(process).processes["gateway"]
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)

        def again() -> bool:
            run = runner.installation.current_run()
            assert run is not None
            now = run.processes["gateway"]
            return now.restarts == 1 and now.state is State.READY and now.pid != before.pid

        eventually(again, "the gateway is ready again")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(runner: Runner, number: signal.Signals) -> None:
    with runner.started("gateway", "oauth") as process:
        children = pids(runner.ready(process))
        assert len(children) == 2
        process.send_signal(number)
        assert process.wait(30) == 0
    assert not any(alive(pid) for pid in children)
    assert not runner.installation.is_held()
    run = runner.installation.last_run()
    assert run is not None
    assert run.processes["gateway"].state is State.STOPPED


def test_a_second_ctrl_c_does_not_wait_for_the_drain(runner: Runner) -> None:
    runner.environment["FAKE_STUBBORN"] = "1"
    with runner.started("gateway") as process:
        children = pids(runner.ready(process))
        process.send_signal(signal.SIGINT)

        def stops() -> bool:
            run = runner.installation.last_run()
            return run is not None and run.processes["gateway"].state is State.STOPPING

        eventually(stops, "the gateway is asked to stop")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert time.monotonic() - began < 10, "the drain would take 15 s"
    assert not any(alive(pid) for pid in children)


def test_a_supervisor_that_is_killed_leaves_nothing_and_the_next_one_starts(
    runner: Runner,
) -> None:
    with runner.started("gateway", "oauth") as process:
        children = pids(runner.ready(process))
        process.kill()
        process.wait()
        # What it left is stale: a run file that names processes, a lock file nobody holds.
        assert runner.installation.run_file.exists()
        assert runner.installation.current_run() is None
        with runner.started("gateway", "oauth") as again:
            fresh = pids(runner.ready(again))
    assert not any(alive(pid) for pid in children)
    eventually(lambda: not any(alive(pid) for pid in fresh), "the second run ended as well")


def test_a_second_supervisor_is_refused(runner: Runner) -> None:
    with runner.started("gateway") as first:
        runner.ready(first)
        with runner.started("gateway") as second:
            _, words = second.communicate(timeout=30)
            assert second.returncode == 1
            assert "already runs from" in words
        assert first.poll() is None


def test_a_port_in_use_is_one_clear_line(runner: Runner) -> None:
    with (
        socket.create_server((LOOPBACK, runner.ports["api"])),
        runner.started("gateway") as process,
    ):
        _, words = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Port {runner.ports['api']} (api) is in use by" in words
    assert f"(process {os.getpid()})" in words
    assert "--port-offset" in words
    assert len(words.splitlines()) == 1


def test_a_missing_module_is_one_clear_line(runner: Runner, directory: Path) -> None:
    shutil.rmtree(directory / "fake_service")
    with runner.started("gateway") as process:
        _, words = process.communicate(timeout=30)
    assert process.returncode == 1
    assert words.startswith("Not installed: fake_service.")
    assert len(words.splitlines()) == 1


async def test_embedded_servers_survive_being_killed(embedded: Runner) -> None:
    with embedded.started("gateway") as process:
        run = embedded.ready(process)
        children = pids(run)
        assert set(run.processes) == {"kafka", "postgres", "gateway"}
        dsn = access(embedded.installation).postgres_dsn
        connection = await asyncpg.connect(dsn)
        await connection.execute("CREATE TABLE kept (id int)")
        await connection.execute("INSERT INTO kept VALUES (42)")
        process.kill()
        process.wait()
        connection.terminate()
    eventually(lambda: not any(alive(pid) for pid in children), "all of them ended")
    # A lock file that names a process of somebody else, as after a restart of the machine.
    lock = next(embedded.installation.directory.glob("postgres/**/postmaster.pid"), None)
    if lock is not None:
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with embedded.started("gateway") as process:
        embedded.ready(process)
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT id FROM kept") == 42
        await connection.close()
        process.terminate()
        assert process.wait(30) == 0


async def test_addresses_of_an_earlier_run_are_not_taken_for_somebody_elses_servers(
    embedded: Runner,
) -> None:
    """A shell that evaluated `jackfield env` starts it again."""
    with embedded.started() as process:
        embedded.ready(process)
        variables = access(embedded.installation).variables()
        process.terminate()
        assert process.wait(30) == 0
    embedded.environment.update(variables)
    with embedded.started() as process:
        run = embedded.ready(process)
        assert not run.external_kafka
        assert not run.external_postgres


def test_servers_that_do_not_answer_are_one_clear_line(embedded: Runner) -> None:
    nowhere = free_ports(1)[0]
    dsn = urlunsplit(("postgresql", f"someone@{LOOPBACK}:{nowhere}", "/postgres", "", ""))
    embedded.environment["JACKFIELD_POSTGRES_DSN"] = dsn
    with embedded.started("gateway") as process:
        _, words = process.communicate(timeout=60)
    assert process.returncode == 1
    assert words.startswith("PostgreSQL could not be set up:")
    assert urlsplit(dsn).netloc in dsn
