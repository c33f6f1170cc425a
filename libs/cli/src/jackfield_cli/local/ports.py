"""TCP ports: which ones the local runtime uses, and whether they are to be had."""

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields

import psutil

from jackfield_cli.local.errors import LocalError

LOOPBACK = "127.0.0.1"
LARGEST_PORT = 65_535


@dataclass(frozen=True)
class Ports:
    """Every port of one local installation. All are on loopback."""

    api: int = 8080
    webhook: int = 8090
    oauth: int = 8081
    kafka: int = 9092
    kafka_controller: int = 9093
    postgres: int = 15432
    gateway_ops: int = 9180
    oauth_ops: int = 9181
    webhooks_ops: int = 9182
    connectors_ops: int = 9183
    certification_ops: int = 9184

    @classmethod
    def chosen(cls, offset: int, environment: Mapping[str, str] = os.environ) -> "Ports":
        """The defaults moved by `offset`; JACKFIELD_API_PORT and so on name single ones.

        Raises `LocalError` when a port is not a number from 1 to 65535.
        """
        ports: dict[str, int] = {}
        for each in fields(cls):
            variable = f"JACKFIELD_{each.name.upper()}_PORT"
            named = environment.get(variable)
            try:
                port = int(named) if named else int(str(each.default)) + offset
            except ValueError:
                port = 0
            if not 1 <= port <= LARGEST_PORT:
                raise LocalError(
                    f"{named or port} is no port for {variable}.",
                    f"Give a number from 1 to {LARGEST_PORT}, or another --port-offset.",
                )
            ports[each.name] = port
        return cls(**ports)

    def as_dict(self) -> dict[str, int]:
        """Name → port."""
        return asdict(self)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, all different. Another program may take one any time."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: a connection of the last run that lingers is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str | None:
    """The program that listens on the port, as `name (process N)`; None where it is not told."""
    # Another user's sockets may be hidden, and the process may end between the two questions.
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None
