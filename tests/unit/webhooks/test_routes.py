"""Which routes an event concerns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.events import IntegrationEvent, SubscriptionState, Target
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, SubscriptionId, TenantId
from jackfield_webhooks.service.routes import Routes, compile_route

OTHER = TenantId("other")


def subscription(key: str = "s", **more: Any) -> SubscriptionState:
    """A route; `more` are its fields."""
    fields: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "version": 1,
        "subscription_id": SubscriptionId(key),
        "name": key,
        "target": Target(integration_id=IntegrationId("t"), action="send"),
        **more,
    }
    return SubscriptionState.model_validate(fields)


def event(event_type: str = "push", **more: Any) -> IntegrationEvent:
    """An event; `more` are its fields."""
    fields: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "integration_id": "i-1",
        "event_type": event_type,
        "source": "forge",
        **more,
    }
    return IntegrationEvent.model_validate(fields)


@pytest.mark.parametrize(
    ("route", "given_event", "takes"),
    [
        ({}, {}, True),
        ({"events": ("push",)}, {}, True),
        ({"events": ()}, {}, False),
        ({"events": ("tag", "pu*")}, {}, True),
        ({"events": ("merge_request",)}, {"canonical_type": "merge_request"}, True),
        ({"events": ("merge_request",)}, {}, False),
        ({"source": "i-1"}, {}, True),
        ({"source": "i-2"}, {}, False),
        ({"source": "i-1"}, {"integration_id": None}, False),
        ({}, {"integration_id": None}, True),
    ],
)
def test_a_route_takes_its_source_and_types(
    route: dict[str, Any], given_event: dict[str, Any], takes: bool
) -> None:
    assert compile_route(subscription(**route)).takes(event(**given_event)) is takes


def test_only_enabled_routes_of_the_events_tenant_are_candidates() -> None:
    routes = Routes()
    for state in (
        subscription("b"),
        subscription("a"),
        subscription("off", enabled=False),
        subscription("theirs", tenant=OTHER),
    ):
        routes.change(state.key(), state)
    found = [one.subscription.subscription_id for one in routes.candidates(event())]
    assert found == ["a", "b"]
    assert len(routes.candidates(event(tenant=OTHER))) == 1
    assert not routes.candidates(event(tenant="nobody"))


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, DEFAULT_TENANT, OTHER]),
        st.booleans(),
    ),
    max_size=20,
)


@given(_CHANGES)
def test_the_index_is_always_what_the_changes_left(
    changes: list[tuple[str, TenantId | None, bool]],
) -> None:
    routes, model = Routes(), dict[str, SubscriptionState]()
    for key, tenant, enabled in changes:
        if tenant is None:
            routes.change(key, None)
            model.pop(key, None)
        else:
            model[key] = subscription(key, tenant=tenant, enabled=enabled)
            routes.change(key, model[key])
    for tenant in (DEFAULT_TENANT, OTHER):
        expected = {key for key, one in model.items() if one.tenant == tenant}
        assert {one.subscription.key() for one in routes.of_tenant(tenant)} == expected
        enabled_keys = sorted(key for key in expected if model[key].enabled)
        found = [one.subscription.key() for one in routes.candidates(event(tenant=tenant))]
        assert found == enabled_keys
