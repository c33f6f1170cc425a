"""What the supervisor promises about the programs it keeps."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.process import Program
from jackfield_cli.local.supervisor import Backoff, State, Status, Supervisor
from tests.integration.local.programs import DIES_AT_ONCE, STUBBORN, alive, sleeper

QUICK = Backoff(first_seconds=0.05, longest_seconds=0.2, calm_seconds=60)


class History:
    """Every status each program ever had, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Status]] = []

    def __call__(self, statuses: Mapping[str, Status]) -> None:
        for name, status in statuses.items():
            if (name, status) not in self.seen[-20:]:
                self.seen.append((name, status))

    def states(self, name: str) -> list[State]:
        states = [status.state for who, status in self.seen if who == name]
        return [each for i, each in enumerate(states) if i == 0 or states[i - 1] is not each]


async def reaches(supervisor: Supervisor, name: str, state: State, restarts: int) -> Status:
    async with asyncio.timeout(20):
        while True:
            status = supervisor.statuses[name]
            if status.state is state and status.restarts >= restarts:
                return status
            await asyncio.sleep(0.01)


async def test_a_program_that_is_killed_comes_back(tmp_path: Path) -> None:
    history = History()
    supervisor = Supervisor(tmp_path, history, QUICK)
    try:
        await supervisor.start([sleeper("worker", tmp_path)])
        first = supervisor.statuses["worker"]
        assert first.state is State.READY
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        again = await reaches(supervisor, "worker", State.READY, restarts=1)
        assert again.pid != first.pid
        assert not alive(first.pid)
        assert State.RESTARTING in history.states("worker")
        why = next(status.detail for _, status in history.seen if status.restarts == 1)
        assert "killed by SIGKILL" in why
    finally:
        await supervisor.stop()
    assert again.pid is not None
    assert not alive(again.pid)


async def test_restarts_come_further_and_further_apart(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, History(), Backoff(first_seconds=0.1, longest_seconds=10))
    deaths: list[float] = []
    try:
        await supervisor.start([sleeper("worker", tmp_path)])
        for restarts in range(1, 4):
            pid = supervisor.statuses["worker"].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            died = time.monotonic()
            await reaches(supervisor, "worker", State.READY, restarts)
            deaths.append(time.monotonic() - died)
    finally:
        await supervisor.stop()
    for pause, least in zip(deaths, (0.1, 0.2, 0.4), strict=True):
        assert pause >= least


async def test_a_program_that_cannot_start_fails_with_its_own_words(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, History(), QUICK)
    program = Program("worker", (sys.executable, "-c", DIES_AT_ONCE), waits_for=lambda: "its birth")
    try:
        with pytest.raises(LocalError) as raised:
            await supervisor.start([program, sleeper("healthy", tmp_path)])
    finally:
        await supervisor.stop()
    assert "worker does not start: ended with status 7" in raised.value.problem
    assert raised.value.remedy.count("the reason it died") == QUICK.start_attempts
    assert supervisor.statuses["worker"].state is State.FAILED
    assert supervisor.statuses["healthy"].state is State.STOPPED


async def test_a_program_that_calls_itself_misconfigured_is_not_tried_again(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(tmp_path, History(), QUICK)
    program = Program(
        name="worker",
        argv=(sys.executable, "-c", DIES_AT_ONCE),
        waits_for=lambda: "its birth",
        hopeless=frozenset({7}),
    )
    try:
        with pytest.raises(LocalError) as raised:
            await supervisor.start([program])
    finally:
        await supervisor.stop()
    assert raised.value.remedy.count("the reason it died") == 1


async def test_a_program_that_is_never_ready_fails_with_what_it_waits_for(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, History(), QUICK)
    program = Program(
        name="worker",
        argv=(sys.executable, "-c", "import time; time.sleep(600)"),
        waits_for=lambda: "a miracle",
        start_seconds=0.3,
    )
    try:
        with pytest.raises(LocalError, match="not ready after 0 s: a miracle"):
            await supervisor.start([program])
        pid = supervisor.statuses["worker"].pid
    finally:
        await supervisor.stop()
    assert pid is None or not alive(pid)


async def test_what_does_not_end_in_its_time_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, History(), QUICK)
    await supervisor.start([sleeper("stubborn", tmp_path, STUBBORN, drain_seconds=0.3)])
    pid = supervisor.statuses["stubborn"].pid
    began = time.monotonic()
    await supervisor.stop()
    assert 0.3 <= time.monotonic() - began < 5
    assert pid is not None
    assert not alive(pid)


async def test_stages_end_in_reverse(tmp_path: Path) -> None:
    history = History()
    supervisor = Supervisor(tmp_path, history, QUICK)
    await supervisor.start([sleeper("server", tmp_path)])
    await supervisor.start([sleeper("one", tmp_path), sleeper("two", tmp_path)])
    await supervisor.stop()
    stopped = [name for name, status in history.seen if status.state is State.STOPPED]
    assert set(stopped[:2]) == {"one", "two"}
    assert stopped[2:] == ["server"]


async def test_stopping_while_it_waits_for_a_restart_ends_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, History(), Backoff(first_seconds=60))
    await supervisor.start([sleeper("worker", tmp_path)])
    pid = supervisor.statuses["worker"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await reaches(supervisor, "worker", State.RESTARTING, restarts=1)
    began = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - began < 5
    assert supervisor.statuses["worker"].state is State.STOPPED


async def test_output_goes_to_the_log_until_the_very_end(tmp_path: Path) -> None:
    says_goodbye = """
import pathlib, signal, sys, time
def end(*_):
    print("goodbye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("hello", flush=True)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""
    logs = tmp_path / "logs"
    supervisor = Supervisor(logs, History(), QUICK)
    await supervisor.start([sleeper("worker", tmp_path, says_goodbye)])
    await supervisor.stop()
    async with asyncio.timeout(5):
        while True:
            if (logs / "worker.log").read_text() == "hello\ngoodbye\n":
                break
            await asyncio.sleep(0.01)
