"""A worker of the chaos test, as a process: lanes that call a vendor and store what it answered.

    python -m tests.chaos.worker LIFE VENDOR_PORT    (servers from the environment)

It does what the connectors service does around a call that the vendor may get twice: skip what is done,
check, call, store.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from jackfield_common import logs
from jackfield_common.database import AWAY, Connection, connect
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.lanes import Lanes, Limits, Policy, Work
from jackfield_common.settings import Settings
from jackfield_common.topics import Kind, Service, Topic

WORK = Topic("chaos.work.v1", Service.CONNECTORS, Kind.WORK, partitions=12)
DEAD = Topic("chaos.dead.v1", Service.CONNECTORS, Kind.FEED, partitions=1)
SCHEMA = "chaos"
GROUP = "chaos"
LIMITS = Limits(
    in_flight=64, in_flight_per_key=64, session_timeout=4.0, heartbeat=0.4, margin=1.0, drain=2.0,
    commit_interval=0.1, records=2_000, lane_records=20,
)  # fmt: skip
POLICY = Policy(
    max_retries=1_000, initial_delay=0.05, max_delay=1.0, timeout=10, park_after=0.3, budget=3_600
)
CALL_SECONDS = 5.0


class Vendor:
    """Calls the vendor: one JSON line there, one back."""

    def __init__(self, port: int, life: str) -> None:
        self._port = port
        self._life = life
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(self, key: str, lane: str, number: int) -> None:
        """Raises Failure when the vendor cannot be reached or says 503."""
        message = {"life": self._life, "key": key, "lane": lane, "number": number}
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await self._ask(json.dumps(message).encode())
        except (OSError, TimeoutError) as error:
            raise Failure(ErrorKind.CONNECTION, "the vendor does not answer") from error
        if answer != b"200\n":
            raise Failure(ErrorKind.UNAVAILABLE, "the vendor said 503")

    async def _ask(self, line: bytes) -> bytes:
        connection = (
            self._free.pop()
            if self._free
            else await asyncio.open_connection("127.0.0.1", self._port)
        )
        reader, writer = connection
        try:
            writer.write(line + b"\n")
            answer = await reader.readline()
        except BaseException:
            writer.transport.abort()
            raise
        if not answer:
            raise ConnectionError("the vendor closed the connection")
        self._free.append(connection)
        return answer


async def main(life: str, port: int) -> None:
    """Work until SIGTERM."""
    settings = Settings(
        keys_dir=Path(tempfile.gettempdir()),
        drain_seconds=3,
        log_level="warning",
        postgres_pool=6,
        kafka_bootstrap_servers=os.environ["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
        postgres_dsn=SecretStr(os.environ["JACKFIELD_POSTGRES_DSN"]),
    )
    logs.configure(settings, Service.CONNECTORS)
    kafka = Kafka(settings, Service.CONNECTORS, life)
    pool = await connect(settings, SCHEMA)
    publisher = Publisher(kafka)
    await publisher.start()
    vendor = Vendor(port, life)

    async def handle(work: Work) -> None:
        number = int(work.record.value or b"")
        if await pool.fetchval("SELECT true FROM done WHERE number = $1", number):
            return
        work.check()
        await vendor.call(work.key, work.lane, number)

        async def effect(connection: Connection) -> None:
            await connection.execute(
                "INSERT INTO done (number, life) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                number,
                life,
            )

        await work.store(effect)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with Lanes(
        kafka, pool, publisher, name=GROUP, topics=[WORK], handle=handle, dead=DEAD,
        policy=POLICY, limits=LIMITS,
    ):  # fmt: skip
        await ended.wait()
    await publisher.stop()
    pool.terminate()


async def until_servers_answer(life: str, port: int) -> None:
    """A worker that is started while a server is away tries again, as a supervisor would have it."""
    from aiokafka.errors import KafkaError

    from jackfield_common.errors import NotReady

    while True:
        try:
            return await main(life, port)
        except (KafkaError, NotReady, asyncpg.PostgresError, *AWAY):
            await asyncio.sleep(0.3)


if __name__ == "__main__":
    asyncio.run(until_servers_answer(sys.argv[1], int(sys.argv[2])))
