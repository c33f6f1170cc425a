"""Stopping while something is still starting leaves nothing open."""

import asyncio
import gc
from pathlib import Path

from jackfield_common.outbox import Outbox
from jackfield_common.topics import Service
from tests.platform import make_kafka, make_settings, pool_of


async def test_a_relay_that_is_stopped_while_it_connects_closes_its_producer(
    database: str, topic_prefix: str, tmp_path: Path
) -> None:
    reached = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    settings = make_settings(f"127.0.0.1:{port}", database, topic_prefix, tmp_path / "keys")
    async with pool_of(settings, "gateway", "jackfield_common") as pool:
        relay = asyncio.create_task(Outbox(pool, make_kafka(settings, Service.GATEWAY)).run())
        await asyncio.wait_for(reached.wait(), 20)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        del relay
        gc.collect()  # an unclosed producer says so, and pytest makes that an error
    silent.close()
    await silent.wait_closed()
