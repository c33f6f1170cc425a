"""Past deliveries and events: searched, read, explained, routed again, and run through changed routes."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import JsonValue

from jackfield_common.envelope import OutgoingRecord
from jackfield_common.errors import ContractError, ErrorKind, Failure
from jackfield_common.events import (
    DeliveryVerified,
    EventIngested,
    HistoryCommand,
    HistorySelection,
    IntegrationEvent,
    SubscriptionState,
)
from jackfield_common.events.message import JsonObject
from jackfield_common.expressions import Condition, ExpressionError, Transformation
from jackfield_common.expressions.program import Failed, Matched, Outcome, Program
from jackfield_common.ids import TenantId
from jackfield_common.kafka import Record
from jackfield_common.topics import DELIVERY_VERIFIED
from jackfield_webhooks.models import Normalised, PastDelivery, Place
from jackfield_webhooks.service.reading import Reading
from jackfield_webhooks.service.replaying import replay_record
from jackfield_webhooks.service.routes import Route, Routes, compile_route
from jackfield_webhooks.service.routing import Evaluator, Router, document

MAX_SCANNED: Final = 2_000
"""Deliveries that one command reads from the archive to ask a condition."""
MAX_PREVIEWED: Final = 200
MAX_LISTED: Final = 500


class Store(Protocol):
    """The table of past deliveries."""

    async def page(
        self, tenant: TenantId, selection: HistorySelection, cursor: str | None, limit: int
    ) -> tuple[list[PastDelivery], str | None]:
        """What is selected, newest first, and where the next page begins."""
        ...


class Records(Protocol):
    """The archive."""

    async def read(self, place: Place) -> Record:
        """The record at a place."""
        ...


class Sender(Protocol):
    """Publishes records with acknowledgement."""

    async def send(self, record: OutgoingRecord) -> None:
        """Returns when the record is acknowledged."""
        ...


@dataclass(frozen=True, slots=True)
class _Found:
    """What a command selected: `unreadable` are those whose record could not be asked a condition."""

    deliveries: list[PastDelivery]
    cursor: str | None
    unreadable: int


class PastDeliveries:
    """Answers what is asked of history."""

    def __init__(
        self,
        store: Store,
        archive: Records,
        reading: Reading,
        routes: Routes,
        router: Router,
        evaluator: Evaluator,
        sender: Sender,
    ) -> None:
        self._store = store
        self._archive = archive
        self._reading = reading
        self._routes = routes
        self._router = router
        self._evaluator = evaluator
        self._sender = sender

    async def answer(self, command: HistoryCommand) -> JsonObject:
        """The answer's data, by verb as HistoryCommand says. Raises Failure, or NotReady."""
        if command.selection.condition is not None:
            _compiles(command.selection.condition, None)
        match command.verb:
            case "search":
                return await self._search(command)
            case "read":
                return await self._read(command)
            case "explain":
                return await self._explain(command)
            case "replay":
                return await self._replay(command)
            case "preview":
                return await self._preview(command)

    async def _search(self, command: HistoryCommand) -> JsonObject:
        found = await self._select(command, min(command.limit, MAX_LISTED))
        return {
            "deliveries": [one.model_dump(mode="json") for one in found.deliveries],
            "cursor": found.cursor,
            "unreadable": found.unreadable,
        }

    async def _read(self, command: HistoryCommand) -> JsonObject:
        past = await self._one(command)
        record = await self._archive.read(past.place)
        accepted = _accepted(past, record)
        return {
            "delivery": past.model_dump(mode="json"),
            "record": accepted.model_dump(mode="json", exclude_none=True),
            "headers": [
                [name, base64.b64encode(value or b"").decode()] for name, value in record.headers
            ],
        }

    async def _explain(self, command: HistoryCommand) -> JsonObject:
        past = await self._one(command)
        event = (await self._event(past)).event
        routes = sorted(
            self._routes.of_tenant(command.tenant),
            key=lambda route: route.subscription.subscription_id,
        )
        verdicts = await self._verdicts(event, routes)
        return {
            "event": event.model_dump(mode="json"),
            "routes": [
                {
                    "subscription_id": route.subscription.subscription_id,
                    "name": route.subscription.name,
                    **verdict,
                }
                for route, verdict in zip(routes, verdicts, strict=True)
            ],
        }

    async def _replay(self, command: HistoryCommand) -> JsonObject:
        if command.selection == HistorySelection():
            raise Failure(
                ErrorKind.INVALID,
                "say what is to be replayed: nothing is selected",
                field="selection",
            )
        found = await self._select(command, command.limit)
        # oldest first, as they were accepted
        replayed: list[JsonValue] = []
        unreadable = found.unreadable
        for past in reversed(found.deliveries):
            try:
                record = await self._archive.read(past.place)
            except Failure:
                # what the archive no longer holds keeps nothing else from being replayed
                unreadable += 1
                continue
            await self._sender.send(
                replay_record(record, command.id, past.event_id, command.routes)
            )
            replayed.append(past.event_id)
        replayed.reverse()
        return {"replayed": replayed, "cursor": found.cursor, "unreadable": unreadable}

    async def _preview(self, command: HistoryCommand) -> JsonObject:
        changed = _draft(command)
        saved = self._routes.find(command.tenant, changed.subscription.subscription_id)
        found = await self._select(command, min(command.limit, MAX_PREVIEWED))
        events: list[JsonObject] = []
        for past in found.deliveries:
            try:
                event = (await self._event(past)).event
            except Failure as failure:
                events.append({"event_id": past.event_id, "unreadable": failure.message})
                continue
            routes = [changed] if saved is None else [changed, saved]
            after, *rest = await self._verdicts(event, routes)
            before: JsonObject = rest[0] if rest else {"verdict": "no such route"}
            events.append(
                {
                    "event_id": past.event_id,
                    "event_type": event.event_type,
                    "before": before,
                    "after": after,
                    "changed": before != after,
                }
            )
        return {"events": [*events], "cursor": found.cursor, "unreadable": found.unreadable}

    async def _one(self, command: HistoryCommand) -> PastDelivery:
        found, _ = await self._store.page(command.tenant, command.selection, None, 1)
        if not found or len(command.selection.event_ids) != 1:
            raise Failure(
                ErrorKind.NOT_FOUND,
                f"{command.verb} takes the id of one delivery that is in history",
                field="selection.event_ids",
            )
        return found[0]

    async def _select(self, command: HistoryCommand, limit: int) -> _Found:
        """Up to `limit` of what is selected. A condition is asked of the archive's records."""
        selection, cursor = command.selection, command.cursor
        if selection.condition is None:
            deliveries, cursor = await self._store.page(command.tenant, selection, cursor, limit)
            return _Found(deliveries, cursor, 0)
        kept: list[PastDelivery] = []
        scanned = unreadable = 0
        while True:
            page, cursor = await self._store.page(
                command.tenant, selection, cursor, limit - len(kept)
            )
            for past in page:
                scanned += 1
                try:
                    if await self._holds(selection.condition, past):
                        kept.append(past)
                except Failure:
                    unreadable += 1
            if cursor is None or len(kept) >= limit or scanned >= MAX_SCANNED:
                return _Found(kept, cursor, unreadable)

    async def _holds(self, condition: str, past: PastDelivery) -> bool:
        event = (await self._event(past)).event
        [outcome] = await self._evaluator.evaluate(document(event), [Program(condition)])
        if isinstance(outcome, Failed):
            raise Failure(ErrorKind.INVALID, outcome.message, field="selection.condition")
        return isinstance(outcome, Matched)

    async def _event(self, past: PastDelivery) -> Normalised:
        accepted = _accepted(past, await self._archive.read(past.place))
        if isinstance(accepted, DeliveryVerified):
            return await self._reading.delivery(accepted)
        return await self._reading.ingested(accepted)

    async def _verdicts(self, event: IntegrationEvent, routes: Sequence[Route]) -> list[JsonObject]:
        asked = [route for route in routes if _why_not(route, event) is None]
        outcomes = dict(
            zip(map(id, asked), await self._router.outcomes(event, asked), strict=True)
            if asked
            else ()
        )
        return [_verdict(route, event, outcomes.get(id(route))) for route in routes]


