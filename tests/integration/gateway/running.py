"""A running gateway on real Kafka and PostgreSQL, with real sockets, and the bus around it."""

import asyncio
import secrets
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry
from pydantic import JsonValue

from jackfield_common.errors import ErrorKind
from jackfield_common.events.action import ActionCompleted, ActionRequested
from jackfield_common.events.manifest import ManifestState
from jackfield_common.events.message import Event
from jackfield_common.events.question import Answer
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.shell import Platform
from jackfield_common.topics import ACTION_REQUESTED, Service, Topic
from jackfield_gateway.app import MIGRATIONS, compose
from jackfield_gateway.edge import Edge
from jackfield_gateway.settings import GatewaySettings
from tests.integration.gateway.manifests import ALL
from tests.platform import make_kafka, make_settings, pool_of, publisher_of, until

API_KEY = "jf_test-key-of-the-administrator-0123456789"

E = TypeVar("E", bound=Event)


@dataclass
class Worker:
    """Stands where the connectors service does: one result for each action id, however often asked."""

    kafka: Kafka
    publisher: Publisher
    seen: list[ActionRequested] = field(default_factory=list[ActionRequested])
    done: dict[str, ActionCompleted] = field(default_factory=dict[str, ActionCompleted])
    answers: bool = True

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Carry out what is asked for."""
        async for record in consumer:
            assert record.value is not None
            request = ActionRequested.from_bytes(record.value)
            self.seen.append(request)
            first = request.action_id not in self.done
            if first:
                self.done[request.action_id] = self._carry_out(request)
            if not self.answers:
                continue
            done = self.done[request.action_id]
            if request.question is not None:
                await self.publisher.publish(
                    Answer(
                        tenant=request.tenant,
                        correlation_id=request.question.correlation_id,
                        instance=request.question.instance,
                        success=done.success,
                        message=done.message,
                        error=done.error,
                        field=done.field,
                        data=done.data if isinstance(done.data, dict) else None,
                        items=tuple(done.data) if isinstance(done.data, list) else None,
                    )
                )
            if first:
                await self.publisher.publish(done)

    def _carry_out(self, request: ActionRequested) -> ActionCompleted:
        wrong = request.input.get("channel") == "nowhere"
        as_list = request.input.get("channel") == "list"
        return ActionCompleted(
            tenant=request.tenant,
            action_id=request.action_id,
            integration_id=request.integration_id,
            connector=request.connector,
            action=request.action,
            success=not wrong,
            message="there is no such channel" if wrong else "done",
            data=None if wrong else [1, "two"] if as_list else {"echo": request.input},
            error=ErrorKind.INVALID if wrong else None,
            field="channel" if wrong else None,
            duration_ms=1.5,
            requested_at=request.caused_at,
        )


@dataclass
class Running:
    """The gateway, and what a test needs around it."""

    settings: GatewaySettings
    platform: Platform[GatewaySettings]
    http: httpx.AsyncClient
    webhook_url: str
    worker: Worker

    @property
    def kafka(self) -> Kafka:
        """Kafka clients of the gateway."""
        return self.platform.kafka

    async def publish(self, event: Event) -> None:
        """Publish as somebody else would."""
        await self.platform.publisher.publish(event)

    async def install(self, template: str = "chat", **more: JsonValue) -> dict[str, JsonValue]:
        """Install a template."""
        answer = await self.http.post(
            "/api/marketplace/install", json={"template_name": template, **more}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def configure(self, integration_id: object, **more: JsonValue) -> httpx.Response:
        """Configure an installation."""
        return await self.http.post(
            "/api/marketplace/configure", json={"integration_id": integration_id, **more}
        )

    async def ready_chat(self) -> str:
        """A chat integration with a credential; its id."""
        installed = await self.install("chat", auth="bearer")
        answer = await self.configure(
            installed["integration_id"], credentials={"token": "a-token-for-the-chat"}
        )
        assert answer.status_code == 200, answer.text
        return str(installed["integration_id"])

    async def records(self, topic: Topic) -> list[tuple[bytes | None, bytes | None]]:
        """Everything on a topic now: keys and values."""
        consumer = self.kafka.consumer(group_id=None)
        await consumer.start()
        try:
            partitions = await self.kafka.partitions(topic)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[tuple[bytes | None, bytes | None]] = []
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.key, record.value) for record in records]
            return found
        finally:
            await consumer.stop()

    async def events(self, event: type[E]) -> list[E]:
        """Everything on an event's topic now, deletions left out."""
        return [
            event.from_bytes(value)
            for _, value in await self.records(event.topic)
            if value is not None
        ]


@asynccontextmanager
async def fresh_database(postgres: str) -> AsyncGenerator[str]:
    """The DSN of an empty database, dropped at the end."""
    name = f"test_{secrets.token_hex(8)}"
    administrator = await asyncpg.connect(postgres, timeout=30)
    try:
        await administrator.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
        await administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await administrator.close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def eventually(check: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Wait until a check holds; fail the test when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    bootstrap_servers: str, dsn: str, prefix: str, directory: Path, **more: object
) -> AsyncGenerator[Running]:
    """Start a gateway; `more` are settings by name."""
    base = make_settings(bootstrap_servers, dsn, prefix, directory / "keys")
    key_file = directory / "api-key"
    key_file.write_text(API_KEY + "\n")
    api_port, webhook_port = free_port(), free_port()
    settings = GatewaySettings.model_validate(
        {
            **base.model_dump(),
            "api_port": api_port,
            "api_key_file": key_file,
            "webhook": {"port": webhook_port},
            "public_url": f"http://127.0.0.1:{webhook_port}",
            "drain_seconds": 1,
            **more,
        }
    )
    async with AsyncExitStack() as stack:
        for owner in Service:
            await make_kafka(settings, owner).create_topics()
        kafka = make_kafka(settings, Service.GATEWAY)
        publisher = await stack.enter_async_context(publisher_of(kafka))
        for version, manifest in enumerate(ALL, start=1):
            await publisher.publish(
                ManifestState(tenant=DEFAULT_TENANT, version=version, manifest=manifest)
            )
        pool = await stack.enter_async_context(
            pool_of(settings, Service.GATEWAY.value, *MIGRATIONS)
        )
        platform = Platform(
            settings=settings,
            service=Service.GATEWAY,
            instance=kafka.instance,
            kafka=kafka,
            publisher=publisher,
            keys=Keys.load(settings.keys_dir, Service.GATEWAY),
            database=pool,
            relay=Outbox(pool, kafka),
            broker=KafkaBroker(settings.kafka_bootstrap_servers),  # pyright: ignore[reportUnknownArgumentType]
        )
        stack.push_async_callback(platform.tasks.stop)
        platform.tasks.start("outbox", platform.outbox.run)
        worker = Worker(kafka, publisher)
        consumer = kafka.consumer(ACTION_REQUESTED, group_id=None)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        platform.tasks.start("worker", lambda: worker.run(consumer))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{api_port}",
                headers={"Authorization": f"Bearer {API_KEY}"},
                timeout=30,
            )
        )
        # Another service's metrics may be in this process's registry already, one under a name of ours.
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("jackfield_gateway.app.Edge", partial(Edge, registry=CollectorRegistry()))
        await stack.enter_async_context(compose(platform))
        await until(lambda: all(platform.readiness.report().values()))
        yield Running(settings, platform, http, f"http://127.0.0.1:{webhook_port}", worker)
