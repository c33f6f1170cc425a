"""What is done with a delivery or an ingested event, in the order that makes a crash harmless.

    recognise a copy → normalise → route → publish event, actions, failed routes; all acknowledged
    → one transaction: fence, done mark, outcome → the record is done

Whatever is published has an id derived from its cause. A crash before the transaction repeats it with
the same ids; after it, the mark says so. An event that a route failed on is not marked: when the
vendor sends it again, it is routed again, and the actions that were asked for are not asked twice.
"""

import asyncio
import base64
from collections.abc import Sequence
from typing import Final, Protocol, overload
from uuid import UUID

from jackfield_common.envelope import OutgoingRecord
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import (
    DeliveryProcessed,
    DeliveryVerified,
    Event,
    EventIngested,
    IntegrationEvent,
)
from jackfield_common.events.dead import DeadLetter
from jackfield_common.events.message import now
from jackfield_common.ids import IntegrationId, derived_id
from jackfield_common.kafka import Record
from jackfield_common.topics import DELIVERY_DEAD
from jackfield_webhooks.models import (
    DoneBy,
    Normalised,
    PastDelivery,
    Place,
    Replay,
    Routed,
    RouteFailure,
)
from jackfield_webhooks.repository.settlements import Fence, Settlement
from jackfield_webhooks.service.reading import Reading
from jackfield_webhooks.service.routing import Router
from jackfield_webhooks.service.statistics import (
    REPEATED,
    UNDECLARED,
    Statistics,
    Status,
    seconds_since,
)

MAX_COPIED_VALUE: Final = 256 * 1024
"""Bytes of a record that a failed route's dead letter repeats; a larger one is only pointed at."""

Accepted = DeliveryVerified | EventIngested


class RouteDeadLetter(DeadLetter):
    """An event that one route failed on."""

    topic = DELIVERY_DEAD


class Marks(Protocol):
    """Done marks."""

    async def find(self, mark: UUID) -> DoneBy | None:
        """What set a mark."""
        ...


class Settlements(Protocol):
    """The end of routing."""

    async def settle(self, settlement: Settlement) -> None:
        """Returns when it is committed."""
        ...


class Publisher(Protocol):
    """Publishes with acknowledgement."""

    async def publish(self, event: Event) -> None:
        """Returns when the event is acknowledged."""
        ...


class Outbox(Protocol):
    """Makes records that are stored with a transaction."""

    def record(self, event: Event) -> OutgoingRecord:
        """The record of an event."""
        ...


class Held(Fence, Protocol):
    """A record in a lane."""

    @property
    def record(self) -> Record:
        """The record itself."""
        ...

    @property
    def topic(self) -> str:
        """The logical name of its topic."""
        ...

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        ...

    @property
    def replay(self) -> Replay | None:
        """Set when the record is routed again on purpose."""
        ...


class Processing:
    """Takes deliveries and ingested events to their end."""

    def __init__(
        self,
        reading: Reading,
        router: Router,
        publisher: Publisher,
        outbox: Outbox,
        marks: Marks,
        settlements: Settlements,
        statistics: Statistics,
    ) -> None:
        self._reading = reading
        self._router = router
        self._publisher = publisher
        self._outbox = outbox
        self._marks = marks
        self._settlements = settlements
        self._statistics = statistics

    async def delivery(self, delivery: DeliveryVerified, held: Held) -> None:
        """Process a verified delivery. Raises Failure for what is to be retried or is dead."""
        self._statistics.received("delivery")
        mark = mark_of(delivery)
        if mark is not None and await self._seen(delivery, mark, held):
            return
        try:
            normalised = await self._reading.delivery(delivery)
        except Failure as failure:
            await self._failed(delivery, held, failure)
            raise
        await self._finish(delivery, held, normalised, mark)

    async def ingested(self, ingested: EventIngested, held: Held) -> None:
        """Process an event sent in; as `delivery`."""
        self._statistics.received("event")
        mark = mark_of(ingested)
        if await self._seen(ingested, mark, held):
            return
        try:
            normalised = await self._reading.ingested(ingested)
        except Failure as failure:
            await self._failed(ingested, held, failure)
            raise
        await self._finish(ingested, held, normalised, mark)

    async def _seen(self, accepted: Accepted, mark: UUID, held: Held) -> bool:
        """Whether this is a copy of what is done; then it is reported, and that is all."""
        if held.replay is not None:
            return False
        done_by = await self._marks.find(mark)
        if done_by is None:
            return False
        if done_by.place == held.place:
            REPEATED.inc()  # the same record, read again: its outcome is known
            return True
        # A CloudEvent's copies share its id, under which the outcome of the first is to be read.
        if done_by.event_id != accepted.id:
            outcome = _outcome(accepted, "duplicate", detail_of=done_by.event_id)
            await self._settle(held, outcome, past_of(accepted, held, outcome))
        self._statistics.ended("duplicate", seconds_since(accepted.at))
        return True

    async def _failed(self, accepted: Accepted, held: Held, failure: Failure) -> None:
        if failure.retryable:
            return
        outcome = _outcome(accepted, "failed", reason=failure.message)
        await self._settle(held, outcome, past_of(accepted, held, outcome))
        self._statistics.ended("failed", seconds_since(accepted.at))

    async def _finish(
        self, accepted: Accepted, held: Held, normalised: Normalised, mark: UUID | None
    ) -> None:
        if (replay := held.replay) is not None:
            normalised = replayed(normalised, replay)
        event = normalised.event
        if not event.declared and event.integration_id is not None:
            UNDECLARED.labels(event.source if event.source.isidentifier() else "other").inc()
        routed = await self._router.route(normalised, None if replay is None else replay.routes)
        await self._publish(
            [
                event,
                *routed.requests,
                *(_dead_letter(failure, normalised, held) for failure in routed.failures),
            ]
        )
        outcome = _routed_outcome(accepted, normalised, routed)
        await self._settle(
            held,
            outcome,
            past_of(accepted, held, outcome, event),
            mark=None if routed.failures else mark,
        )
        self._statistics.routed(len(routed.requests), len(routed.failures))
        self._statistics.ended("processed", seconds_since(accepted.at))

    async def _publish(self, events: Sequence[Event]) -> None:
        # Sent in this order, acknowledged in any: what fails is repeated as a whole, under the same ids.
        results = await asyncio.gather(
            *(self._publisher.publish(event) for event in events), return_exceptions=True
        )
        for result in results:
            if result is not None:
                raise result

    async def _settle(
        self,
        held: Held,
        outcome: DeliveryProcessed,
        past: PastDelivery,
        *,
        mark: UUID | None = None,
    ) -> None:
        await self._settlements.settle(
            Settlement(
                held,
                (self._outbox.record(outcome),),
                past,
                None if mark is None else (mark, DoneBy(outcome.event_id, held.place)),
            )
        )


