"""The process around every service: what they all need, started and stopped in one order.

    logs, traces → operations port → Kafka reachable, topics created → PostgreSQL reachable, migrated
    → publisher, outbox relay → FastStream app, whose lifespan is the service's own composition → ready

A dependency that is away at start is waited for; the process is live and not ready meanwhile.
"""

import asyncio
import gc
import signal
import ssl
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog
import uvloop
from aiokafka.errors import KafkaError
from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream.security import (
    BaseSecurity,
    SASLPlaintext,
    SASLScram256,
    SASLScram512,
)

from jackfield_common import logs, telemetry
from jackfield_common.database import Pool, open_database
from jackfield_common.ids import new_id
from jackfield_common.kafka import REQUEST_TIMEOUT_MS, Kafka, Publisher
from jackfield_common.operations import OperationsServer, Readiness
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys, SealError
from jackfield_common.settings import Settings
from jackfield_common.tasks import Tasks
from jackfield_common.topics import Service

log = structlog.get_logger(__name__)

P = TypeVar("P", bound=Settings)

EXIT_CONFIGURATION: Final = 78
"""The process cannot run as configured (sysexits.h, EX_CONFIG): restarting it will not help."""


@dataclass(frozen=True, slots=True)
class Platform(Generic[P]):
    """What a service's composition root builds on."""

    settings: P
    service: Service
    instance: str
    kafka: Kafka
    publisher: Publisher
    keys: Keys
    database: Pool | None
    relay: Outbox | None
    broker: KafkaBroker
    readiness: Readiness = field(default_factory=Readiness)
    tasks: Tasks = field(default_factory=Tasks)

    @property
    def pool(self) -> Pool:
        """The database; only for a service that has migrations."""
        assert self.database is not None, f"{self.service} was started without migrations"
        return self.database

    @property
    def outbox(self) -> Outbox:
        """The outbox; only for a service that has migrations."""
        assert self.relay is not None, f"{self.service} was started without migrations"
        return self.relay


Compose = Callable[[Platform[P]], AbstractAsyncContextManager[None]]


def run(
    service: Service, settings: P, compose: Compose[P], *, migrations: tuple[str, ...] = ()
) -> None:
    """Run a service until SIGTERM or SIGINT. `migrations` are the packages whose SQL its schema needs."""
    logs.configure(settings, service)
    # Long-lived read models make full collections long; fewer of them keep the tail latency down.
    gc.set_threshold(50_000, 20, 50)
    try:
        keys = Keys.load(settings.keys_dir, service)
    except SealError as error:
        log.error("configuration", error=str(error))
        sys.exit(EXIT_CONFIGURATION)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_main(service, settings, keys, compose, migrations))
        except asyncio.CancelledError:
            log.info("stopped_while_starting")


async def _main(
    service: Service,
    settings: P,
    keys: Keys,
    compose: Compose[P],
    migrations: tuple[str, ...],
) -> None:
    instance = new_id()[:10]
    structlog.contextvars.bind_contextvars(instance=instance)
    loop = asyncio.get_running_loop()
    starting = asyncio.current_task()
    assert starting is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, starting.cancel)
    provider = telemetry.configure(settings, service, instance)
    async with AsyncExitStack() as stack:
        stack.callback(provider.shutdown)
        started = False
        readiness = Readiness()
        readiness.add("started", lambda: started)
        operations = OperationsServer(settings.ops_host, settings.ops_port, readiness)
        await operations.start()
        stack.push_async_callback(operations.stop)
        kafka = Kafka(settings, service, instance)
        publisher = Publisher(kafka)
        await _reach_kafka(kafka, publisher)
        stack.push_async_callback(publisher.stop)
        pool = relay = None
        tasks = Tasks()
        if migrations:
            pool = await open_database(settings, service.value, migrations)
            stack.push_async_callback(_close, pool)
            relay = Outbox(pool, kafka)
        stack.push_async_callback(tasks.stop)
        if relay is not None:
            tasks.start("outbox", relay.run)
        broker = _broker(kafka)
        platform = Platform(
            settings=settings,
            service=service,
            instance=instance,
            kafka=kafka,
            publisher=publisher,
            keys=keys,
            database=pool,
            relay=relay,
            broker=broker,
            readiness=readiness,
            tasks=tasks,
        )

        @asynccontextmanager
        async def lifespan() -> AsyncGenerator[None]:
            nonlocal started
            async with compose(platform):
                started = True
                log.info("started", operations_port=operations.port)
                yield
                started = False
                log.info("stopping")

        app = FastStream(broker, logger=None, lifespan=lifespan)
        await app.run(sleep_time=0.05)
    log.info("stopped")


async def _reach_kafka(kafka: Kafka, publisher: Publisher) -> None:
    delay = 0.1
    while True:
        try:
            await kafka.create_topics()
            await publisher.start()
        except (KafkaError, OSError) as error:
            log.warning("waiting_for_kafka", error=type(error).__name__)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)
        else:
            return


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _broker(kafka: Kafka) -> KafkaBroker:
    settings = kafka.settings
    tls = settings.kafka_security_protocol in ("SSL", "SASL_SSL")
    context = ssl.create_default_context(cafile=settings.kafka_ca_file) if tls else None
    security = BaseSecurity(ssl_context=context, use_ssl=tls)
    if settings.kafka_security_protocol.startswith("SASL"):
        kind = {
            "PLAIN": SASLPlaintext,
            "SCRAM-SHA-256": SASLScram256,
            "SCRAM-SHA-512": SASLScram512,
        }[settings.kafka_sasl_mechanism]
        security = kind(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password.get_secret_value(),
            ssl_context=context,
            use_ssl=tls,
        )
    return KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        client_id=f"jackfield-{kafka.service}-{kafka.instance}",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        security=security,
        logger=None,
    )
