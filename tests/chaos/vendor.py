"""The outside world of the chaos test: it records every call, fails some, and takes its time."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the vendor carried out."""

    life: str
    key: str
    lane: str
    number: int
    at: float


@dataclass
class VendorReceiver:
    """Answers lines; 503 to a share of them, and to all of them while `down`."""

    chance: random.Random
    calls: list[Call] = field(default_factory=list[Call])
    refused: int = 0
    down: bool = False
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(await self._answer(line))
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, line: bytes) -> bytes:
        asked = json.loads(line)
        if self.down or self.chance.random() < 0.01:
            self.refused += 1
            return b"503\n"
        # Carried out when it arrives: a caller that is killed while it waits does not undo that.
        self.calls.append(Call(**asked, at=time.monotonic()))
        await asyncio.sleep(self.chance.random() * 0.004)
        return b"200\n"
