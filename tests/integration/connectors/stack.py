"""The connectors service in this process, on a real bus and database, beside a vendor on loopback."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream.kafka import KafkaBroker
from pydantic import JsonValue, SecretStr

from jackfield_common.database import open_database
from jackfield_common.events import (
    ActionCompleted,
    ActionRequested,
    Answer,
    CredentialState,
    Event,
    IntegrationState,
    Question,
)
from jackfield_common.events.message import now
from jackfield_common.ids import DEFAULT_TENANT, ActionId, IntegrationId, new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys, create_missing_keys
from jackfield_common.shell import Platform
from jackfield_common.topics import (
    ACTION_COMPLETED,
    ACTION_DEAD,
    ACTION_REQUESTED,
    ANSWER,
    CONNECTORS_COMMAND,
    CREDENTIAL,
    HEALTH,
    INTEGRATION,
    MANIFEST,
    REFRESH_REQUESTED,
    Service,
    Topic,
)
from jackfield_connectors.app import MIGRATIONS, compose
from jackfield_connectors.settings import ConnectorsSettings

E = TypeVar("E", bound=Event)

TOPICS = (
    ACTION_COMPLETED,
    ACTION_DEAD,
    ACTION_REQUESTED,
    ANSWER,
    CONNECTORS_COMMAND,
    CREDENTIAL,
    HEALTH,
    INTEGRATION,
    MANIFEST,
    REFRESH_REQUESTED,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Received:
    """A request that the vendor got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A vendor on loopback: records every request and answers as it is told to."""

    answer: Handler
    requests: list[Received] = field(default_factory=list[Received])
    url: str = ""

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(
            Received(
                request.method,
                request.path_qs,
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
        )
        return await self.answer(request)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Receiver"]:
        """Serve for as long as the context lasts."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


@asynccontextmanager
async def vendor(answer: Handler) -> AsyncGenerator[Receiver]:
    """A vendor that answers by this function."""
    async with Receiver(answer).running() as receiver:
        yield receiver


async def says_ok(_request: web.Request) -> web.StreamResponse:
    """What Slack's incoming webhooks answer."""
    return web.Response(text="ok")


class Feed:
    """Everything on a topic since the start of the test."""

    def __init__(self, kafka: Kafka, topic: Topic, event: type[Event]) -> None:
        self._kafka, self._topic, self._event = kafka, topic, event
        self._seen: list[Event] = []
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def _follow(self) -> None:
        consumer = self._kafka.consumer(self._topic, group_id=None)
        await consumer.start()
        try:
            async for record in consumer:
                if record.value is None:
                    continue
                async with self._changed:
                    self._seen.append(self._event.from_bytes(record.value))
                    self._changed.notify_all()
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Feed"]:
        """Follow for as long as the context lasts."""
        self._task = asyncio.create_task(self._follow())
        try:
            yield self
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def all(self, event: type[E]) -> list[E]:
        """What was seen so far."""
        return [one for one in self._seen if isinstance(one, event)]

    async def next(
        self, event: type[E], when: Callable[[E], bool] = lambda _: True, seconds: float = 20
    ) -> E:
        """The first event for which `when` holds, waited for."""
        async with asyncio.timeout(seconds), self._changed:
            while True:
                for one in self.all(event):
                    if when(one):
                        return one
                await self._changed.wait()


class Outside:
    """What stands around the service: the gateway's and the vault's part, and whoever asks."""

    def __init__(self, settings: ConnectorsSettings, kafka: Kafka, publisher: Publisher) -> None:
        self.settings = settings
        self.kafka = kafka
        self.publisher = publisher
        self.vault = Keys.load(settings.keys_dir, Service.OAUTH)
        self.versions: dict[str, int] = {}

    async def install(
        self,
        connector: str,
        *,
        auth: str | None = None,
        fields: dict[str, str] | None = None,
        config: dict[str, JsonValue] | None = None,
        enabled: bool = True,
    ) -> IntegrationId:
        """An integration, as the gateway publishes it, and its credential, as the vault does."""
        integration_id = IntegrationId(new_id())
        await self.state(
            integration_id,
            connector,
            config=config or {},
            credential=1 if fields else 0,
            enabled=enabled,
        )
        if fields is not None:
            await self.credential(integration_id, auth or "bearer", fields, 1)
        return integration_id

    async def state(
        self,
        integration_id: IntegrationId,
        connector: str,
        *,
        config: dict[str, JsonValue] | None = None,
        credential: int = 0,
        enabled: bool = True,
    ) -> int:
        """Publish the next version of an integration's state."""
        version = self.versions[integration_id] = self.versions.get(integration_id, 0) + 1
        await self.publisher.publish(
            IntegrationState(
                tenant=DEFAULT_TENANT,
                version=version,
                integration_id=integration_id,
                template=connector,
                connector=connector,
                name=f"the {connector}",
                config=config or {},
                credential_version=credential,
                enabled=enabled,
            )
        )
        return version

    async def credential(
        self, integration_id: IntegrationId, auth: str, fields: dict[str, str], version: int
    ) -> None:
        """Publish a version of a credential."""
        content = json.dumps({"auth": auth, "fields": fields}).encode()
        token = self.vault.sign(
            {
                "integration_id": integration_id,
                "version": version,
                "tenant": DEFAULT_TENANT,
                "jwe": self.vault.seal(Service.CONNECTORS, "credential", content).jwe,
            }
        )
        await self.publisher.publish(
            CredentialState(
                tenant=DEFAULT_TENANT, version=version, integration_id=integration_id, token=token
            )
        )

    async def request(
        self,
        integration_id: IntegrationId,
        connector: str,
        action: str,
        given: dict[str, JsonValue] | None = None,
        *,
        wait: float | None = None,
        ordering: str = "",
        action_id: str | None = None,
    ) -> ActionRequested:
        """Ask for an action; with `wait` as somebody who waits that many seconds for the answer."""
        question = None
        if wait is not None:
            question = Question(
                correlation_id=new_id(), instance="test", deadline=now() + timedelta(seconds=wait)
            )
        request = ActionRequested(
            tenant=DEFAULT_TENANT,
            action_id=ActionId(action_id or new_id()),
            integration_id=integration_id,
            connector=connector,
            action=action,
            input=given or {},
            ordering=ordering,
            integration_version=self.versions.get(integration_id, 1),
            question=question,
        )
        await self.publisher.publish(request)
        return request

    @asynccontextmanager
    async def feed(self, event: type[Event], topic: Topic | None = None) -> AsyncGenerator[Feed]:
        """Follow a topic."""
        async with Feed(self.kafka, topic or event.topic, event).running() as feed:
            yield feed


