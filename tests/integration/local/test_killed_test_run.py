"""A test run that is killed takes its servers with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from jackfield_cli.local.places import CHECKOUT
from tests.integration.local.programs import alive, eventually

WAITS = """
import pathlib, time

def test_waits(kafka, postgres):
    pathlib.Path({mark!r}).touch()
    time.sleep(100)
"""


def test_a_killed_run_leaves_no_process(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    test = tmp_path / "test_waits.py"
    test.write_text(WAITS.format(mark=str(mark)))
    # Without what would make it use servers that somebody else started.
    named = {"JACKFIELD_KAFKA_BOOTSTRAP_SERVERS", "JACKFIELD_POSTGRES_DSN"}
    environment = {key: value for key, value in os.environ.items() if key not in named}
    options = ("-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(CHECKOUT))
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, str(test)],
        cwd=CHECKOUT,
        env={**environment, "DOCKER_HOST": "unix:///nonexistent"},
        stdout=subprocess.DEVNULL,
    ) as run:
        eventually(mark.exists, "the servers are up")
        children = psutil.Process(run.pid).children(recursive=True)
        names = {child.name() for child in children}
        assert {"java", "postgres"} <= names
        run.send_signal(signal.SIGKILL)
        run.wait()
    eventually(lambda: not any(alive(child.pid) for child in children), "all of them ended")
