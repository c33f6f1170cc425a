"""The scripts that make .venv, on machines that lack something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jackfield_cli.local.places import CHECKOUT

SCRIPT = CHECKOUT / "libs/cli/environment.sh"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with only the programs that any system has."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    return programs


def run(machine: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "JACKFIELD_PYTHON"}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={**environment, "PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def program(machine: Path, name: str, source: str) -> None:
    file = machine / name
    file.write_text(f"#!/bin/sh\n{source}\n")
    file.chmod(0o755)


def test_no_python_at_all(machine: Path) -> None:
    done = run(machine)
    assert done.returncode == 1
    assert "there is no python3 on PATH" in done.stderr


def test_a_python_that_is_too_old(machine: Path) -> None:
    # Answers as Python 3.9 would: refuses the version test, prints its version.
    program(machine, "python3", 'case "$2" in *exit*) exit 1;; *) echo 3.9.18;; esac')
    done = run(machine)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; python3 here is 3.9.18" in done.stderr


def test_the_newest_is_taken(machine: Path) -> None:
    for name in ("python3", "python3.11", "python3.13"):
        program(machine, name, f'case "$1" in -c) exit 0;; *) echo "{name} $1";; esac')
    done = run(machine)
    assert done.returncode == 0
    assert done.stdout.split()[0] == "python3.13"
    assert done.stdout.split()[1].endswith("environment.py")


def test_an_old_python3_beside_a_newer_one(machine: Path) -> None:
    program(machine, "python3", "exit 1")
    program(machine, "python3.12", 'case "$1" in -c) exit 0;; *) echo taken;; esac')
    assert run(machine).stdout == "taken\n"
