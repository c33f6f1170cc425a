"""Deliveries on local disk while Kafka is away: for vendors that do not send again.

Optional, and only as durable as the volume it is on. A delivery is accepted after its bytes were
fsynced, many in one. While anything is here, new deliveries queue up behind it; what is drained goes
to Kafka in the order it came. A crash in between sends what was drained last once more, with the same
ids.

    segment = *record         record = length(4) crc32(4) payload
    payload = JSON [partition, key, headers] LF value

A record that was cut off by a crash was never accepted: reading ends there.
"""

import asyncio
import fcntl
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final, Generic, TypeVar

import orjson
import structlog

from jackfield_common.errors import JackfieldError
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.record import Headers

log = structlog.get_logger(__name__)

W = TypeVar("W")

SEGMENT_BYTES: Final = 64 * 1024 * 1024
_FRAME: Final = Struct(">II")
_WINDOW_RECORDS: Final = 500
_WINDOW_BYTES: Final = 8 * 1024 * 1024
_AGAIN: Final = 0.1


class SpoolError(JackfieldError):
    """The directory cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as Kafka will get it."""

    partition: int
    key: bytes
    value: bytes
    headers: Headers

    def frame(self) -> bytes:
        """The bytes of the record in a segment."""
        head = orjson.dumps(
            [self.partition, self.key.decode(), [[k, v.decode("latin-1")] for k, v in self.headers]]
        )
        payload = head + b"\n" + self.value
        return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload

    @classmethod
    def from_payload(cls, payload: bytes) -> "Stored":
        """The record that `frame` wrote."""
        head, _, value = payload.partition(b"\n")
        partition, key, headers = orjson.loads(head)
        return cls(partition, key.encode(), value, [(k, v.encode("latin-1")) for k, v in headers])


