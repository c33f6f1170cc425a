"""The scripts that make .venv, on machines that lack something."""

import os
import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


@pytest.fixture
def environment() -> ModuleType:
    """The part in Python, which runs before anything is installed and so belongs to no package."""
    spec = spec_from_file_location("environment", SCRIPT.with_suffix(".py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without its environment."""
    checkout = tmp_path / "checkout"
    for name in (
        *CHECKOUT.glob("libs/*/pyproject.toml"),
        *CHECKOUT.glob("services/*/pyproject.toml"),
    ):
        copy = checkout / name.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True)
        shutil.copy(name, copy)
    shutil.copy(CHECKOUT / "requirements.lock", checkout)
    return checkout


def test_a_python_without_venv(
    environment: ModuleType,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def absent(_name: str) -> None:
        return None

    monkeypatch.setattr(environment.importlib.util, "find_spec", absent)
    assert environment.main(checkout) == 1
    words = capsys.readouterr().err
    assert "lacks its venv module" in words
    assert "-venv)" in words
    assert not (checkout / ".venv").exists()


def test_too_little_space(
    environment: ModuleType,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(environment, "NEEDED_BYTES", 2**60)
    assert environment.main(checkout) == 1
    assert "MB are free in" in capsys.readouterr().err
    assert not (checkout / ".venv").exists()


def test_a_finished_environment_is_left_alone(environment: ModuleType, checkout: Path) -> None:
    stamp = checkout / ".venv" / ".stamp"
    stamp.parent.mkdir()
    stamp.write_text(environment.stamp_of(checkout))
    assert environment.main(checkout) == 0
    assert [each.name for each in stamp.parent.iterdir()] == [".stamp"]


def test_a_changed_lock_and_another_place_make_it_stale(
    environment: ModuleType, checkout: Path, tmp_path: Path
) -> None:
    before = environment.stamp_of(checkout)
    moved = tmp_path / "moved"
    shutil.copytree(checkout, moved)
    assert environment.stamp_of(moved) != before
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert environment.stamp_of(checkout) != before


def test_every_package_of_the_checkout_is_installed(environment: ModuleType) -> None:
    there = {
        str(each.parent.relative_to(CHECKOUT))
        for pattern in ("libs/*/pyproject.toml", "services/*/pyproject.toml")
        for each in CHECKOUT.glob(pattern)
    }
    assert set(environment.PACKAGES) == there
