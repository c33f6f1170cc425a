"""A worker process that handles so many records and ends: `python -m tests.integration.lanes.reader N`."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import uvloop
from pydantic import SecretStr

from jackfield_common.database import connect
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.lanes import Lanes, Work
from jackfield_common.settings import Settings
from jackfield_common.topics import Service
from tests.integration.lanes.conftest import DEAD, SCHEMA, WORK


async def main(count: int) -> None:
    """Read to the end."""
    settings = Settings(
        kafka_bootstrap_servers=os.environ["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
        postgres_dsn=SecretStr(os.environ["JACKFIELD_POSTGRES_DSN"]),
        keys_dir=Path(tempfile.gettempdir()),
    )
    kafka = Kafka(settings, Service.WEBHOOKS, "reader")
    pool = await connect(settings, SCHEMA)
    publisher = Publisher(kafka)
    await publisher.start()
    left = count
    ended = asyncio.Event()

    async def handle(_: Work) -> None:
        nonlocal left
        left -= 1
        if not left:
            ended.set()

    async with Lanes(kafka, pool, publisher, name="bench", topics=[WORK], handle=handle, dead=DEAD):
        await ended.wait()
    await publisher.stop()
    await pool.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
