"""Everything that stands on the bus and in the tables, to search for what must not."""

import asyncio

from jackfield_common.database import Pool
from jackfield_common.events import ConnectionCompleted
from jackfield_common.kafka import Kafka
from jackfield_common.topics import Topic, declared

Record = tuple[bytes | None, bytes | None]


async def every_record(kafka: Kafka, *topics: Topic) -> list[Record]:
    """Key and value of everything on these topics, or on all there are."""
    consumer = kafka.consumer(group_id=None)
    await consumer.start()
    try:
        existing = await consumer.topics()
        partitions = [
            partition
            for topic in (topics or tuple(declared()))
            if kafka.naming.physical(topic) in existing
            for partition in await kafka.partitions(topic)
        ]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Record] = []
        behind = {one for one in partitions if ends[one] > 0}
        while behind:
            for batch in (await consumer.getmany(timeout_ms=50)).values():
                found.extend((record.key, record.value) for record in batch)
            for one in list(behind):
                if await consumer.position(one) >= ends[one]:
                    behind.discard(one)
        return found
    finally:
        await consumer.stop()


async def every_row(pool: Pool) -> list[str]:
    """Every row of every table of the schema, as text."""
    rows: list[str] = []
    for table in await pool.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    ):
        found = await pool.fetch(f'SELECT t::text AS text FROM "{table["tablename"]}" t')  # noqa: S608
        rows += [str(row["text"]) for row in found]
    return rows


class Completions:
    """Every ConnectionCompleted, followed as the gateway follows them."""

    def __init__(self) -> None:
        self._found: list[ConnectionCompleted] = []
        self._more = asyncio.Condition()

    async def of(self, integration_id: str, count: int = 0) -> list[ConnectionCompleted]:
        """Those of an integration, once there are at least `count`."""
        async with asyncio.timeout(20), self._more:
            while True:
                mine = [one for one in self._found if one.integration_id == integration_id]
                if len(mine) >= count:
                    return mine
                await self._more.wait()

    async def failed(self, integration_id: str, count: int) -> list[ConnectionCompleted]:
        """Those of an integration that failed, once there are at least `count`."""
        known = 0
        while True:
            mine = await self.of(integration_id, known)
            failed = [one for one in mine if not one.success]
            if len(failed) >= count:
                return failed
            known = len(mine) + 1

    async def follow(self, kafka: Kafka) -> None:
        """Follow the topic until cancelled."""
        topic = ConnectionCompleted.topic
        consumer = kafka.consumer(group_id=None)
        await consumer.start()
        try:
            consumer.assign(await kafka.partitions(topic))
            while True:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    async with self._more:
                        self._found += [
                            ConnectionCompleted.from_bytes(record.value or b"") for record in batch
                        ]
                        self._more.notify_all()
        finally:
            await consumer.stop()
