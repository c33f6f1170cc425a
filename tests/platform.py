"""What tests need to talk to the bus and the database as a service does."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from jackfield_common.database import Pool, open_database
from jackfield_common.ids import new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.sealing import create_missing_keys
from jackfield_common.settings import Settings
from jackfield_common.topics import Service


def make_settings(bootstrap_servers: str, dsn: str, prefix: str, keys: Path) -> Settings:
    """Settings of a service under test, with fresh keys in `keys`."""
    create_missing_keys(keys)
    return Settings(
        kafka_bootstrap_servers=bootstrap_servers,
        postgres_dsn=SecretStr(dsn),
        topic_prefix=prefix,
        keys_dir=keys,
        egress_allow=("127.0.0.0/8",),
    )


def make_kafka(settings: Settings, service: Service) -> Kafka:
    """Kafka clients of one process of a service."""
    return Kafka(settings, service, new_id()[:8])


@asynccontextmanager
async def publisher_of(kafka: Kafka) -> AsyncGenerator[Publisher]:
    """A connected publisher."""
    publisher = Publisher(kafka)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


@asynccontextmanager
async def pool_of(settings: Settings, schema: str, *packages: str) -> AsyncGenerator[Pool]:
    """A migrated schema."""
    pool = await open_database(settings, schema, packages)
    try:
        yield pool
    finally:
        await pool.close()


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until a condition holds; fail the test when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