class Stack(Outside):
    """A service that runs in this process, and what stands around it."""

    def __init__(
        self, settings: ConnectorsSettings, platform: Platform[ConnectorsSettings]
    ) -> None:
        super().__init__(settings, platform.kafka, platform.publisher)
        self.platform = platform


@asynccontextmanager
async def outside(
    bootstrap_servers: str, dsn: str, prefix: str, keys: Path
) -> AsyncGenerator[Outside]:
    """The bus and what stands around the service; the service itself is the test's affair."""
    settings = _settings(bootstrap_servers, dsn, prefix, keys)
    kafka = Kafka(settings, Service.CONNECTORS, "outside")
    async with _topics(kafka):
        publisher = Publisher(kafka)
        await publisher.start()
        try:
            yield Outside(settings, kafka, publisher)
        finally:
            await publisher.stop()


@asynccontextmanager
async def stack(
    bootstrap_servers: str, dsn: str, prefix: str, keys: Path, **more: object
) -> AsyncGenerator[Stack]:
    """The service, running in this process."""
    settings = _settings(bootstrap_servers, dsn, prefix, keys, **more)
    async with _topics(Kafka(settings, Service.CONNECTORS, "test")), _running(settings) as one:
        yield one


def _settings(
    bootstrap_servers: str, dsn: str, prefix: str, keys: Path, **more: object
) -> ConnectorsSettings:
    create_missing_keys(keys)
    options: dict[str, object] = {"egress_allow": ("127.0.0.0/8",), **more}
    return ConnectorsSettings.model_validate(
        {
            "kafka_bootstrap_servers": bootstrap_servers,
            "postgres_dsn": SecretStr(dsn),
            "topic_prefix": prefix,
            "keys_dir": keys,
            **options,
        }
    )


@asynccontextmanager
async def _topics(kafka: Kafka) -> AsyncGenerator[None]:
    """What the service needs of the bus, on few partitions, gone afterwards."""
    names = {topic: kafka.naming.physical(topic) for topic in TOPICS}
    admin = AIOKafkaAdminClient(**kafka.connection())
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(name, 2, 1, topic_configs=topic.configuration())
                for topic, name in names.items()
            ]
        )
        yield
        await admin.delete_topics(list(names.values()))
    finally:
        await admin.close()


@asynccontextmanager
async def _running(settings: ConnectorsSettings) -> AsyncGenerator[Stack]:
    kafka = Kafka(settings, Service.CONNECTORS, new_id()[:8])
    publisher = Publisher(kafka)
    await publisher.start()
    pool = await open_database(settings, Service.CONNECTORS.value, MIGRATIONS)
    outbox = Outbox(pool, kafka)
    platform = Platform(
        settings=settings,
        service=Service.CONNECTORS,
        instance=kafka.instance,
        kafka=kafka,
        publisher=publisher,
        keys=Keys.load(settings.keys_dir, Service.CONNECTORS),
        database=pool,
        relay=outbox,
        broker=KafkaBroker(settings.kafka_bootstrap_servers, logger=None),  # pyright: ignore[reportUnknownArgumentType]
    )
    platform.tasks.start("outbox", outbox.run)
    try:
        async with compose(platform):
            yield Stack(settings, platform)
    finally:
        await platform.tasks.stop()
        await publisher.stop()
        await pool.close()


__all__ = ["ActionCompleted", "Answer", "Feed", "Receiver", "Stack", "says_ok", "stack", "vendor"]
