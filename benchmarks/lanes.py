"""Lanes beside the other ways to consume, in one run: messages a second, and CPU a message, of one process.

    python -m benchmarks.lanes [--messages 60000] [--seconds 8]

Kafka and PostgreSQL are those of JACKFIELD_KAFKA_BOOTSTRAP_SERVERS and JACKFIELD_POSTGRES_DSN, or real
ones started for the run. Every way reads the same topic from its beginning, with a group of its own, in a
process of its own. Two handlers: an empty one, and one that waits 20 ms, 256 of them at once where the
way allows it (so at most 12,800/s). FastStream acknowledges as it does by default; with `max_workers` it
keeps neither order nor, when it is killed, what it had read.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import FastStream
from faststream.kafka import KafkaBroker
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from jackfield_cli.local.kafka import kafka_for_tests
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.postgres import postgres_for_tests
from jackfield_common.database import connect, migrate
from jackfield_common.ids import new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.lanes import Lanes, Limits, Work
from jackfield_common.settings import Settings
from jackfield_common.topics import Kind, Service, Topic

PARTITIONS: Final = 12
KEYS: Final = 1_000
VALUE: Final = b'{"number": 1, "text": "' + b"x" * 200 + b'"}'
WAIT: Final = 0.02
IN_FLIGHT: Final = 256
WORK: Final = Topic("bench.work.v1", Service.WEBHOOKS, Kind.WORK, partitions=PARTITIONS)
DEAD: Final = Topic("bench.dead.v1", Service.WEBHOOKS, Kind.FEED, partitions=1)
WAYS: Final = ("aiokafka", "faststream", "faststream-workers", "lanes", "lanes-untraced")


class Meter:
    """Counts what a way has handled, and ends it after `seconds` or `messages`."""

    def __init__(self, messages: int, seconds: float, wait: float) -> None:
        self._messages = messages
        self._seconds = seconds
        self._wait = wait
        self.count = 0
        self.started = 0.0
        self.cpu = 0.0
        self._finished = asyncio.Event()

    async def handle(self) -> None:
        """One message."""
        if not self.started:
            self.started = time.perf_counter()
            self.cpu = time.process_time()
            asyncio.get_running_loop().call_later(self._seconds, self._finished.set)
        if self._wait:
            await asyncio.sleep(self._wait)
        self.count += 1
        if self.count >= self._messages:
            self._finished.set()

    async def result(self) -> dict[str, float]:
        """Messages a second and microseconds of CPU a message, when it is over."""
        await self._finished.wait()
        return {
            "rate": self.count / (time.perf_counter() - self.started),
            "cpu": (time.process_time() - self.cpu) / self.count * 1e6,
        }


@asynccontextmanager
async def plain(kafka: Kafka, group: str, meter: Meter) -> AsyncGenerator[None]:
    """A loop around aiokafka that commits after every message."""
    consumer = kafka.consumer(WORK, group_id=group)
    await consumer.start()

    async def consume() -> None:
        async for _ in consumer:
            await meter.handle()
            await consumer.commit()

    task = asyncio.create_task(consume())
    yield
    task.cancel()
    await asyncio.wait((task,))
    await consumer.stop()


@asynccontextmanager
async def faststream(kafka: Kafka, group: str, meter: Meter, workers: int) -> AsyncGenerator[None]:
    """A FastStream subscriber."""
    broker = KafkaBroker(kafka.settings.kafka_bootstrap_servers, logger=None)  # pyright: ignore[reportUnknownArgumentType]
    options: dict[str, Any] = {"group_id": group, "auto_offset_reset": "earliest"}
    if workers > 1:
        options["max_workers"] = workers

    async def consume(message: Any) -> None:
        await meter.handle()

    broker.subscriber(kafka.naming.physical(WORK), **options)(consume)  # pyright: ignore[reportUnknownMemberType]

    app = FastStream(broker, logger=None)
    await app.start()
    yield
    await app.stop()


@asynccontextmanager
async def lanes(kafka: Kafka, group: str, meter: Meter, settings: Settings) -> AsyncGenerator[None]:
    """Lanes."""
    pool = await connect(settings, "lanes_benchmark")
    await migrate(pool, "lanes_benchmark", ("jackfield_common.lanes",))
    publisher = Publisher(kafka)
    await publisher.start()

    async def handle(_: Work) -> None:
        await meter.handle()

    async with Lanes(
        kafka,
        pool,
        publisher,
        name=group,
        topics=[WORK],
        handle=handle,
        dead=DEAD,
        limits=Limits(in_flight=IN_FLIGHT, in_flight_per_key=IN_FLIGHT),
    ):
        yield
    await publisher.stop()
    await pool.close()


async def measure(
    way: str, prefix: str, messages: int, seconds: float, wait: float
) -> dict[str, float]:
    """One way, in this process."""
    settings = settings_from_environment(prefix)
    kafka = Kafka(settings, Service.WEBHOOKS, new_id()[:8])
    meter = Meter(messages, seconds, wait)
    group = f"{way}-{new_id()[:6]}"
    ways: dict[str, Callable[[], Any]] = {
        "aiokafka": lambda: plain(kafka, group, meter),
        "faststream": lambda: faststream(kafka, group, meter, 1),
        "faststream-workers": lambda: faststream(kafka, group, meter, IN_FLIGHT),
        "lanes": lambda: lanes(kafka, group, meter, settings),
        "lanes-untraced": lambda: lanes(kafka, group, meter, settings),
    }
    if way != "lanes-untraced":
        trace.set_tracer_provider(TracerProvider())
    async with ways[way]():
        return await meter.result()


def settings_from_environment(prefix: str) -> Settings:
    """The servers named in the environment."""
    return Settings(
        kafka_bootstrap_servers=os.environ["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
        postgres_dsn=SecretStr(os.environ["JACKFIELD_POSTGRES_DSN"]),
        topic_prefix=prefix,
        keys_dir=Path(tempfile.gettempdir()),
    )


async def with_topics(prefix: str, work: Callable[[Kafka], Awaitable[None]]) -> None:
    """Run `work` with an administrator's connection."""
    await work(Kafka(settings_from_environment(prefix), Service.WEBHOOKS, "benchmark"))


