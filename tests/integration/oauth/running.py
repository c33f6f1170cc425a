"""A running oauth service, on real Kafka and PostgreSQL, with real sockets."""

import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka import KafkaBroker

from jackfield_common.database import Pool
from jackfield_common.events.message import State
from jackfield_common.ids import TenantId
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.shell import Platform
from jackfield_common.state import ReadModel
from jackfield_common.topics import Service
from jackfield_oauth.app import MIGRATIONS, compose
from jackfield_oauth.repository.clients import Clients
from jackfield_oauth.repository.keys import HashKeys
from jackfield_oauth.service.clients import ClientRegistry, NewClient
from jackfield_oauth.service.secrets import SecretHash
from jackfield_oauth.settings import OauthSettings
from tests.platform import make_kafka, make_settings, pool_of, publisher_of

S = TypeVar("S", bound=State)


@dataclass
class Running:
    """The service, and what a test needs around it."""

    settings: OauthSettings
    platform: Platform[OauthSettings]
    http: httpx.AsyncClient

    @property
    def kafka(self) -> Kafka:
        """Kafka clients of the service."""
        return self.platform.kafka

    @property
    def pool(self) -> Pool:
        """The service's database."""
        return self.platform.pool

    @property
    def publisher(self) -> Publisher:
        """A publisher."""
        return self.platform.publisher

    async def secrets(self) -> SecretHash:
        """What secrets are hashed with."""
        return await SecretHash.load(self.platform.keys, HashKeys(self.pool))

    async def registry(self) -> ClientRegistry:
        """What makes clients."""
        return ClientRegistry(self.platform.outbox, Clients(self.pool), await self.secrets())

    async def client(
        self,
        *scopes: str,
        tenant: str = "default",
        introspects: bool = False,
    ) -> NewClient:
        """A new client for client credentials."""
        registry = await self.registry()
        return await registry.create(
            tenant=TenantId(tenant),
            name="under test",
            scopes=scopes or ("api",),
            actor="test",
            introspects=introspects,
        )

    @asynccontextmanager
    async def following(self, event: type[S]) -> AsyncGenerator[ReadModel[S]]:
        """A read model of another service."""
        model = ReadModel(make_kafka(self.settings, Service.GATEWAY), event)
        await model.start()
        try:
            yield model
        finally:
            await model.stop()


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


@asynccontextmanager
async def fresh_topics(bootstrap_servers: str) -> AsyncGenerator[str]:
    """A prefix for topics, which are deleted at the end: thousands of partitions slow a broker."""
    prefix = f"test-{secrets.token_hex(6)}."
    yield prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=30_000)
    await admin.start()
    try:
        await admin.delete_topics(
            [name for name in await admin.list_topics() if name.startswith(prefix)]
        )
    finally:
        await admin.close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(
    bootstrap_servers: str,
    dsn: str,
    prefix: str,
    keys_dir: Path,
    **more: object,
) -> AsyncGenerator[Running]:
    """Start the service; `more` are settings by name."""
    port = free_port()
    base = make_settings(bootstrap_servers, dsn, prefix, keys_dir)
    settings = OauthSettings.model_validate(
        {
            **base.model_dump(),
            "oauth_port": port,
            "issuer": f"http://127.0.0.1:{port}",
            **more,
        }
    )
    async with AsyncExitStack() as stack:
        kafka = make_kafka(settings, Service.OAUTH)
        for owner in (Service.OAUTH, Service.GATEWAY, Service.CONNECTORS):
            await make_kafka(settings, owner).create_topics()
        publisher = await stack.enter_async_context(publisher_of(kafka))
        pool = await stack.enter_async_context(pool_of(settings, Service.OAUTH.value, *MIGRATIONS))
        options: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap_servers}
        platform = Platform(
            settings=settings,
            service=Service.OAUTH,
            instance=kafka.instance,
            kafka=kafka,
            publisher=publisher,
            keys=Keys.load(settings.keys_dir, Service.OAUTH),
            database=pool,
            relay=Outbox(pool, kafka),
            broker=KafkaBroker(**options),
        )
        stack.push_async_callback(platform.tasks.stop)
        platform.tasks.start("outbox", platform.outbox.run)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=settings.issuer, timeout=10)
        )
        await stack.enter_async_context(compose(platform))
        yield Running(settings, platform, http)
