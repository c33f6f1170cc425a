"""The process around every service: waits for what is away, answers probes, drains on SIGTERM."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from jackfield_common.sealing import create_missing_keys

PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from contextlib import asynccontextmanager
    from jackfield_common import shell
    from jackfield_common.events import Answer, IntegrationState
    from jackfield_common.questions import Questions
    from jackfield_common.settings import Settings
    from jackfield_common.state import ReadModel
    from jackfield_common.topics import Service

    @asynccontextmanager
    async def compose(platform):
        questions = Questions(platform.kafka)
        await questions.start()
        model = ReadModel(platform.kafka, IntegrationState)
        await model.start()
        platform.readiness.add("integrations", lambda: model.ready)
        platform.readiness.add("answers", lambda: questions.ready)
        fails = iter(range(2))
        async def loop():
            if next(fails, None) is not None:
                raise ValueError("once more")
            await asyncio.sleep(3600)
        platform.tasks.start("flaky", loop)
        async def ask_itself():
            while not questions.ready:
                await asyncio.sleep(0.01)
            with questions.ask(10) as pending:
                q = pending.question
                await platform.publisher.publish(Answer(tenant="default", success=True,
                    correlation_id=q.correlation_id, instance=q.instance, message="heard"))
                print("ANSWER", (await pending.answer()).message, flush=True)
            with questions.ask(0.2) as pending:
                try:
                    await pending.answer()
                except TimeoutError:
                    print("TIMED OUT", flush=True)
            await asyncio.sleep(3600)
        platform.tasks.start("asks", ask_itself)
        yield
        await model.stop()
        await questions.stop()
        print("DRAINED", flush=True)

    shell.run(Service.GATEWAY, Settings(), compose, migrations=("jackfield_common",))
    """
)

Start = Callable[..., subprocess.Popen[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []
    create_missing_keys(tmp_path)

    def start_one(port: int, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={
                **os.environ,
                "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "JACKFIELD_POSTGRES_DSN": database,
                "JACKFIELD_TOPIC_PREFIX": topic_prefix,
                "JACKFIELD_KEYS_DIR": str(tmp_path),
                "JACKFIELD_OPS_PORT": str(port),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def status(port: int, path: str) -> tuple[int, str]:
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"http://127.0.0.1:{port}{path}")
    except httpx.HTTPError:
        return 0, ""
    return answer.status_code, answer.text


async def eventually(port: int, path: str, wanted: int) -> str:
    async with asyncio.timeout(30):
        while (answer := await status(port, path))[0] != wanted:
            await asyncio.sleep(0.05)
    return answer[1]


async def test_a_service_becomes_ready_answers_probes_and_drains(start: Start) -> None:
    port = free_port()
    process = start(port)
    ready = json.loads(await eventually(port, "/health/ready", 200))
    assert ready["checks"] == {"started": True, "integrations": True, "answers": True}
    assert (await status(port, "/health/live"))[0] == 200
    assert (await status(port, "/somewhere"))[0] == 404
    async with asyncio.timeout(20):
        while (
            'jackfield_task_failures_total{task="flaky"} 2.0'
            not in (await status(port, "/metrics"))[1]
        ):
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.to_thread(process.communicate, None, 15)
    assert process.returncode == 0, output
    assert "ANSWER heard" in output
    assert "TIMED OUT" in output
    assert "DRAINED" in output


async def test_a_service_is_live_but_not_ready_while_kafka_is_away(start: Start) -> None:
    port = free_port()
    nowhere = f"127.0.0.1:{free_port()}"
    process = start(port, JACKFIELD_KAFKA_BOOTSTRAP_SERVERS=nowhere)
    await eventually(port, "/health/live", 200)
    assert (await status(port, "/health/ready"))[0] == 503
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.to_thread(process.communicate, None, 15)
    assert process.returncode == 0, output
    assert "waiting_for_kafka" in output


async def test_a_service_waits_for_postgres(start: Start) -> None:
    port = free_port()
    dsn = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    process = start(port, JACKFIELD_POSTGRES_DSN=dsn)
    await eventually(port, "/health/live", 200)
    await asyncio.sleep(1)
    assert (await status(port, "/health/ready"))[0] == 503
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.to_thread(process.communicate, None, 15)
    assert "waiting_for_postgres" in output


def test_missing_keys_end_the_process_with_one_clear_line(start: Start, tmp_path: Path) -> None:
    process = start(free_port(), JACKFIELD_KEYS_DIR=str(tmp_path / "nowhere"))
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 78
    (line,) = output.splitlines()
    assert "JACKFIELD_KEYS_DIR" in json.loads(line)["error"]
