"""A running webhooks service, on real Kafka and PostgreSQL, and what stands around it on the bus."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream.kafka import KafkaBroker
from pydantic import JsonValue

from jackfield_common.connector.manifest import Manifest
from jackfield_common.envelope import tombstone
from jackfield_common.events import (
    ActionRequested,
    DeadLetter,
    DeliveryProcessed,
    DeliveryVerified,
    Event,
    IntegrationEvent,
    IntegrationState,
    ManifestState,
    SubscriptionState,
    Target,
)
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, SubscriptionId, TenantId, new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.shell import Platform
from jackfield_common.topics import (
    ACTION_REQUESTED,
    ANSWER,
    COMMAND_REQUESTED,
    DELIVERY_DEAD,
    DELIVERY_PROCESSED,
    DELIVERY_VERIFIED,
    EVENT_INGESTED,
    HISTORY_REQUESTED,
    INTEGRATION,
    MANIFEST,
    SUBSCRIPTION,
    WEBHOOKS_STATISTICS,
    Service,
    Topic,
    events_dead,
    events_in,
    events_out,
)
from jackfield_webhooks.app import MIGRATIONS, compose
from jackfield_webhooks.settings import WebhooksSettings
from tests.platform import make_kafka, make_settings, pool_of, publisher_of, until

E = TypeVar("E", bound=Event)

OTHER_TENANT = TenantId("other")
PARTITIONS = 2
TOPICS = (
    INTEGRATION,
    SUBSCRIPTION,
    MANIFEST,
    WEBHOOKS_STATISTICS,
    DELIVERY_VERIFIED,
    EVENT_INGESTED,
    ACTION_REQUESTED,
    DELIVERY_PROCESSED,
    DELIVERY_DEAD,
    COMMAND_REQUESTED,
    HISTORY_REQUESTED,
    ANSWER,
)
PUBLIC = (events_in, events_out, events_dead)


def forge(**more: object) -> Manifest:
    """The manifest of a code forge that exists only here."""
    return Manifest.model_validate(
        {
            "slug": "forge",
            "title": "Forge",
            "description": "A code forge for tests",
            "category": "source_control",
            "docs": "https://forge.example/docs",
            "version": "1.0.0",
            "auth": [{"kind": "none"}],
            "test": "test_connection",
            "actions": [_action("test_connection")],
            "webhook": {
                "verify": {"kind": "token", "header": "X-Forge-Token"},
                "delivery_id": "header:X-Forge-Delivery",
                "event_type": "header:X-Forge-Event +? '.' + body:action",
                "ordering": "body:repository.full_name",
                "subject": "body:repository.full_name",
                "events": {
                    "push": {
                        "canonical": "push",
                        "occurrence": {
                            "repository": "body:repository.full_name",
                            "ref": "body:ref",
                            "sha": "body:after",
                            "actor": "body:sender.login",
                        },
                    },
                    "pull_request.*": {
                        "canonical": "merge_request",
                        "occurrence": {
                            "repository": "body:repository.full_name",
                            "title": "body:pull_request.title",
                            "number": "body:number",
                            "action": "body:action",
                            "state": "body:pull_request.state",
                        },
                        "states": {"closed": "merged"},
                    },
                },
                "setup": ["Enter {url}"],
                **cast(dict[str, object], more.pop("webhook", {})),
            },
            **more,
        }
    )


def chat() -> Manifest:
    """The manifest of something to send messages with."""
    return Manifest.model_validate(
        {
            "slug": "chat",
            "title": "Chat",
            "description": "A chat for tests",
            "category": "communication",
            "docs": "https://chat.example/docs",
            "version": "1.0.0",
            "auth": [{"kind": "none"}],
            "test": "test_connection",
            "actions": [
                _action("test_connection"),
                _action("send_message"),
                {**_action("post_in_order"), "ordering": "channel"},
            ],
        }
    )


def _action(name: str) -> dict[str, object]:
    return {
        "name": name,
        "title": name,
        "input": {"type": "object"},
        "output": {"type": "object"},
        "repeat": "unsafe",
        "http": {"method": "POST", "path": f"/{name}"},
    }


PUSH: JsonObject = {
    "ref": "refs/heads/main",
    "after": "d6fde92930d4715a2b49857d24b940956b26d2d3",
    "repository": {"full_name": "acme/site"},
    "sender": {"login": "ada"},
    "commits": [{"id": "d6fde92", "message": "Fix"}],
}


def delivery(
    integration_id: str,
    body: JsonValue = None,
    *,
    event: str = "push",
    delivery_id: str | None = None,
    raw: str | None = None,
    tenant: TenantId = DEFAULT_TENANT,
    content_type: str = "application/json",
) -> DeliveryVerified:
    """A delivery of the forge, as the gateway publishes it."""
    return DeliveryVerified(
        tenant=tenant,
        integration_id=IntegrationId(integration_id),
        connector="forge",
        delivery_id=delivery_id,
        content_type=content_type,
        headers={"x-forge-event": event},
        body=raw if raw is not None else json.dumps(PUSH if body is None else body),
    )


@dataclass
class Tap:
    """Everything on one topic, in the order read."""

    records: list[ConsumerRecord] = field(default_factory=list[ConsumerRecord])

    def all(self, event: type[E]) -> list[E]:
        """The records as events, repeated ones as well."""
        return [event.from_bytes(record.value) for record in self.records if record.value]

    def events(self, event: type[E]) -> list[E]:
        """The events in the order first seen; delivery is at least once, the same id is the same."""
        first: dict[str, E] = {}
        for one in self.all(event):
            first.setdefault(one.id, one)
        return list(first.values())


@dataclass
class Bus:
    """The other services' side of the bus."""

    settings: WebhooksSettings
    kafka: Kafka
    publisher: Publisher
    out: Tap = field(default_factory=Tap)
    actions: Tap = field(default_factory=Tap)
    processed: Tap = field(default_factory=Tap)
    dead: Tap = field(default_factory=Tap)
    refused: Tap = field(default_factory=Tap)

    async def publish(self, *events: Event) -> None:
        """Publish in this order."""
        for event in events:
            await self.publisher.publish(event, {})

    async def manifest(self, manifest: Manifest, version: int = 1) -> None:
        """Publish a connector's manifest."""
        await self.publish(ManifestState(tenant=DEFAULT_TENANT, version=version, manifest=manifest))

    async def install(
        self, connector: str, *, tenant: TenantId = DEFAULT_TENANT, version: int = 1
    ) -> IntegrationId:
        """Publish a new integration."""
        integration_id = IntegrationId(new_id())
        await self.publish(integration(integration_id, connector, tenant=tenant, version=version))
        return integration_id

    async def uninstall(self, integration_id: IntegrationId, version: int = 2) -> None:
        """Publish the deletion of an integration."""
        await self.publisher.send(
            tombstone(INTEGRATION, integration_id, version, self.kafka.naming)
        )

    async def route(
        self,
        target: IntegrationId,
        *,
        events: tuple[str, ...] = ("*",),
        condition: str | None = None,
        transform: str | None = None,
        given: JsonObject | None = None,
        source: IntegrationId | None = None,
        action: str = "send_message",
        tenant: TenantId = DEFAULT_TENANT,
        enabled: bool = True,
        name: str = "a route",
    ) -> SubscriptionId:
        """Publish a new route."""
        subscription_id = SubscriptionId(new_id())
        await self.publish(
            SubscriptionState(
                tenant=tenant,
                version=1,
                subscription_id=subscription_id,
                name=name,
                source=source,
                events=events,
                condition=condition,
                target=Target(
                    integration_id=target, action=action, input=given or {}, transform=transform
                ),
                enabled=enabled,
            )
        )
        return subscription_id

    async def outcome(self, event_id: str) -> DeliveryProcessed:
        """What became of a delivery, once it is known."""
        await until(lambda: any(one.event_id == event_id for one in self.outcomes()))
        return next(one for one in self.outcomes() if one.event_id == event_id)

    def outcomes(self) -> list[DeliveryProcessed]:
        """What became of deliveries."""
        return self.processed.events(DeliveryProcessed)

    def requested(self) -> list[ActionRequested]:
        """The actions asked for."""
        return self.actions.events(ActionRequested)

    def normalised(self) -> list[IntegrationEvent]:
        """The public events."""
        return self.out.events(IntegrationEvent)

    def dead_letters(self) -> list[DeadLetter]:
        """What was given up."""
        return self.dead.events(DeadLetter)

    def refusals(self) -> list[DeadLetter]:
        """What was refused on the public topic."""
        return self.refused.events(DeadLetter)


