"""The routes of all tenants, ready to be asked which of them an event concerns."""

from collections.abc import Collection
from dataclasses import dataclass

from jackfield_common.events import IntegrationEvent, SubscriptionState
from jackfield_common.expressions.program import Program
from jackfield_common.ids import TenantId
from jackfield_webhooks.service.patterns import Pattern, compile_pattern


@dataclass(frozen=True, slots=True)
class Route:
    """A subscription with its patterns and program compiled."""

    subscription: SubscriptionState
    patterns: tuple[Pattern, ...]
    program: Program

    def takes(self, event: IntegrationEvent) -> bool:
        """Whether source and type are this route's; its condition is still to be asked."""
        source = self.subscription.source
        if source is not None and source != event.integration_id:
            return False
        canonical = event.canonical_type
        return any(
            pattern.matches(event.event_type)
            or (canonical is not None and pattern.matches(canonical))
            for pattern in self.patterns
        )


def compile_route(subscription: SubscriptionState) -> Route:
    """A route from the state of a subscription."""
    return Route(
        subscription,
        tuple(compile_pattern(text) for text in subscription.events),
        Program(subscription.condition, subscription.target.transform),
    )


class Routes:
    """An index of routes by tenant, kept by the read model's changes."""

    def __init__(self) -> None:
        self._tenants: dict[TenantId, dict[str, Route]] = {}
        self._owner: dict[str, TenantId] = {}

    def change(self, key: str, subscription: SubscriptionState | None) -> None:
        """Take over a change of the read model; None is a deletion."""
        owner = self._owner.pop(key, None)
        if owner is not None:
            routes = self._tenants[owner]
            routes.pop(key, None)
            if not routes:
                del self._tenants[owner]
        if subscription is not None:
            self._owner[key] = subscription.tenant
            self._tenants.setdefault(subscription.tenant, {})[key] = compile_route(subscription)

    def of_tenant(self, tenant: TenantId) -> Collection[Route]:
        """Every route of a tenant."""
        return self._tenants.get(tenant, {}).values()

    def find(self, tenant: TenantId, key: str) -> Route | None:
        """One route of a tenant."""
        return self._tenants.get(tenant, {}).get(key)

    def candidates(self, event: IntegrationEvent) -> list[Route]:
        """The enabled routes of the event's tenant that take its source and type, in a stable order."""
        found = [
            route
            for route in self.of_tenant(event.tenant)
            if route.subscription.enabled and route.takes(event)
        ]
        return sorted(found, key=lambda route: route.subscription.subscription_id)
