"""Create or update .venv from the hashed lock. Standard library only; run by environment.sh.

Nothing is done when the stamp in .venv says that it was made from the same lock, the same
packages, by the same Python, at the same place. Two that run at once take turns.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = (
    "libs/common",
    "libs/cli",
    *(
        f"services/{name}"
        for name in ("gateway", "oauth", "webhooks", "connectors", "certification")
    ),
)
NEEDED_BYTES = 1500 * 1024 * 1024


class Unable(Exception):
    """The environment cannot be made; says why and what to do, in one line each."""


def main(checkout: Path) -> int:
    """Make sure the environment is there and up to date."""
    venv = checkout / ".venv"
    try:
        with (checkout / ".venv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            wanted = stamp_of(checkout)
            stamp = venv / ".stamp"
            if not stamp.exists() or stamp.read_text() != wanted:
                make(checkout, venv)
                stamp.write_text(wanted)
            else:
                stamp.touch()  # newer than what make compares it with
    except Unable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: The environment could not be made: {error}.", file=sys.stderr)
        return 1
    return 0


def stamp_of(checkout: Path) -> str:
    """What the environment depends on."""
    digest = hashlib.sha256((checkout / "requirements.lock").read_bytes())
    for package in PACKAGES:
        digest.update((checkout / package / "pyproject.toml").read_bytes())
    return f"{digest.hexdigest()}\n{checkout}\n{sys.version_info[:2]}\n"


def make(checkout: Path, venv: Path) -> None:
    """Create the environment, or bring an existing one up to date."""
    python = venv / "bin" / "python"
    if not usable(venv, python):
        require_space(checkout)
        say(f"Creating .venv with Python {sys.version.split()[0]} (once, about a minute)")
        create(venv)
    say("Installing what requirements.lock names")
    lock = str(checkout / "requirements.lock")
    pip(python, "install", "--require-hashes", "--only-binary", ":all:", "-r", lock)
    say("Installing Jackfield's own packages")
    editable = [part for each in PACKAGES for part in ("-e", str(checkout / each))]
    pip(python, "install", "--no-deps", "--no-index", "--no-build-isolation", *editable)


def usable(venv: Path, python: Path) -> bool:
    """Whether there is an environment of this Python, made for this place, that can be updated."""
    stamp = venv / ".stamp"
    if stamp.exists() and stamp.read_text().splitlines()[1:] != stamp_tail(venv):
        return False
    if not python.exists():
        return False
    command = [str(python), "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True).returncode == 0  # noqa: S603


def stamp_tail(venv: Path) -> list[str]:
    """The lines of the stamp that forbid an update in place when they differ."""
    return [str(venv.parent), str(sys.version_info[:2])]


def create(venv: Path) -> None:
    """Make an empty environment with pip in it."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise Unable(
            f"Python {version} at {sys.executable} lacks its venv module.\n"
            f"       Install it (apt install python{version}-venv), or set JACKFIELD_PYTHON to "
            "another Python."
        )
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    if done.returncode != 0:
        raise Unable(f"{' '.join(command)} failed: {last_line(done.stdout + done.stderr)}")


def pip(python: Path, *arguments: str) -> None:
    """Run pip in the environment; its last words become the error."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    # The build backend is a program in the environment.
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(  # noqa: S603
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path},
    )
    if done.returncode == 0:
        return
    if "No space left on device" in done.stdout:
        raise Unable(
            f"The disk is full while installing into {python.parents[1]}.\n"
            f"       Free {NEEDED_BYTES // 2**20} MB (TMPDIR counts too) and try again."
        )
    print(done.stdout, file=sys.stderr)
    raise Unable(
        "pip could not install the packages; its words are above.\n"
        "       Check the network (HTTPS_PROXY, PIP_INDEX_URL) and run the same command again."
    )


def require_space(checkout: Path) -> None:
    """Stop before a disk fills up halfway."""
    for place in (checkout, Path(tempfile.gettempdir())):
        free = shutil.disk_usage(place).free
        if free < NEEDED_BYTES:
            raise Unable(
                f"Only {free // 2**20} MB are free in {place}; the environment needs "
                f"{NEEDED_BYTES // 2**20} MB.\n       Free some and try again."
            )


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