def integration(
    integration_id: IntegrationId,
    connector: str,
    *,
    tenant: TenantId = DEFAULT_TENANT,
    version: int = 1,
) -> IntegrationState:
    """An installed integration."""
    return IntegrationState(
        tenant=tenant,
        version=version,
        integration_id=integration_id,
        template=connector,
        connector=connector,
        name=connector,
    )


@asynccontextmanager
async def bus(
    bootstrap_servers: str, dsn: str, prefix: str, keys_dir: Path, **more: object
) -> AsyncGenerator[Bus]:
    """The bus with its topics, and taps on what the service publishes; `more` are settings by name."""
    base = make_settings(bootstrap_servers, dsn, prefix, keys_dir)
    settings = WebhooksSettings.model_validate(
        {**base.model_dump(), "tenants": (DEFAULT_TENANT, OTHER_TENANT), **more}
    )
    async with AsyncExitStack() as stack:
        kafka = make_kafka(settings, Service.GATEWAY)
        await _create_topics(kafka)
        publisher = await stack.enter_async_context(publisher_of(kafka))
        world = Bus(settings, kafka, publisher)
        taps: dict[Topic, Tap] = {
            events_out(DEFAULT_TENANT): world.out,
            ACTION_REQUESTED: world.actions,
            DELIVERY_PROCESSED: world.processed,
            DELIVERY_DEAD: world.dead,
            events_dead(DEFAULT_TENANT): world.refused,
        }
        await stack.enter_async_context(_tapping(kafka, taps))
        await world.manifest(forge())
        await world.manifest(chat())
        yield world