async def fill(kafka: Kafka, messages: int) -> None:
    """Make the topics, and write the messages."""
    admin = AIOKafkaAdminClient(**kafka.connection())
    await admin.start()
    await admin.create_topics(
        [NewTopic(kafka.naming.physical(topic), topic.partitions, 1) for topic in (WORK, DEAD)]
    )
    await admin.close()
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with kafka.producer(linger_ms=5) as producer:
        for number in range(messages):
            await producer.send(
                kafka.naming.physical(WORK),
                VALUE,
                key=b"key-%d" % (number % KEYS),
                headers=[
                    ("ce_id", b"%026d" % number),
                    ("ce_type", WORK.name.encode()),
                    ("ce_tenant", b"default"),
                    ("ce_lane", b"lane-%d" % (number % 3)),
                    ("traceparent", parent),
                ],
            )
        await producer.flush()


async def remove(kafka: Kafka) -> None:
    """Delete the topics."""
    admin = AIOKafkaAdminClient(**kafka.connection())
    await admin.start()
    await admin.delete_topics([kafka.naming.physical(topic) for topic in (WORK, DEAD)])
    await admin.close()


def run(prefix: str, messages: int, seconds: float, wait: float, ways: list[str]) -> None:
    """Each way in a process of its own; prints a table."""
    limit = f", at most {IN_FLIGHT / wait:,.0f}/s" if wait else ""
    print(f"handler: {'waits 20 ms' if wait else 'empty'}{limit}")
    for way in ways:
        done = subprocess.run(  # noqa: S603  # the command line is built here
            [
                *(sys.executable, "-m", "benchmarks.lanes", "--one", way, "--prefix", prefix),
                *("--messages", str(messages), "--seconds", str(seconds), "--wait", str(wait)),
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"{way} failed:\n{done.stdout}{done.stderr}")
        result = json.loads(done.stdout.splitlines()[-1])
        rate = result["rate"]
        share = f"  {rate * wait / IN_FLIGHT:6.1%} of the limit" if wait else ""
        print(f"  {way:20} {rate:10,.0f}/s {result['cpu']:8.0f} µs CPU{share}", flush=True)


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--prefix", help=argparse.SUPPRESS)
    parser.add_argument("--wait", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(
                measure(
                    options.one, options.prefix, options.messages, options.seconds, options.wait
                )
            )
        print(json.dumps(result))
        return
    with ExitStack() as stack:
        if "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            directory.chmod(0o711)
            os.environ["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"] = stack.enter_context(
                kafka_for_tests(directory, cache_directory())
            )
            os.environ["JACKFIELD_POSTGRES_DSN"] = stack.enter_context(
                postgres_for_tests(directory)
            )
        prefix = f"bench-{new_id()[:6]}."
        asyncio.run(with_topics(prefix, lambda kafka: fill(kafka, options.messages)))
        try:
            for wait in (0.0, WAIT):
                run(prefix, options.messages, options.seconds, wait, options.ways.split(","))
        finally:
            asyncio.run(with_topics(prefix, remove))


if __name__ == "__main__":
    main()
