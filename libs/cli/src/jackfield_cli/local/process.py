"""A program of the local runtime: how to start it, how to know it is ready, how to end it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from jackfield_cli.local.errors import LocalError

LEASH = Path(__file__).with_name("leash.py")
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Account:
    """The operating system account a program runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """One process to run beside the others.

    `waits_for` is asked again and again after the start: it says what is missing, or None when
    the program is ready; it answers within about a second and never raises. `stop_signal` asks
    the program to end, SIGKILL follows after `drain_seconds`. `orphan_signal` is what the kernel
    sends it when whoever started it dies. `before_start` heals what an earlier run left; it may
    block, and raises `LocalError` where that cannot be.
    """

    name: str
    argv: tuple[str, ...]
    waits_for: Callable[[], str | None]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    account: Account | None = None
    directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    drain_seconds: float = 15.0
    start_seconds: float = 60.0
    before_start: Callable[[], None] | None = None
    hopeless: frozenset[int] = frozenset()
    """Exit statuses after which a restart would end the same way."""


def command_line(program: Program) -> list[str]:
    """What to execute so that the program dies with the thread of this process that starts it."""
    argv = [sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid())]
    argv += ["--signal", str(int(program.orphan_signal))]
    if program.account is not None:
        argv += ["--user", f"{program.account.uid}:{program.account.gid}"]
    return [*argv, "--", *program.argv]


def environment_of(program: Program) -> dict[str, str]:
    """This process's environment with the program's additions."""
    return {**os.environ, **program.environment}


def spawn(program: Program, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the program, bound to the life of the calling thread.

    Call it from a thread that lives as long as the program should: the kernel ties the bond to
    the thread, not to the process. Its output goes to `output` (as in `subprocess`); it is in a
    session of its own, so Ctrl-C in the terminal reaches only whoever started it.
    """
    return subprocess.Popen(  # noqa: S603  # the command line is built here
        command_line(program),
        env=environment_of(program),
        cwd=program.directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@contextmanager
def running(program: Program, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run the program for the length of a `with`, its output appended to `log`.

    Raises `LocalError` with the log's last lines when it ends before it is ready or is not ready
    after `start_seconds`.
    """
    with log.open("ab") as output:
        process = spawn(program, output)
    try:
        await_ready(program, process, log)
        yield process
    finally:
        stop(program, process)


def await_ready(program: Program, process: subprocess.Popen[bytes], log: Path) -> None:
    """Block until the program is ready; `LocalError` as in `running`."""
    deadline = time.monotonic() + program.start_seconds
    while program.waits_for() is not None:
        if process.poll() is not None:
            raise LocalError(
                f"{program.name} ended with status {process.returncode} before it was ready.",
                f"Its last words, from {log}:\n{last_lines(log)}",
            )
        if time.monotonic() > deadline:
            raise LocalError(
                f"{program.name} was not ready after {program.start_seconds:.0f} s.",
                f"Its last words, from {log}:\n{last_lines(log)}",
            )
        time.sleep(_POLL_SECONDS)


def stop(program: Program, process: subprocess.Popen[bytes]) -> None:
    """Ask the program to end, wait for its drain, then kill it."""
    if process.poll() is None:
        process.send_signal(program.stop_signal)
    try:
        process.wait(program.drain_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_lines(log: Path, count: int = 12) -> str:
    """The log's last lines, or an empty string when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-count:])
