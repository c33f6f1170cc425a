"""Every topic there is: name, owner, partitions, retention or compaction, size limit.

A topic's partition count never changes: growth is a new version of the topic after a drain. Names are
logical; `Naming` adds the operator's prefix on the way to the broker.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jackfield_common.ids import TenantId, tenant_id

KIB: Final = 1024
MIB: Final = 1024 * KIB
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR

MAX_BODY: Final = 25 * MIB
"""The largest webhook body that is carried whole, in bytes."""


class Service(StrEnum):
    """The five services; a topic has one owner, who creates it."""

    GATEWAY = "gateway"
    OAUTH = "oauth"
    WEBHOOKS = "webhooks"
    CONNECTORS = "connectors"
    CERTIFICATION = "certification"


class Kind(StrEnum):
    """What a topic is for."""

    STATE = "state"
    """Compacted: the latest value per key is the entity; a null value deletes it."""
    WORK = "work"
    """Consumed by lanes: each record is done once, in the order of its lane."""
    FEED = "feed"
    """Facts for whoever wants to know."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention` is in milliseconds; sizes are in bytes."""

    name: str
    owner: Service
    kind: Kind
    partitions: int = 12
    retention: int = 7 * DAY
    max_message_bytes: int = 2 * MIB

    def configuration(self) -> dict[str, str]:
        """Topic-level broker settings (Kafka documentation, "Topic configs")."""
        common = {"max.message.bytes": str(self.max_message_bytes)}
        if self.kind is Kind.STATE:
            return common | {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(DAY),
                "delete.retention.ms": str(DAY),
                "segment.ms": str(DAY),
            }
        return common | {"cleanup.policy": "delete", "retention.ms": str(self.retention)}


_REGISTRY: dict[str, Topic] = {}


def _declare(topic: Topic) -> Topic:
    if topic.name in _REGISTRY:
        raise ValueError(f"topic {topic.name} is declared twice")
    _REGISTRY[topic.name] = topic
    return topic


def _state(name: str, owner: Service, *, max_message_bytes: int = 2 * MIB) -> Topic:
    return _declare(Topic(name, owner, Kind.STATE, max_message_bytes=max_message_bytes))


def _work(
    name: str, owner: Service, *, retention: int = 7 * DAY, max_message_bytes: int = 2 * MIB
) -> Topic:
    return _declare(
        Topic(name, owner, Kind.WORK, retention=retention, max_message_bytes=max_message_bytes)
    )


def _feed(
    name: str, owner: Service, *, retention: int = 7 * DAY, max_message_bytes: int = 2 * MIB
) -> Topic:
    return _declare(
        Topic(name, owner, Kind.FEED, retention=retention, max_message_bytes=max_message_bytes)
    )


# A body that is not UTF-8 travels as base64 (4/3); the rest is room for headers and attributes.
_DELIVERY_BYTES: Final = MAX_BODY * 4 // 3 + 128 * KIB
_DEAD_BYTES: Final = _DELIVERY_BYTES + 64 * KIB

INTEGRATION: Final = _state("gateway.integration.v1", Service.GATEWAY)
SUBSCRIPTION: Final = _state("gateway.subscription.v1", Service.GATEWAY)
MANIFEST: Final = _state("connectors.manifest.v1", Service.CONNECTORS, max_message_bytes=8 * MIB)
HEALTH: Final = _state("connectors.health.v1", Service.CONNECTORS)
CREDENTIAL: Final = _state("oauth.credential.v1", Service.OAUTH)
JWKS: Final = _state("oauth.jwks.v1", Service.OAUTH)
REVOCATION: Final = _state("oauth.revocation.v1", Service.OAUTH)
LEVEL: Final = _state("certification.level.v1", Service.CERTIFICATION)
WEBHOOKS_STATISTICS: Final = _state("webhooks.statistics.v1", Service.WEBHOOKS)

DELIVERY_VERIFIED: Final = _work(
    "webhooks.delivery.verified.v1",
    Service.GATEWAY,
    retention=30 * DAY,
    max_message_bytes=_DELIVERY_BYTES,
)
"""Also the archive that the history of deliveries points into, as the next one."""
EVENT_INGESTED: Final = _work(
    "webhooks.event.ingested.v1",
    Service.WEBHOOKS,
    retention=30 * DAY,
    max_message_bytes=_DELIVERY_BYTES,
)
ACTION_REQUESTED: Final = _work(
    "connectors.action.requested.v1", Service.CONNECTORS, max_message_bytes=_DELIVERY_BYTES
)
ACTION_COMPLETED: Final = _work(
    "connectors.action.completed.v1", Service.CONNECTORS, max_message_bytes=_DELIVERY_BYTES
)
CONNECTION_REQUESTED: Final = _work("oauth.connection.requested.v1", Service.OAUTH)
CONNECTION_COMPLETED: Final = _work("oauth.connection.completed.v1", Service.OAUTH)
REFRESH_REQUESTED: Final = _work("oauth.refresh.requested.v1", Service.OAUTH)
RUN_REQUESTED: Final = _work("certification.run.requested.v1", Service.CERTIFICATION)
RUN_COMPLETED: Final = _work(
    "certification.run.completed.v1", Service.CERTIFICATION, max_message_bytes=8 * MIB
)
COMMAND_REQUESTED: Final = _work("webhooks.command.requested.v1", Service.WEBHOOKS)
"""What the API asks of parked and dead work of the webhooks service."""
HISTORY_REQUESTED: Final = _work("webhooks.history.requested.v1", Service.WEBHOOKS)
"""What the API asks of past deliveries: search, read, explain, replay, preview."""
CONNECTORS_COMMAND: Final = _work("connectors.command.requested.v1", Service.CONNECTORS)
"""What the API asks of parked and dead work of the connectors service."""
DELIVERY_PROCESSED: Final = _work("webhooks.delivery.processed.v1", Service.WEBHOOKS)
"""What became of a delivery or an ingested event: processed, duplicate or failed."""

