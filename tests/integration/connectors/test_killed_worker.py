"""kill -9 around the vendor call: what may be repeated is, what may not becomes a question to its owner."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from jackfield_common.errors import ErrorKind
from jackfield_common.events import ActionCompleted
from tests.integration.connectors.stack import Outside, outside, vendor
from tests.platform import until

ISSUE = {
    "number": 7,
    "title": "t",
    "state": "open",
    "html_url": "https://github.com/octocat/hello/issues/7",
}


@asynccontextmanager
async def worker(around: Outside) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker process of its own."""
    settings = around.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jackfield_connectors",
        env={
            **os.environ,
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "JACKFIELD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "JACKFIELD_TOPIC_PREFIX": settings.topic_prefix,
            "JACKFIELD_TOPICS_CREATED_BY": "administrator",
            "JACKFIELD_KEYS_DIR": str(settings.keys_dir),
            "JACKFIELD_EGRESS_ALLOW": "127.0.0.0/8",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_killed_worker_repeats_what_is_safe_and_asks_about_what_is_not(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    stalled = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if not stalled.is_set():
            await asyncio.sleep(60)
        return web.json_response(ISSUE, status=200 if request.method == "GET" else 201)

    async with (
        vendor(answer) as there,
        outside(kafka, database, topic_prefix, tmp_path) as around,
        around.feed(ActionCompleted) as results,
    ):
        integration = await around.install(
            "github", auth="bearer", fields={"token": "t"}, config={"base_url": there.url}
        )
        repo = "octocat/hello"
        async with worker(around) as first:
            safe = await around.request(
                integration, "github", "get_issue", {"repo": repo, "issue_number": 7}, ordering="a"
            )
            unsafe = await around.request(
                integration, "github", "create_issue", {"repo": repo, "title": "t"}, ordering="b"
            )
            await until(lambda: len(there.requests) == 2, seconds=40)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        stalled.set()
        async with worker(around):
            done = await results.next(
                ActionCompleted, lambda one: one.action_id == safe.action_id, seconds=60
            )
            assert done.success
            lost = await results.next(
                ActionCompleted, lambda one: one.action_id == unsafe.action_id, seconds=60
            )
            assert lost.error is ErrorKind.OUTCOME_UNKNOWN
        assert sorted(one.method for one in there.requests) == ["GET", "GET", "POST"]
