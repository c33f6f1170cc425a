"""A webhook listener on real Kafka, and the plainest of HTTP clients."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from jackfield_common.connector.auth import NoAuth
from jackfield_common.connector.manifest import Category, Manifest
from jackfield_common.connector.verification import Hmac, Verify
from jackfield_common.connector.webhook import Webhook
from jackfield_common.events.delivery import DeliveryVerified
from jackfield_common.events.integration import IntegrationState, SealedSecret
from jackfield_common.events.manifest import ManifestState
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.sealing import Keys
from jackfield_common.settings import Settings
from jackfield_common.state import ReadModel
from jackfield_common.topics import DELIVERY_VERIFIED, Service
from jackfield_gateway.edge import Edge, EdgeSettings
from tests.platform import make_kafka, publisher_of, until

SECRET = "it is a secret to everybody"
_CREATED: set[str] = set()
GITHUB = Webhook(
    verify=Hmac(header="X-Hub-Signature-256", prefix="sha256="),
    delivery_id="header:X-GitHub-Delivery",
    event_type="header:X-GitHub-Event +? '.' + body:action",
    headers=("X-GitHub-Hook-ID", "X-Hub-Signature-256"),
    setup=("Enter {url}",),
)


def manifest_of(webhook: Webhook | None, slug: str, version: int = 1) -> ManifestState:
    """A connector that is nothing but a webhook source."""
    return ManifestState(
        tenant=DEFAULT_TENANT,
        version=version,
        manifest=Manifest(
            slug=slug,
            title=slug,
            description="A source.",
            category=Category.CUSTOM,
            docs="https://example.com/docs",
            version="1.0.0",
            auth=(NoAuth(),),
            test="test_connection",
            actions=(),
            webhook=webhook,
        ),
    )


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, raw: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Read one answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name not in headers, f"{name} twice"
            headers[name] = value
        length = 0 if head_only else int(headers.get("content-length", "0"))
        return Answer(int(first.split(" ")[1]), headers, await self.reader.readexactly(length))

    async def is_closed(self) -> bool:
        """Whether the listener closes this connection, waited for."""
        return await self.reader.read(1) == b""


def request(
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
) -> bytes:
    """A request as bytes."""
    given = {"Host": "hooks.test", "Content-Type": "application/json", **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def github_headers(body: bytes, secret: str = SECRET, delivery: str = "d-1") -> dict[str, str]:
    """The headers GitHub sends, signed."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": "push",
        "X-GitHub-Hook-ID": "292430182",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


@dataclass
class Listening:
    """A running listener and everything around it."""

    kafka: Kafka
    publisher: Publisher
    keys: Keys
    integrations: ReadModel[IntegrationState]
    manifests: ReadModel[ManifestState]
    edge: Edge
    clock: Callable[[], float]
    clients: list[Client] = field(default_factory=list[Client])
    begin: dict[TopicPartition, int] = field(default_factory=dict[TopicPartition, int])

    async def install(
        self,
        webhook: Webhook | Verify | None = GITHUB,
        secrets: Mapping[str, str | tuple[str, ...]] | None = None,
        *,
        config: JsonObject | None = None,
        enabled: bool = True,
    ) -> str:
        """Install an integration of a connector with this webhook; waits until the listener knows it."""
        if webhook is not None and not isinstance(webhook, Webhook):
            webhook = Webhook(verify=webhook, event_type="'test'", setup=("Enter {url}",))
        slug = "c" + new_id()
        manifest = manifest_of(webhook, slug)
        state = IntegrationState(
            tenant=DEFAULT_TENANT,
            version=1,
            integration_id=IntegrationId(new_id()),
            template=slug,
            connector=slug,
            name=slug,
            config=config or {},
            enabled=enabled,
            webhook_secrets=self.seal({"webhook_secret": SECRET} if secrets is None else secrets),
        )
        await self.publisher.publish(manifest)
        await self.publish(state)
        await self.manifests.wait_for(slug, 1, 10)
        return state.integration_id

    def seal(self, secrets: Mapping[str, str | tuple[str, ...]]) -> tuple[SealedSecret, ...]:
        """Secrets as the gateway keeps them; of several for one field the newest first."""
        return tuple(
            self.keys.seal(Service.GATEWAY, label, one.encode())
            for label, given in secrets.items()
            for one in ((given,) if isinstance(given, str) else given)
        )

    async def publish(self, state: IntegrationState) -> None:
        """Publish a state and wait until the listener knows it."""
        await self.publisher.publish(state)
        await self.integrations.wait_for(state.integration_id, state.version, 10)

    async def connect(self) -> Client:
        """A new connection."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.edge.port))
        self.clients.append(client)
        return client

    async def send(self, raw: bytes) -> Answer:
        """One request on a connection of its own."""
        client = await self.connect()
        await client.send(raw)
        return await client.answer()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One POST on a connection of its own."""
        return await self.send(request(path, body, headers))

    async def end_offsets(self) -> dict[TopicPartition, int]:
        """Where the topic of verified deliveries ends."""
        async with self._consumer() as (consumer, partitions):
            return await consumer.end_offsets(partitions)

    async def deliveries(self, count: int = 1) -> list[tuple[ConsumerRecord, DeliveryVerified]]:
        """Everything on the bus since this listener started, at least `count` records."""
        async with self._consumer() as (consumer, partitions), asyncio.timeout(20):
            for partition, offset in self.begin.items():
                consumer.seek(partition, offset)
            ends = await consumer.end_offsets(partitions)
            found: list[ConsumerRecord] = []
            while len(found) < count or any(
                [await consumer.position(tp) < ends[tp] for tp in partitions]
            ):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found += batch
        return [(one, DeliveryVerified.from_bytes(one.value or b"")) for one in found]

    @asynccontextmanager
    async def _consumer(self) -> AsyncGenerator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
        consumer = self.kafka.consumer(group_id=None)
        await consumer.start()
        try:
            partitions = await self.kafka.partitions(DELIVERY_VERIFIED)
            consumer.assign(partitions)
            yield consumer, partitions
        finally:
            await consumer.stop()


@asynccontextmanager
async def listening(
    settings: Settings, clock: Callable[[], float] = time.time, **options: Any
) -> AsyncGenerator[Listening]:
    """A listener that is ready; `options` are fields of EdgeSettings."""
    kafka = make_kafka(settings, Service.GATEWAY)
    if settings.topic_prefix not in _CREATED:
        await kafka.create_topics()
        await make_kafka(settings, Service.CONNECTORS).create_topics()
        _CREATED.add(settings.topic_prefix)
    integrations = ReadModel(kafka, IntegrationState)
    manifests = ReadModel(kafka, ManifestState)
    keys = Keys.load(settings.keys_dir, Service.GATEWAY)
    edge = Edge(kafka, integrations, manifests, keys, EdgeSettings(port=0, **options), clock=clock)
    async with publisher_of(kafka) as publisher:
        await integrations.start()
        await manifests.start()
        await edge.start()
        running = Listening(kafka, publisher, keys, integrations, manifests, edge, clock)
        try:
            await until(lambda: edge.ready)
            running.begin = await running.end_offsets()
            yield running
        finally:
            for client in running.clients:
                client.writer.close()
            await edge.stop()
            await integrations.stop()
            await manifests.stop()
