"""One local installation: its directory, who runs it now, and what is known about the run."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import LOOPBACK, Ports
from jackfield_cli.local.supervisor import State

_POLL_SECONDS = 0.1


class Process(BaseModel):
    """A program of the run, as last reported. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    state: State
    detail: str
    pid: int | None
    restarts: int
    since: float
    ready_after_seconds: float | None


class Run(BaseModel):
    """The current or the last run, kept in `run.json`."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started_at: float
    ready_after_seconds: float | None
    ports: dict[str, int]
    kafka_bootstrap_servers: str
    external_kafka: bool
    external_postgres: bool
    servers_only: bool
    problem: str | None
    processes: dict[str, Process]

    def url(self, port: str) -> str:
        """The address of a listener, by its field in `Ports`."""
        return f"http://{LOOPBACK}:{self.ports[port]}"


@dataclass(frozen=True)
class Installation:
    """Where everything of one installation is."""

    directory: Path

    @property
    def logs(self) -> Path:
        """`<program>.log`, with `.1`, `.2`, … for older ones."""
        return self.directory / "logs"

    @property
    def keys(self) -> Path:
        """The services' keys, for JACKFIELD_KEYS_DIR."""
        return self.directory / "keys"

    @property
    def passwords(self) -> Path:
        """The services' database passwords, a file each."""
        return self.directory / "passwords"

    @property
    def api_key(self) -> Path:
        """The key of the HTTP API."""
        return self.directory / "api-key"

    @property
    def oauth_client(self) -> Path:
        """An OAuth client for local use; the oauth service makes it (JSON, mode 0600)."""
        return self.directory / "oauth-client.json"

    @property
    def run_file(self) -> Path:
        """The current or the last run as JSON."""
        return self.directory / "run.json"

    @property
    def _lock(self) -> Path:
        return self.directory / "lock"

    @contextmanager
    def held(self) -> Generator[None]:
        """Be the one supervisor of this installation.

        The kernel releases the lock when its holder dies, however it dies. Raises `LocalError`
        when another supervisor holds it, or the directory cannot be written.
        """
        try:
            self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LocalError(
                f"{self.directory} cannot be used: {error.strerror}.",
                "JACKFIELD_STATE_DIR names another place for data and logs.",
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalError(
                    f"Jackfield already runs from {self.directory}.",
                    "See `jackfield status`; `jackfield down` stops it.",
                ) from None
            yield
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Whether a supervisor runs this installation now."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    def write(self, run: Run) -> None:
        """Replace `run.json`. A full disk keeps the older content; the run goes on."""
        partial = self.run_file.with_name("run.json.partial")
        try:
            partial.write_text(run.model_dump_json(indent=1))
            partial.replace(self.run_file)
        except OSError:
            partial.unlink(missing_ok=True)

    def last_run(self) -> Run | None:
        """The current or the last run; None where there was none."""
        try:
            return Run.model_validate_json(self.run_file.read_bytes())
        except (FileNotFoundError, json.JSONDecodeError, ValidationError):
            return None

    def current_run(self) -> Run | None:
        """The run that goes on now; None where none does."""
        return self.last_run() if self.is_held() else None

    def stop(self, patience_seconds: float) -> bool:
        """Ask the supervisor to end everything and wait for it; False where none runs.

        One that has not ended after `patience_seconds` is killed, and its programs with it.
        """
        run = self.current_run()
        if run is None:
            return False
        try:
            supervisor = psutil.Process(run.pid)
            supervisor.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + patience_seconds
            while self.is_held():
                if time.monotonic() > deadline:
                    supervisor.kill()
                time.sleep(_POLL_SECONDS)
        except psutil.NoSuchProcess:
            pass
        return True

    def ports(self) -> Ports:
        """The ports of the current or the last run; the defaults before the first."""
        run = self.last_run()
        return Ports(**run.ports) if run else Ports.chosen(0)
