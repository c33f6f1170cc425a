"""Routing: which routes an event takes, and what they ask for.

A route that fails, because its condition or transformation does or because its target is gone, fails
alone. The id of an action derives from the event and the route, so an event that is routed again asks
for the same actions.
"""

from typing import Protocol

from jackfield_common.connector.selector import as_text
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import ActionRequested, IntegrationEvent, Occurrence
from jackfield_common.events.message import JsonObject
from jackfield_common.expressions.program import Failed, Matched, NotMatched, Outcome, Program
from jackfield_common.ids import ActionId, SubscriptionId, derived_id
from jackfield_webhooks.models import Normalised, Routed, RouteFailure
from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.ordering import lane_name
from jackfield_webhooks.service.routes import Route, Routes


class Evaluator(Protocol):
    """Runs routes' expressions."""

    async def evaluate(self, event: bytes, programs: list[Program]) -> list[Outcome]:
        """The outcome of each program on an event."""
        ...


class Router:
    """Asks the routes of a tenant what follows from an event."""

    def __init__(self, routes: Routes, evaluator: Evaluator, catalogue: Catalogue) -> None:
        self._routes = routes
        self._evaluator = evaluator
        self._catalogue = catalogue

    async def route(
        self, normalised: Normalised, only: frozenset[SubscriptionId] | None = None
    ) -> Routed:
        """The actions that an event leads to, and the routes that failed on it.

        With `only` these routes alone are asked, unless it is empty.
        """
        event = normalised.event
        candidates = self._routes.candidates(event)
        if only:
            candidates = [one for one in candidates if one.subscription.subscription_id in only]
        if not candidates:
            return Routed()
        requests: list[ActionRequested] = []
        failures: list[RouteFailure] = []
        outcomes = await self.outcomes(event, candidates)
        for route, outcome in zip(candidates, outcomes, strict=True):
            match outcome:
                case NotMatched():
                    continue
                case Failed(message):
                    failures.append(_failure(route, message))
                case Matched(output):
                    try:
                        requests.append(await self._request(normalised, route, output))
                    except Failure as error:
                        failures.append(_failure(route, error.message))
        return Routed(tuple(requests), tuple(failures))

    async def outcomes(self, event: IntegrationEvent, routes: list[Route]) -> list[Outcome]:
        """What each route's condition and transformation make of an event."""
        programs = [route.program for route in routes]
        if all(program.trivial for program in programs):
            return [Matched()] * len(routes)
        return await self._evaluator.evaluate(document(event), programs)

    async def _request(
        self, normalised: Normalised, route: Route, output: JsonObject | None
    ) -> ActionRequested:
        event, target = normalised.event, route.subscription.target
        integration = await self._catalogue.integration(event.tenant, target.integration_id)
        manifest = (await self._catalogue.manifest(integration.connector)).manifest
        action = manifest.action(target.action)
        if action is None:
            raise Failure(
                ErrorKind.NOT_FOUND, f"{integration.connector} has no action {target.action}"
            )
        given: JsonObject = {**target.input, **(output or {})}
        ordering = normalised.ordering
        if action.ordering is not None:
            ordering = as_text(given.get(action.ordering)) or ordering
        action_id = ActionId(derived_id("action", event.id, route.subscription.subscription_id))
        return ActionRequested(
            id=action_id,
            tenant=event.tenant,
            action_id=action_id,
            integration_id=target.integration_id,
            connector=integration.connector,
            action=target.action,
            input=given,
            ordering=lane_name(ordering),
            integration_version=integration.version,
            cause=event.id,
            subscription_id=route.subscription.subscription_id,
            caused_at=event.at,
        )


def document(event: IntegrationEvent) -> bytes:
    """An event as expressions see it: every attribute is there, absent ones are null."""
    whole = event if event.occurrence else event.model_copy(update={"occurrence": Occurrence()})
    return whole.model_dump_json().encode()


def _failure(route: Route, message: str) -> RouteFailure:
    return RouteFailure(route.subscription.subscription_id, route.subscription.name, message)