class Window:
    """Records handed over together, and whether all of them are stored."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._failed = False
        self.done = asyncio.Event()

    def settle(self, stored: bool) -> None:
        """One of them is stored, or not known to be."""
        self._left -= 1
        self._failed = self._failed or not stored
        if self._left == 0:
            self.done.set()

    @property
    def stored(self) -> bool:
        """Whether every one is."""
        return self.done.is_set() and not self._failed


class Spool(Generic[W]):
    """A queue on disk. `publish` hands a record to Kafka, `settle` answers those who wait for the disk."""

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        *,
        publish: Callable[[Stored, Window], Reason | None],
        available: Callable[[], bool],
        settle: Callable[[list[W], bool], None],
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._publish = publish
        self._available = available
        self._settle = settle
        self._segment_bytes = segment_bytes
        self._segments: list[Path] = []
        self._active = -1
        self._active_size = 0
        self._lock = -1
        self._bytes = 0
        self._pending: list[tuple[bytes, W]] = []
        self._writing = False
        self._closing = False
        self._wake_writer = asyncio.Event()
        self._wake_drainer = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._read_from = 0
        self.count = 0
        """Records on disk that Kafka has not acknowledged."""

    @property
    def holding(self) -> bool:
        """Whether anything is here that a new delivery has to stand behind."""
        return self.count > 0 or self._writing or bool(self._pending)

    async def start(self) -> None:
        """Take the directory, count what is there, begin to drain. Raises SpoolError."""
        await asyncio.to_thread(self._open)
        self._tasks = [
            asyncio.create_task(self._write_all(), name="spool-write"),
            asyncio.create_task(self._drain_all(), name="spool-drain"),
        ]
        if self.count:
            log.info("spool_resumed", records=self.count, bytes=self._bytes)
            self._wake_drainer.set()

    async def stop(self) -> None:
        """Write what waits for it, then let go; the rest stays for the next start."""
        self._closing = True
        self._wake_writer.set()
        if self._tasks:
            await asyncio.wait(self._tasks[:1])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for descriptor in (self._active, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._active = self._lock = -1

    def append(self, record: Stored, waiter: W) -> Reason | None:
        """Queue a record to be written; `waiter` is settled then. Else why it was not taken."""
        frame = record.frame()
        if self._bytes + len(frame) > self._max_bytes:
            return Reason.KAFKA
        self._bytes += len(frame)
        self._pending.append((frame, waiter))
        self._wake_writer.set()
        return None

    # On disk.

    def _open(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SpoolError(f"{self._directory} is in use by another process") from None
        except OSError as error:
            raise SpoolError(f"{self._directory}: {error.strerror}") from None
        for path in sorted(self._directory.glob("*.spool")):
            count, size = self._counted(path)
            if count == 0:
                path.unlink()
                continue
            # what was cut off was never accepted, and nothing may be written behind it
            os.truncate(path, size)
            self._segments.append(path)
            self.count += count
            self._bytes += size
        self._new_segment()

    def _counted(self, path: Path) -> tuple[int, int]:
        count = offset = 0
        while True:
            records, end = self._read(path, offset)
            if not records:
                return count, offset
            count, offset = count + len(records), end

    def _new_segment(self) -> None:
        last = int(self._segments[-1].stem) if self._segments else 0
        path = self._directory / f"{last + 1:012d}.spool"
        if self._active >= 0:
            os.close(self._active)
        self._active = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._active_size = 0
        self._segments.append(path)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)  # the file's name has to survive as well
        finally:
            os.close(directory)

    def _write(self, frames: list[bytes]) -> None:
        if self._active_size >= self._segment_bytes:
            self._new_segment()
        data = memoryview(b"".join(frames))
        try:
            while data:
                data = data[os.write(self._active, data) :]
            os.fdatasync(self._active)
        except OSError:
            os.ftruncate(self._active, self._active_size)
            raise
        self._active_size += sum(map(len, frames))

    def _read(self, path: Path, offset: int, limit: int | None = None) -> tuple[list[Stored], int]:
        """Some records from `offset` on, up to `limit`, and where the next one begins."""
        records: list[Stored] = []
        with path.open("rb") as file:
            start = file.seek(offset)
            while len(records) < _WINDOW_RECORDS and offset - start < _WINDOW_BYTES:
                if limit is not None and offset >= limit:
                    break
                frame = file.read(_FRAME.size)
                if len(frame) < _FRAME.size:
                    break
                length, checksum = _FRAME.unpack(frame)
                payload = file.read(length)
                if len(payload) < length or zlib.crc32(payload) != checksum:
                    break
                records.append(Stored.from_payload(payload))
                offset += _FRAME.size + length
        return records, offset

    # The two loops.

    async def _write_all(self) -> None:
        while not self._closing:
            await self._wake_writer.wait()
            self._wake_writer.clear()
            while self._pending:
                batch, self._pending = self._pending, []
                self._writing = True
                frames = [frame for frame, _ in batch]
                try:
                    await asyncio.to_thread(self._write, frames)
                except OSError as error:
                    log.error("spool_not_written", error=error.strerror)
                    self._bytes -= sum(map(len, frames))
                    self._writing = False
                    self._settle([waiter for _, waiter in batch], False)
                else:
                    self.count += len(batch)
                    self._writing = False
                    self._settle([waiter for _, waiter in batch], True)
                self._wake_drainer.set()

    async def _drain_all(self) -> None:
        while True:
            await self._wake_drainer.wait()
            self._wake_drainer.clear()
            while self.count:
                if not self._available() or not await self._drain_some():
                    await asyncio.sleep(_AGAIN)

    async def _drain_some(self) -> bool:
        """Hand over one window and wait for it; False when it has to be done again."""
        path = self._segments[0]
        # of the file that is being written, only what is durable
        limit = self._active_size if path is self._segments[-1] else None
        records, end = await asyncio.to_thread(self._read, path, self._read_from, limit)
        if not records:
            if path is not self._segments[-1]:
                await self._drop_segment(path)
                return True
            return False
        window = Window(len(records))
        for index, record in enumerate(records):
            if self._publish(record, window) is not None:
                for _ in records[index:]:
                    window.settle(False)
                break
        await window.done.wait()
        if not window.stored:
            return False
        self._bytes -= end - self._read_from
        self._read_from = end
        self.count -= len(records)
        if not self.holding:
            # nobody writes now, and nothing is left to read: begin anew in the same file
            os.ftruncate(self._active, 0)
            self._active_size = self._read_from = self._bytes = 0
            for old in self._segments[:-1]:
                old.unlink()
            del self._segments[:-1]
            log.info("spool_drained")
        return True

    async def _drop_segment(self, path: Path) -> None:
        await asyncio.to_thread(path.unlink)
        self._segments.remove(path)
        self._read_from = 0