AUDIT: Final = _feed("audit.recorded.v1", Service.GATEWAY, retention=30 * DAY)
ANSWER: Final = _feed(
    "gateway.question.answered.v1",
    Service.GATEWAY,
    retention=HOUR,
    max_message_bytes=_DELIVERY_BYTES,
)
"""Answers to interactive questions, for the gateway instance that asked."""

DELIVERY_DEAD: Final = _feed(
    "webhooks.delivery.dead.v1",
    Service.WEBHOOKS,
    retention=30 * DAY,
    max_message_bytes=_DEAD_BYTES,
)
ACTION_DEAD: Final = _feed(
    "connectors.action.dead.v1",
    Service.CONNECTORS,
    retention=30 * DAY,
    max_message_bytes=_DEAD_BYTES,
)
OAUTH_DEAD: Final = _feed(
    "oauth.command.dead.v1", Service.OAUTH, retention=30 * DAY, max_message_bytes=_DEAD_BYTES
)
CERTIFICATION_DEAD: Final = _feed(
    "certification.run.dead.v1",
    Service.CERTIFICATION,
    retention=30 * DAY,
    max_message_bytes=_DEAD_BYTES,
)
RESULT_DEAD: Final = _feed(
    "gateway.result.dead.v1", Service.GATEWAY, retention=30 * DAY, max_message_bytes=_DEAD_BYTES
)


def events_in(tenant: TenantId) -> Topic:
    """The public topic that a tenant's own systems send CloudEvents into."""
    return Topic(
        f"tenant.{tenant}.events.in.v1",
        Service.WEBHOOKS,
        Kind.WORK,
        max_message_bytes=_DELIVERY_BYTES,
    )


def events_out(tenant: TenantId) -> Topic:
    """The public topic on which a tenant's normalised events appear."""
    return Topic(
        f"tenant.{tenant}.events.out.v1",
        Service.WEBHOOKS,
        Kind.FEED,
        max_message_bytes=_DELIVERY_BYTES,
    )


def events_dead(tenant: TenantId) -> Topic:
    """Where what was malformed on `events_in` goes, with the reason."""
    return Topic(
        f"tenant.{tenant}.events.dead.v1",
        Service.WEBHOOKS,
        Kind.FEED,
        retention=30 * DAY,
        max_message_bytes=_DEAD_BYTES,
    )


_TENANT_TOPIC = re.compile(r"^tenant\.(?P<tenant>[^.]+)\.events\.(?:in|out|dead)\.v\d+$")


def tenant_of(name: str) -> TenantId:
    """The tenant a public topic belongs to, by its logical name. Raises ValueError for any other."""
    match = _TENANT_TOPIC.match(name)
    if match is None:
        raise ValueError(f"{name} is not a tenant's topic")
    return tenant_id(match["tenant"])


def declared() -> Iterator[Topic]:
    """Every declared topic that is not a tenant's."""
    yield from _REGISTRY.values()


def owned_by(owner: Service, tenants: tuple[TenantId, ...]) -> list[Topic]:
    """What `owner` creates at start."""
    topics = [topic for topic in declared() if topic.owner is owner]
    if owner is Service.WEBHOOKS:
        topics += [
            make(tenant) for tenant in tenants for make in (events_in, events_out, events_dead)
        ]
    return topics


def find(name: str) -> Topic:
    """The topic with this logical name. Raises KeyError when nobody declared it."""
    if name in _REGISTRY:
        return _REGISTRY[name]
    for make in (events_in, events_out, events_dead):
        try:
            topic = make(tenant_of(name))
        except ValueError:
            break
        if topic.name == name:
            return topic
    raise KeyError(f"topic {name} is not declared in jackfield_common.topics")


@dataclass(frozen=True, slots=True)
class Naming:
    """Logical names to the broker's and back, with the operator's prefix."""

    prefix: str = ""

    def physical(self, topic: Topic) -> str:
        """The name at the broker."""
        return self.prefix + topic.name

    def logical(self, name: str) -> str:
        """The name in this registry. Raises ValueError when the prefix is missing."""
        if not name.startswith(self.prefix):
            raise ValueError(f"topic {name} lacks the prefix {self.prefix!r}")
        return name[len(self.prefix) :]