@overload
def mark_of(accepted: EventIngested) -> UUID: ...


@overload
def mark_of(accepted: DeliveryVerified) -> UUID | None: ...


def mark_of(accepted: Accepted) -> UUID | None:
    """What a delivery and its copies have in common; None where copies cannot be told."""
    if isinstance(accepted, EventIngested):
        return UUID(derived_id("done", "event", accepted.id))
    if accepted.delivery_id is None:
        return None
    cause = (accepted.tenant, accepted.integration_id, accepted.delivery_id)
    return UUID(derived_id("done", "delivery", *cause))


def replayed(normalised: Normalised, replay: Replay) -> Normalised:
    """An event routed again on purpose is a new event: its actions are new ones too."""
    event = normalised.event
    return Normalised(
        event.model_copy(
            update={
                "id": derived_id("replay", event.id, replay.id),
                "metadata": {**event.metadata, "replay": replay.id, "replay_of": event.id},
            }
        ),
        normalised.ordering,
    )


def past_of(
    accepted: Accepted,
    held: Held,
    outcome: DeliveryProcessed,
    event: IntegrationEvent | None = None,
) -> PastDelivery:
    """What history keeps of a delivery or an event."""
    is_delivery = isinstance(accepted, DeliveryVerified)
    occurrence = None if event is None else event.occurrence
    return PastDelivery(
        event_id=accepted.id,
        tenant=accepted.tenant,
        integration_id=accepted.integration_id,
        source=accepted.connector if is_delivery else accepted.source,
        event_type=None if event is None else event.event_type,
        canonical_type=None if event is None else event.canonical_type,
        delivery_id=accepted.delivery_id if is_delivery else accepted.cloudevent_id,
        status=outcome.status,
        reason=outcome.reason,
        accepted_at=accepted.at,
        occurrence=None if occurrence is None else occurrence.model_dump(exclude_none=True),
        place=Place(topic=held.topic, partition=held.record.partition, offset=held.record.offset),
        size=len(held.record.value or b""),
    )


def _outcome(
    accepted: Accepted, status: Status, *, reason: str | None = None, detail_of: str | None = None
) -> DeliveryProcessed:
    return DeliveryProcessed(
        id=derived_id("outcome", accepted.id, status),
        tenant=accepted.tenant,
        event_id=accepted.id,
        integration_id=IntegrationId(accepted.key()),
        status=status,
        reason=reason,
        duration_ms=seconds_since(accepted.at) * 1000,
        detail={} if detail_of is None else {"duplicate_of": detail_of},
    )


def _routed_outcome(
    accepted: Accepted, normalised: Normalised, routed: Routed
) -> DeliveryProcessed:
    event = normalised.event
    return _outcome(accepted, "processed").model_copy(
        update={
            "event_type": event.event_type,
            "actions": tuple(request.action_id for request in routed.requests),
            "matched": routed.matched,
            "detail": {
                "event_id": event.id,
                "canonical_type": event.canonical_type,
                "failed_routes": [
                    {
                        "subscription_id": failure.subscription_id,
                        "name": failure.name,
                        "message": failure.message,
                    }
                    for failure in routed.failures
                ],
            },
        }
    )


def _dead_letter(failure: RouteFailure, normalised: Normalised, held: Held) -> RouteDeadLetter:
    event, record = normalised.event, held.record
    value = record.value or b""
    copied = len(value) <= MAX_COPIED_VALUE
    return RouteDeadLetter(
        id=derived_id("dead route", event.id, failure.subscription_id),
        tenant=event.tenant,
        at=now(),
        source_topic=held.topic,
        partition=record.partition,
        offset=record.offset,
        lane_key=event.key(),
        kind=ErrorKind.INVALID,
        message=f"route {failure.name} ({failure.subscription_id}): {failure.message}",
        record_key=None if record.key is None else base64.b64encode(record.key).decode(),
        headers=tuple(
            (name, base64.b64encode(content).decode()) for name, content in record.headers
        ),
        value=base64.b64encode(value).decode() if copied else None,
    )
