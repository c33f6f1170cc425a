"""No child outlives its parent, however the parent dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jackfield_cli.local.process import LEASH
from tests.integration.local.programs import alive, eventually

PARENT = """
import pathlib, subprocess, sys, time
from jackfield_cli.local.process import Program, spawn
program = Program(
    "child",
    (sys.executable, "-c", "import time; time.sleep(600)"),
    waits_for=lambda: None,
)
process = spawn(program, subprocess.DEVNULL)
pathlib.Path(sys.argv[1]).write_text(str(process.pid))
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_child_dies_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", PARENT, str(told)]) as parent:
        eventually(lambda: told.exists() and bool(told.read_text()), "the child started")
        child = int(told.read_text())
        assert alive(child)
        parent.send_signal(number)
        parent.wait()
    eventually(lambda: not alive(child), "the child ended")


def test_where_the_kernel_does_not_help_the_leash_watches(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    # The module with another idea of its platform, as a process whose parent we can kill.
    watching = (
        "import sys; sys.platform = 'darwin'; import runpy;"
        f"sys.argv[1:] = ['--parent', str(__import__('os').getppid()), '--signal', '9', '--',"
        f" {sys.executable!r}, '-c', {program!r}];"
        f"runpy.run_path({str(LEASH)!r}, run_name='__main__')"
    )
    parent_source = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {watching!r}]); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", parent_source]) as parent:
        eventually(lambda: told.exists() and bool(told.read_text()), "the program started")
        child = int(told.read_text())
        parent.kill()
    eventually(lambda: not alive(child), "the program ended")


def test_the_leash_becomes_the_program() -> None:
    process = subprocess.run(
        [
            *(sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid())),
            *("--signal", "9", "--", sys.executable, "-c"),
            "import os, sys; print(os.getpid()); sys.exit(5)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 5
    assert int(process.stdout) > 0
