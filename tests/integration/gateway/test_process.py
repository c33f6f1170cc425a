"""The gateway as the operator runs it: a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from jackfield_common.topics import Service
from tests.integration.gateway.running import API_KEY, eventually, free_port
from tests.platform import make_kafka, make_settings


def environment(kafka: str, database: str, prefix: str, directory: Path) -> dict[str, str]:
    key_file = directory / "api-key"
    key_file.write_text(API_KEY)
    return {
        "PATH": os.environ["PATH"],
        "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "JACKFIELD_POSTGRES_DSN": database,
        "JACKFIELD_TOPIC_PREFIX": prefix,
        "JACKFIELD_KEYS_DIR": str(directory / "keys"),
        "JACKFIELD_API_KEY_FILE": str(key_file),
        "JACKFIELD_API_PORT": str(free_port()),
        "JACKFIELD_WEBHOOK_PORT": str(free_port()),
        "JACKFIELD_OPS_PORT": str(free_port()),
    }


@asynccontextmanager
async def process(settings: Mapping[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The gateway; killed if it is still there at the end."""
    one = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jackfield_gateway",
        env=settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.wait()


async def test_it_starts_serves_and_ends(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = environment(kafka, database, topic_prefix, tmp_path)
    connectors = make_settings(kafka, database, topic_prefix, tmp_path / "keys")
    await make_kafka(connectors, Service.CONNECTORS).create_topics()
    ops = f"http://127.0.0.1:{settings['JACKFIELD_OPS_PORT']}"
    api = f"http://127.0.0.1:{settings['JACKFIELD_API_PORT']}"
    async with process(settings) as gateway, httpx.AsyncClient() as http:

        async def ready() -> bool:
            assert gateway.returncode is None, "it ended"
            try:
                return (await http.get(f"{ops}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, seconds=40)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        answer = await http.get(f"{api}/api/marketplace/integrations", headers=headers)
        assert answer.json() == {"items": [], "next_cursor": None}
        assert "jackfield_api_requests_total" in (await http.get(f"{ops}/metrics")).text
        gateway.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(gateway.wait(), 20) == 0
