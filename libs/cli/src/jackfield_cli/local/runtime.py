"""Runs an installation: Kafka, PostgreSQL and the services, from nothing to ready to stopped."""

import asyncio
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from jackfield_cli.local import databases
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation, Process, Run
from jackfield_cli.local.kafka import Kafka, answers
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.ports import LOOPBACK, Ports, holder, is_free
from jackfield_cli.local.postgres import Postgres
from jackfield_cli.local.secret_files import kept, new_api_key
from jackfield_cli.local.services import Service, Surroundings, program, require_modules
from jackfield_cli.local.supervisor import Backoff, State, Status, Supervisor
from jackfield_common.sealing import create_missing_keys

NEEDED_BYTES = 300 * 1024 * 1024
_LINGERING_SECONDS = 10.0
_EXTERNAL_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What to run. `environment` names servers to use instead of the embedded ones."""

    installation: Installation
    ports: Ports
    services: tuple[Service, ...]
    environment: Mapping[str, str]
    backoff: Backoff = field(default_factory=Backoff)
    postgres_settings: Mapping[str, str] | None = None

    @property
    def external_kafka(self) -> str | None:
        """JACKFIELD_KAFKA_BOOTSTRAP_SERVERS, unless it is our own from an earlier `env`."""
        named = self.environment.get("JACKFIELD_KAFKA_BOOTSTRAP_SERVERS")
        return None if not named or named in self._own(self.embedded_kafka, "kafka") else named

    @property
    def external_postgres(self) -> str | None:
        """JACKFIELD_POSTGRES_DSN, unless it is our own from an earlier `env`."""
        named = self.environment.get("JACKFIELD_POSTGRES_DSN")
        if not named:
            return None
        _, _, address = urlsplit(named).netloc.rpartition("@")
        own = self._own(f"{LOOPBACK}:{self.ports.postgres}", "postgres")
        return None if address in own else named

    @property
    def embedded_kafka(self) -> str:
        """The bootstrap servers of the embedded Kafka."""
        return f"{LOOPBACK}:{self.ports.kafka}"

    def _own(self, address: str, port: str) -> set[str]:
        # A shell that evaluated `jackfield env` names the servers of the last run, which may
        # have had other ports.
        last = self.installation.last_run()
        return {address, f"{LOOPBACK}:{last.ports[port]}"} if last else {address}


def used_ports(plan: Plan) -> dict[str, int]:
    """The ports that something of this plan will listen on, by their field in `Ports`."""
    ports = plan.ports.as_dict()
    used: set[str] = set()
    if plan.external_kafka is None:
        used |= {"kafka", "kafka_controller"}
    if plan.external_postgres is None:
        used.add("postgres")
    for service in plan.services:
        used |= {service.ops, *service.listeners.values()}
    return {name: port for name, port in ports.items() if name in used}


async def run(plan: Plan, changed: Callable[[Run], None]) -> None:
    """Start everything, keep it running until SIGTERM, SIGINT or SIGHUP, end everything.

    `changed` hears of every change; `Run.ready_after_seconds` is set once all is ready. Raises
    `LocalError` when something keeps it from starting; whatever had started is ended first.
    A second signal ends the programs without their drain.
    """
    installation = plan.installation
    with installation.held():
        lingering = installation.run_file.exists()
        recorder = _Recorder(plan, changed)
        supervisor = Supervisor(installation.logs, recorder.processes_changed, plan.backoff)
        stop = _stop_signal(supervisor)
        try:
            starting = asyncio.create_task(_start(plan, supervisor, lingering))
            await _first(starting, stop)
            if not stop.done():
                recorder.ready()
                await stop
        except LocalError as error:
            recorder.failed(error)
            raise
        finally:
            await supervisor.stop()
            recorder.stopped()


async def _first(starting: asyncio.Task[None], stop: asyncio.Future[None]) -> None:
    """Wait until all has started, or cancel that when it is time to stop."""
    await asyncio.wait([starting, stop], return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        return
    starting.cancel()
    await asyncio.wait([starting])


async def _start(plan: Plan, supervisor: Supervisor, lingering: bool) -> None:
    _require_space(plan.installation)
    require_modules(plan.services)
    await _require_ports(plan, lingering)
    supervisor.announce(["kafka", "postgres", *(each.name for each in plan.services)])
    kafka, postgres = await asyncio.gather(
        _embedded_kafka(plan, supervisor), _embedded_postgres(plan, supervisor)
    )
    servers = [each.program() for each in (kafka, postgres) if each is not None]
    await asyncio.gather(supervisor.start(servers), _external_kafka(plan, supervisor))
    dsn = plan.external_postgres or (postgres.dsn if postgres else "")
    names = [each.name for each in plan.services]
    dsns = await databases.prepare(dsn, names, plan.installation.passwords)
    if plan.external_postgres:
        supervisor.report("postgres", State.READY, "named by JACKFIELD_POSTGRES_DSN")
    surroundings = await asyncio.to_thread(_surroundings, plan, dsns)
    await supervisor.start(
        [program(each, surroundings, plan.environment) for each in plan.services]
    )


def _surroundings(plan: Plan, dsns: Mapping[str, str]) -> Surroundings:
    installation = plan.installation
    create_missing_keys(installation.keys)
    kept(installation.api_key, new_api_key)
    return Surroundings(
        ports=plan.ports,
        kafka_bootstrap_servers=plan.external_kafka or plan.embedded_kafka,
        postgres_dsns=dsns,
        keys_directory=installation.keys,
        api_key_file=installation.api_key,
        oauth_client_file=installation.oauth_client,
    )


async def _embedded_kafka(plan: Plan, supervisor: Supervisor) -> Kafka | None:
    if plan.external_kafka:
        return None
    kafka = Kafka(
        directory=plan.installation.directory / "kafka",
        cache=cache_directory(),
        port=plan.ports.kafka,
        controller_port=plan.ports.kafka_controller,
        settings={},
    )
    loop = asyncio.get_running_loop()
    given_up = threading.Event()

    def progress(done: int, of: int) -> None:
        if given_up.is_set():
            raise LocalError("The download was interrupted.", "Start again.")
        detail = f"download of Apache Kafka, file {done} of {of}"
        loop.call_soon_threadsafe(supervisor.report, "kafka", State.PREPARING, detail)

    supervisor.report("kafka", State.PREPARING, "its storage")
    try:
        await asyncio.to_thread(kafka.prepare, progress)
    finally:
        given_up.set()
    return kafka


async def _embedded_postgres(plan: Plan, supervisor: Supervisor) -> Postgres | None:
    if plan.external_postgres:
        return None
    postgres = Postgres(
        directory=plan.installation.directory / "postgres",
        port=plan.ports.postgres,
        settings=plan.postgres_settings or {},
    )
    supervisor.report("postgres", State.PREPARING, "its data")
    await asyncio.to_thread(postgres.prepare)
    return postgres


async def _external_kafka(plan: Plan, supervisor: Supervisor) -> None:
    servers = plan.external_kafka
    if servers is None:
        return
    supervisor.report("kafka", State.STARTING, f"answer on {servers}")
    try:
        async with asyncio.timeout(_EXTERNAL_SECONDS):
            while True:
                if await asyncio.to_thread(answers, servers):
                    break
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise LocalError(
            f"No Kafka answers on {servers}, which JACKFIELD_KAFKA_BOOTSTRAP_SERVERS names.",
            "Start it, or unset the variable to use the one that comes with Jackfield.",
        ) from None
    supervisor.report("kafka", State.READY, "named by JACKFIELD_KAFKA_BOOTSTRAP_SERVERS")


def _require_space(installation: Installation) -> None:
    free = shutil.disk_usage(installation.directory).free
    if free < NEEDED_BYTES:
        raise LocalError(
            f"Only {free // 2**20} MB are free where {installation.directory} is.",
            f"Free at least {NEEDED_BYTES // 2**20} MB, or let JACKFIELD_STATE_DIR name another "
            "place.",
        )


async def _require_ports(plan: Plan, lingering: bool) -> None:
    ports = used_ports(plan)
    # What a killed run left is about to end: the kernel told it to.
    deadline = time.monotonic() + (_LINGERING_SECONDS if lingering else 0)
    while taken := [name for name, port in ports.items() if not is_free(port)]:
        if time.monotonic() >= deadline:
            name = taken[0]
            port = ports[name]
            by = await asyncio.to_thread(holder, port)
            raise LocalError(
                f"Port {port} ({name}) is in use{f' by {by}' if by else ''}.",
                f"Stop what uses it, move this one (JACKFIELD_{name.upper()}_PORT) or all of "
                "them (--port-offset 100).",
            )
        await asyncio.sleep(0.1)


def _stop_signal(supervisor: Supervisor) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def received() -> None:
        if stop.done():
            supervisor.kill()
        else:
            stop.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, received)
    return stop


class _Recorder:
    """Keeps `run.json` true and tells whoever shows it."""

    def __init__(self, plan: Plan, changed: Callable[[Run], None]) -> None:
        self._installation = plan.installation
        self._tell = changed
        self._began = time.monotonic()
        self._run = Run(
            pid=os.getpid(),
            started_at=time.time(),
            ready_after_seconds=None,
            ports=plan.ports.as_dict(),
            kafka_bootstrap_servers=plan.external_kafka or plan.embedded_kafka,
            external_kafka=plan.external_kafka is not None,
            external_postgres=plan.external_postgres is not None,
            servers_only=not plan.services,
            problem=None,
            processes={},
        )
        self._publish()

    def processes_changed(self, statuses: Mapping[str, Status]) -> None:
        processes = {name: Process(**asdict(status)) for name, status in statuses.items()}
        self._run = self._run.model_copy(update={"processes": processes})
        self._publish()

    def ready(self) -> None:
        took = round(time.monotonic() - self._began, 2)
        self._run = self._run.model_copy(update={"ready_after_seconds": took})
        self._publish()

    def failed(self, error: LocalError) -> None:
        self._run = self._run.model_copy(update={"problem": str(error)})
        self._publish()

    def stopped(self) -> None:
        self._publish()

    def _publish(self) -> None:
        self._installation.write(self._run)
        self._tell(self._run)
