"""A Kafka and a PostgreSQL of the chaos test's own, which it may kill and start again."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jackfield_cli.local.kafka import Kafka
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.ports import free_ports
from jackfield_cli.local.postgres import Postgres
from jackfield_cli.local.process import Program, await_ready, spawn, stop


@dataclass
class Server:
    """A program that keeps its data and its port over restarts. Its methods block."""

    program: Program
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.program.before_start is not None:
            self.program.before_start()
        with self.log.open("ab") as output:
            self.process = spawn(self.program, output)
        await_ready(self.program, self.process, self.log)

    def stop(self) -> None:
        assert self.process is not None
        stop(self.program, self.process)

    def kill(self) -> None:
        """As a power cut does, for this process."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class Servers:
    """Both, and where they are."""

    kafka: Server
    postgres: Server
    bootstrap_servers: str
    dsn: str

    def stop(self) -> None:
        for server in (self.kafka, self.postgres):
            if server.process is not None and server.process.poll() is None:
                server.stop()


def start_servers(directory: Path) -> Servers:
    """Start both. Durable, unlike the servers of other tests: what they acknowledge must outlive them."""
    ports = free_ports(3)
    kafka = Kafka(directory / "kafka", cache_directory(), ports[0], ports[1], settings={})
    postgres = Postgres(directory / "postgres", ports[2], settings={"deadlock_timeout": "200ms"})
    kafka.prepare()
    postgres.prepare()
    servers = Servers(
        Server(kafka.program(), directory / "kafka.log"),
        Server(postgres.program(), directory / "postgres.log"),
        kafka.bootstrap_servers,
        postgres.dsn,
    )
    try:
        servers.kafka.start()
        servers.postgres.start()
    except BaseException:
        servers.stop()
        raise
    return servers
