"""Routes: which events lead to which action."""

from jackfield_common.connector.manifest import ActionManifest
from jackfield_common.events.message import now
from jackfield_common.events.subscription import SubscriptionState
from jackfield_common.expressions import Condition, ExpressionError, Transformation
from jackfield_common.ids import IntegrationId, SubscriptionId, new_id
from jackfield_common.topics import SUBSCRIPTION
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.problem import Absent, Conflict, FieldError, Invalid
from jackfield_gateway.models.route import Route, RouteChange, RouteDraft, RoutePage
from jackfield_gateway.repository.store import Store, Transaction
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.catalogue import Catalogue
from jackfield_gateway.service.cursor import read_time_cursor, time_cursor
from jackfield_gateway.service.json_schema import check, without_required
from jackfield_gateway.service.ports import View
from jackfield_gateway.service.visibility import become_invisible, become_visible


class Routes:
    """The routes of every tenant.

    A change is answered when it stands on the bus: what is sent in after the answer finds it there.
    """

    def __init__(
        self, store: Store, catalogue: Catalogue, subscriptions: View[SubscriptionState]
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._subscriptions = subscriptions

    async def create(self, actor: Actor, draft: RouteDraft) -> Route:
        """Keep a route. Raises Invalid naming each wrong field, NotReady."""
        one = _new(actor, draft)
        async with self._store.transaction() as tx:
            await self._check(tx, one)
            await tx.routes.add(one)
            await tx.publish(one.state())
            await tx.publish(allowed(actor, "route.create", _resource(one), {"name": one.name}))
        await become_visible(self._subscriptions, one.subscription_id, one.version)
        return one

    async def replace(self, actor: Actor, subscription_id: str, draft: RouteDraft) -> Route:
        """Put a route in the place of another. Raises Absent, Invalid, NotReady."""
        return await self._changed(actor, subscription_id, draft)

    async def change(self, actor: Actor, subscription_id: str, change: RouteChange) -> Route:
        """Change what is given of a route. Raises Absent, Invalid, NotReady."""
        return await self._changed(actor, subscription_id, change)

    async def delete(self, actor: Actor, subscription_id: str) -> None:
        """Remove a route. Raises Absent, NotReady."""
        async with self._store.transaction() as tx:
            one = await tx.routes.lock(actor.tenant, subscription_id)
            if one is None:
                raise _absent(subscription_id)
            await tx.routes.remove(one.subscription_id)
            await tx.retract(SUBSCRIPTION, one.subscription_id, one.version + 1)
            await tx.publish(allowed(actor, "route.delete", _resource(one)))
        await become_invisible(self._subscriptions, one.subscription_id, one.version + 1)

    async def draft(self, actor: Actor, draft: RouteDraft, subscription_id: str | None) -> Route:
        """What would be kept: a new route, or this one in its place. Nothing is changed.

        Raises Absent, Invalid naming each wrong field, NotReady.
        """
        async with self._store.transaction() as tx:
            if subscription_id is None:
                one = _new(actor, draft)
            else:
                before = await tx.routes.find(actor.tenant, subscription_id)
                if before is None:
                    raise _absent(subscription_id)
                one = _route(before, draft)
            await self._check(tx, one)
        return one

    async def get(self, actor: Actor, subscription_id: str) -> Route:
        """One route. Raises Absent, NotReady."""
        async with self._store.statements() as tx:
            one = await tx.routes.find(actor.tenant, subscription_id)
        if one is None:
            raise _absent(subscription_id)
        return one

    async def page(self, actor: Actor, limit: int, cursor: str | None) -> RoutePage:
        """Routes, oldest first. Raises Invalid for a bad cursor, NotReady."""
        after = read_time_cursor(cursor)
        async with self._store.statements() as tx:
            found = await tx.routes.page(actor.tenant, after, limit + 1)
        shown = found[:limit]
        return RoutePage(
            items=tuple(shown),
            next_cursor=time_cursor(shown[-1].created_at, shown[-1].subscription_id)
            if len(found) > limit
            else None,
        )

    async def _changed(
        self, actor: Actor, subscription_id: str, change: RouteDraft | RouteChange
    ) -> Route:
        async with self._store.transaction() as tx:
            one = await self._update(tx, actor, subscription_id, change)
        await become_visible(self._subscriptions, one.subscription_id, one.version)
        return one

    async def _update(
        self, tx: Transaction, actor: Actor, subscription_id: str, change: RouteDraft | RouteChange
    ) -> Route:
        before = await tx.routes.find(actor.tenant, subscription_id)
        if before is None:
            raise _absent(subscription_id)
        after = _route(before, change)
        # Integrations are locked before routes, here and when one is uninstalled: no deadlock.
        if after.enabled or after.target != before.target or after.source != before.source:
            await self._check(tx, after)
        else:
            _check_expressions(after)
        locked = await tx.routes.lock(actor.tenant, subscription_id)
        if locked != before:
            raise Conflict("Somebody else changed the route at the same time: try again.")
        if after == before:
            return before
        after = after.model_copy(update={"version": before.version + 1, "updated_at": now()})
        await tx.routes.update(after)
        await tx.publish(after.state())
        await tx.publish(
            allowed(
                actor,
                "route.change",
                _resource(after),
                {"fields": [*sorted(change.model_fields_set)], "enabled": after.enabled},
            )
        )
        return after

    async def _check(self, tx: Transaction, one: Route) -> None:
        """Refuse a route that could never work. Keeps its integrations until the transaction ends."""
        errors = _expression_errors(one)
        if one.source is not None and not await tx.integrations.keep(one.tenant, one.source):
            errors.append(FieldError(field="source", message="is not an installed integration"))
        target = await tx.integrations.keep(one.tenant, one.target.integration_id)
        if target is None:
            errors.append(
                FieldError(field="target.integration_id", message="is not an installed integration")
            )
        else:
            manifest = self._catalogue.connector(target.connector)
            action = manifest.action(one.target.action) if manifest else None
            if action is None:
                known = ", ".join(action.name for action in manifest.actions) if manifest else ""
                errors.append(
                    FieldError(
                        field="target.action",
                        message=f"is not an action of {target.connector}; it has: {known}",
                    )
                )
            else:
                errors += _input_errors(action, one)
        if errors:
            raise Invalid(errors)


def _new(actor: Actor, draft: RouteDraft) -> Route:
    at = now()
    return _route(
        Route(
            subscription_id=SubscriptionId(new_id()),
            tenant=actor.tenant,
            name=draft.name,
            source=None,
            events=draft.events,
            condition=None,
            target=draft.target.target(),
            enabled=draft.enabled,
            version=1,
            created_at=at,
            updated_at=at,
        ),
        draft,
    )


def _route(base: Route, change: RouteDraft | RouteChange) -> Route:
    """`base` with what is given; of a draft all of it."""
    update: dict[str, object] = {}
    for name in (
        RouteDraft.model_fields if isinstance(change, RouteDraft) else change.model_fields_set
    ):
        update[name] = getattr(change, name)
    if change.target is not None:
        update["target"] = change.target.target()
    for name in ("name", "events", "target", "enabled"):
        if name in update and update[name] is None:
            raise Invalid([FieldError(field=name, message="cannot be null")])
    if change.source is not None:
        update["source"] = IntegrationId(change.source)
    return base.model_copy(update=update)


def _input_errors(action: ActionManifest, one: Route) -> list[FieldError]:
    # What a transformation yields is only known when an event comes; the fixed part is checked now.
    schema = action.input if one.target.transform is None else without_required(action.input)
    return check(schema, one.target.input, "target.input")


def _expression_errors(one: Route) -> list[FieldError]:
    errors: list[FieldError] = []
    if one.condition is not None:
        try:
            Condition(one.condition)
        except ExpressionError as error:
            errors.append(FieldError(field="condition", message=str(error)))
    if one.target.transform is not None:
        try:
            Transformation(one.target.transform)
        except ExpressionError as error:
            errors.append(FieldError(field="target.transform", message=str(error)))
    return errors


def _check_expressions(one: Route) -> None:
    if errors := _expression_errors(one):
        raise Invalid(errors)


def _absent(subscription_id: str) -> Absent:
    return Absent(f"There is no route {subscription_id!r}: GET /api/routes lists them.")


def _resource(one: Route) -> str:
    return f"route:{one.subscription_id}"