async def _create_topics(kafka: Kafka) -> None:
    """The topics that these tests need, with few partitions: one broker serves all tests."""
    wanted = [*TOPICS, *(make(one) for make in PUBLIC for one in kafka.settings.tenants)]
    names = [kafka.naming.physical(topic) for topic in wanted]
    admin = AIOKafkaAdminClient(**kafka.connection())
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(name, PARTITIONS, 1, topic_configs=topic.configuration())
                for name, topic in zip(names, wanted, strict=True)
            ]
        )
    finally:
        await admin.close()


@asynccontextmanager
async def _tapping(kafka: Kafka, taps: dict[Topic, Tap]) -> AsyncGenerator[None]:
    consumer = kafka.consumer(*taps, group_id=None, fetch_max_wait_ms=20)
    by_name = {kafka.naming.physical(topic): tap for topic, tap in taps.items()}

    async def follow() -> None:
        while True:
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                by_name[partition.topic].records.extend(records)

    await consumer.start()
    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait((following,))
        await consumer.stop()


@asynccontextmanager
async def service(world: Bus) -> AsyncGenerator[Platform[WebhooksSettings]]:
    """The service itself, in this process; ready when the block begins."""
    settings = world.settings
    async with AsyncExitStack() as stack:
        kafka = make_kafka(settings, Service.WEBHOOKS)
        publisher = await stack.enter_async_context(publisher_of(kafka))
        pool = await stack.enter_async_context(
            pool_of(settings, Service.WEBHOOKS.value, *MIGRATIONS)
        )
        platform = Platform(
            settings=settings,
            service=Service.WEBHOOKS,
            instance=kafka.instance,
            kafka=kafka,
            publisher=publisher,
            keys=Keys.load(settings.keys_dir, Service.WEBHOOKS),
            database=pool,
            relay=Outbox(pool, kafka),
            broker=KafkaBroker(settings.kafka_bootstrap_servers),  # pyright: ignore[reportUnknownArgumentType]
        )
        stack.push_async_callback(platform.tasks.stop)
        platform.tasks.start("outbox", platform.outbox.run)
        await stack.enter_async_context(compose(platform))
        await until(lambda: all(platform.readiness.report().values()), seconds=30)
        yield platform


def all_of(items: Sequence[E], condition: Callable[[E], bool]) -> bool:
    """Whether there are any, and the condition holds for each."""
    return bool(items) and all(condition(item) for item in items)
