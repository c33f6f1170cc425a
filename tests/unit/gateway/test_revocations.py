"""The revocation feed: silence is not trust."""

from collections.abc import Collection

import pytest

from jackfield_common.errors import NotReady
from jackfield_common.events.credential import RevocationState
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_gateway.service.access_tokens import HEARTBEAT, Revocations


class Feed:
    """A view of revocations that the test fills."""

    def __init__(self) -> None:
        self.ready = False
        self.states: dict[str, RevocationState] = {}

    def get(self, key: str) -> RevocationState | None:
        return self.states.get(key)

    def values(self) -> Collection[RevocationState]:
        return self.states.values()

    async def wait_for(self, key: str, version: int, timeout: float) -> RevocationState:
        raise NotImplementedError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_only_a_live_feed_is_believed() -> None:
    feed, clock = Feed(), Clock()
    revocations = Revocations(5, clock)
    with pytest.raises(NotReady):
        revocations.revoked("a")
    revocations.follow(feed)
    revocations.changed(HEARTBEAT, None)  # read while loading: it may be from yesterday
    with pytest.raises(NotReady):
        revocations.revoked("a")
    feed.ready = True
    revocations.changed("a", None)  # no sign of life
    with pytest.raises(NotReady):
        revocations.revoked("a")
    revocations.changed(HEARTBEAT, None)
    assert not revocations.revoked("a")
    feed.states["a"] = RevocationState(tenant=DEFAULT_TENANT, version=1, jti="a")
    assert revocations.revoked("a")
    clock.now += 5
    assert not revocations.revoked("b")
    clock.now += 0.1
    with pytest.raises(NotReady):
        revocations.revoked("b")