def _why_not(route: Route, event: IntegrationEvent) -> str | None:
    subscription = route.subscription
    if not subscription.enabled:
        return "switched off"
    if subscription.source is not None and subscription.source != event.integration_id:
        return "another source"
    return None if route.takes(event) else "another type"


def _verdict(route: Route, event: IntegrationEvent, outcome: Outcome | None) -> JsonObject:
    match outcome:
        case None:
            return {"verdict": _why_not(route, event)}
        case Matched(output):
            return {
                "verdict": "matched",
                "input": {**route.subscription.target.input, **(output or {})},
            }
        case Failed(message):
            return {"verdict": "failed", "message": message}
        case _:
            return {"verdict": "condition false"}


def _accepted(past: PastDelivery, record: Record) -> DeliveryVerified | EventIngested:
    event = DeliveryVerified if past.place.topic == DELIVERY_VERIFIED.name else EventIngested
    try:
        accepted = event.from_bytes(record.value or b"")
    except ContractError as error:
        raise Failure(ErrorKind.BUG, str(error)) from None
    if accepted.id != past.event_id or accepted.tenant != past.tenant:
        raise Failure(
            ErrorKind.NOT_FOUND, "another record stands in its place: the topic was remade"
        )
    return accepted


def _draft(command: HistoryCommand) -> Route:
    route = command.route
    if route is None:
        raise Failure(ErrorKind.INVALID, "preview needs the route to try", field="route")
    if route.tenant != command.tenant:
        raise Failure(ErrorKind.INVALID, "the route is another tenant's", field="route.tenant")
    _compiles(route.condition, route.target.transform)
    draft: SubscriptionState = route.model_copy(update={"enabled": True})
    return compile_route(draft)


def _compiles(condition: str | None, transform: str | None) -> None:
    try:
        if condition is not None:
            Condition(condition)
        if transform is not None:
            Transformation(transform)
    except ExpressionError as error:
        raise Failure(ErrorKind.INVALID, str(error), field="condition or transform") from None
