"""Dependencies that a test may take away: a broker of its own, and a way to the database."""

import asyncio
import signal
import subprocess
from pathlib import Path
from typing import Self

from jackfield_cli.local.kafka import Kafka
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.ports import free_ports
from jackfield_cli.local.process import await_ready, spawn, stop


class OwnBroker:
    """A Kafka that a test may stop and let go on."""

    def __init__(self, directory: Path) -> None:
        port, controller_port = free_ports(2)
        self._broker = Kafka(directory, cache_directory(), port, controller_port, settings={})
        self._log = directory / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap_servers = self._broker.bootstrap_servers

    def __enter__(self) -> Self:
        self._broker.prepare()
        with self._log.open("ab") as output:
            self._process = spawn(self._broker.program(), output)
        await_ready(self._broker.program(), self._process, self._log)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.go_on()
            stop(self._broker.program(), self._process)

    def freeze(self) -> None:
        """Answer nothing more, with every connection open: the worst way to be away."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Be back."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Way:
    """A TCP way to a server, which can be closed and opened again."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        while self._open:
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
            self._open.add(there_writer)
            try:
                await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))
            finally:
                self._open.discard(there_writer)
                there_writer.close()
        except OSError:
            pass  # cut: that is what it is for
        finally:
            self._open.discard(writer)
            writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
