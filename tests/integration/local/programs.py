"""Small programs to supervise, and how to wait for what they do."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from jackfield_cli.local.process import Program

PATIENCE_SECONDS = 60.0

SLEEPER = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""

STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""

DIES_AT_ONCE = """
import sys
print("the reason it died", flush=True)
sys.exit(7)
"""


def sleeper(
    name: str, directory: Path, source: str = SLEEPER, drain_seconds: float = 15
) -> Program:
    """A program that is ready once it has made a file of its name, and then does nothing."""
    mark = directory / f"{name}.mark"
    return Program(
        name=name,
        argv=(sys.executable, "-c", source, str(mark)),
        waits_for=lambda: None if mark.exists() else "its mark",
        drain_seconds=drain_seconds,
    )


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds; fail with `what` when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
