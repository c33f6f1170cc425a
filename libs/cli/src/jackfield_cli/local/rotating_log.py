"""Log files that do not grow without bound."""

from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
KEPT = 3


class RotatingLog:
    """Appends to `path`; when it is full, `path` becomes `path.1`, `path.1` becomes `path.2`, ….

    At most `kept` old files of `max_bytes` each stay. Lines are not torn apart unless one is
    longer than a write. A disk that is full loses lines and counts them in `lost_bytes`: the
    program whose output this is must not be stopped by it.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self.lost_bytes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append raw output; rotates at a line's end."""
        try:
            end = chunk.rfind(b"\n") + 1
            if self._file.tell() + len(chunk) > self._max_bytes and end:
                self._file.write(chunk[:end])
                self._rotate()
                chunk = chunk[end:]
            self._file.write(chunk)
        except OSError:
            self.lost_bytes += len(chunk)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        try:
            for number in range(self._kept, 0, -1):
                source = self._numbered(number - 1)
                if source.exists():
                    source.replace(self._numbered(number))
        finally:
            self._file = self._path.open("ab", buffering=0)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
