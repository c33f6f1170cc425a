"""Past deliveries and events: asked of the webhooks service, over the bus."""

from typing import Any, Final, Literal, cast

from jackfield_common.errors import ErrorKind
from jackfield_common.events.history import HistoryCommand
from jackfield_common.events.message import JsonObject
from jackfield_common.events.subscription import SubscriptionState
from jackfield_common.expressions import Condition, ExpressionError
from jackfield_common.ids import SubscriptionId, derived_id, new_id
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.history import (
    Delivery,
    DeliveryChoice,
    DeliveryContent,
    DeliveryPage,
    Explanation,
    PreviewedEvent,
    PreviewPage,
    PreviewRequest,
    Replayed,
    ReplayRequest,
)
from jackfield_gateway.models.problem import (
    Absent,
    Conflict,
    FieldError,
    Invalid,
    Unanswered,
    invalid,
)
from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.cursor import decode_cursor, encode_cursor
from jackfield_gateway.service.ports import Announcer, Asker, View, loaded
from jackfield_gateway.service.routes import Routes

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that the service has to answer what its table answers."""
CONTENT_TIMEOUT: Final = 25.0
"""Seconds that it has where it reads the content of many deliveries."""

Verb = Literal["search", "read", "explain", "replay", "preview"]


class Histories:
    """What owners ask of their past deliveries."""

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        questions: Asker,
        routes: Routes,
        subscriptions: View[SubscriptionState],
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._questions = questions
        self._routes = routes
        self._subscriptions = subscriptions

    async def page(
        self, actor: Actor, choice: DeliveryChoice, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """Deliveries of a tenant, newest first. Raises Invalid, NotReady, Unanswered."""
        _check_condition(choice, "condition")
        data = await self._ask(
            actor,
            "search",
            choice,
            CONTENT_TIMEOUT if choice.condition else ANSWER_TIMEOUT,
            limit=limit,
            cursor=_read_cursor(cursor),
        )
        return DeliveryPage(
            items=tuple(Delivery.model_validate(one) for one in _list(data, "deliveries")),
            next_cursor=_cursor(data),
            unreadable=_unreadable(data),
        )

    async def read(self, actor: Actor, event_id: str) -> DeliveryContent:
        """One delivery with its content. Raises Absent, NotReady, Unanswered."""
        data = await self._ask(actor, "read", _one(event_id), ANSWER_TIMEOUT)
        record = cast(JsonObject, data["record"])
        return DeliveryContent.model_validate({**record, "delivery": data["delivery"]})

    async def explain(self, actor: Actor, event_id: str) -> Explanation:
        """What each route makes of one delivery. Raises Absent, NotReady, Unanswered."""
        data = await self._ask(actor, "explain", _one(event_id), ANSWER_TIMEOUT)
        return Explanation.model_validate(data)

    async def replay(
        self, actor: Actor, wanted: ReplayRequest, idempotency_key: str | None
    ) -> Replayed:
        """Route deliveries again. Raises Invalid, NotReady, Unanswered.

        The same `idempotency_key` of the same actor replays a delivery once.
        """
        choice = _choice(wanted)
        if choice == DeliveryChoice():
            raise invalid("event_ids", "say which deliveries: give at least one criterion")
        _check_condition(choice, "condition")
        cursor = _read_cursor(wanted.cursor)
        self._check_routes(actor, wanted.routes)
        detail = cast(JsonObject, wanted.model_dump(mode="json", exclude_defaults=True))
        async with self._store.transaction() as tx:
            await tx.publish(allowed(actor, "delivery.replay", "deliveries", detail))
        data = await self._ask(
            actor,
            "replay",
            choice,
            CONTENT_TIMEOUT,
            id=new_id()
            if idempotency_key is None
            else derived_id("replay", actor.tenant, actor.name, idempotency_key),
            routes=wanted.routes,
            limit=wanted.limit,
            cursor=cursor,
        )
        return Replayed(
            event_ids=tuple(cast(list[str], data["replayed"])),
            unreadable=_unreadable(data),
            next_cursor=_cursor(data),
        )

    async def preview(self, actor: Actor, wanted: PreviewRequest) -> PreviewPage:
        """What a route would ask for, had it been there. Raises Absent, Invalid, NotReady, Unanswered."""
        _check_condition(wanted.deliveries, "deliveries.condition")
        cursor = _read_cursor(wanted.cursor)
        try:
            draft = await self._routes.draft(actor, wanted.route, wanted.subscription_id)
        except Invalid as error:
            raise Invalid(
                [
                    FieldError(field=f"route.{one.field}", message=one.message)
                    for one in error.errors
                ]
            ) from None
        data = await self._ask(
            actor,
            "preview",
            wanted.deliveries,
            CONTENT_TIMEOUT,
            route=draft.state(),
            limit=wanted.limit,
            cursor=cursor,
        )
        return PreviewPage(
            items=tuple(PreviewedEvent.model_validate(one) for one in _list(data, "events")),
            next_cursor=_cursor(data),
            unreadable=_unreadable(data),
        )

    def _check_routes(self, actor: Actor, routes: tuple[str, ...]) -> None:
        if not routes:
            return
        known = loaded(self._subscriptions, "routes")
        for number, one in enumerate(routes):
            found = known.get(SubscriptionId(one))
            if found is None or found.tenant != actor.tenant:
                raise invalid(f"routes.{number}", "is not a route: GET /api/routes lists them")

    async def _ask(
        self,
        actor: Actor,
        verb: Verb,
        choice: DeliveryChoice,
        timeout: float,
        **more: object,
    ) -> JsonObject:
        with self._questions.ask(timeout) as asked:
            command = HistoryCommand.model_validate(
                {
                    "tenant": actor.tenant,
                    "verb": verb,
                    "selection": choice.selection(),
                    "question": asked.question,
                    **more,
                }
            )
            await self._announcer.publish(command)
            try:
                answer = await asked.answer()
            except TimeoutError:
                later = (
                    "it replays as soon as it runs; asking again with the same Idempotency-Key"
                    " replays nothing twice"
                    if verb == "replay"
                    else "ask again, or for less"
                )
                raise Unanswered(
                    f"The webhooks service did not answer within {timeout:g} s: {later}."
                ) from None
        if answer.success:
            return answer.data or {}
        match answer.error:
            case ErrorKind.NOT_FOUND if verb in ("read", "explain"):
                raise Absent(f"Delivery {choice.event_ids[0]!r} cannot be shown: {answer.message}.")
            case ErrorKind.INVALID:
                raise invalid(answer.field or "cursor", answer.message)
            case _:
                raise Conflict(answer.message)


def _one(event_id: str) -> DeliveryChoice:
    return DeliveryChoice(event_ids=(event_id,))


def _choice(wanted: ReplayRequest) -> DeliveryChoice:
    return DeliveryChoice.model_validate(
        {name: getattr(wanted, name) for name in DeliveryChoice.model_fields}
    )


def _check_condition(choice: DeliveryChoice, field: str) -> None:
    if choice.condition is not None:
        try:
            Condition(choice.condition)
        except ExpressionError as error:
            raise invalid(field, str(error)) from None


def _list(data: JsonObject, name: str) -> list[Any]:
    return cast(list[Any], data[name])


def _unreadable(data: JsonObject) -> int:
    return int(cast(int, data["unreadable"]))


def _cursor(data: JsonObject) -> str | None:
    cursor = cast(str | None, data["cursor"])
    return None if cursor is None else encode_cursor([cursor])


def _read_cursor(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    match decode_cursor(cursor):
        case [str(place)]:
            return place
        case _:
            raise invalid("cursor", "not a cursor of this list: begin without one")
