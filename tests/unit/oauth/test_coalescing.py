"""Look-ups at the same time become one; each is answered with what is true after it was asked."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from jackfield_oauth.service.coalescing import Coalesced


class Store:
    def __init__(self) -> None:
        self.rows = {"a": 1}
        self.queries: list[list[str]] = []
        self.gate = asyncio.Event()
        self.broken = False

    async def fetch(self, keys: Collection[str]) -> Mapping[str, int]:
        self.queries.append(sorted(keys))
        await self.gate.wait()
        if self.broken:
            raise OSError("away")
        return {key: self.rows[key] for key in keys if key in self.rows}


async def test_what_waits_while_a_query_runs_becomes_the_next_one() -> None:
    store = Store()
    look = Coalesced(store.fetch)
    first = asyncio.create_task(look.get("a"))
    while not store.queries:
        await asyncio.sleep(0)
    others = [asyncio.create_task(look.get(key)) for key in ("b", "c", "a", "b")]
    await asyncio.sleep(0)
    store.gate.set()
    assert await asyncio.gather(first, *others) == [1, None, None, 1, None]
    assert store.queries == [["a"], ["a", "b", "c"]]


async def test_nothing_is_remembered() -> None:
    store = Store()
    store.gate.set()
    look = Coalesced(store.fetch)
    assert await look.get("a") == 1
    store.rows["a"] = 2
    assert await look.get("a") == 2


async def test_a_failure_reaches_everyone_and_ends_with_them() -> None:
    store = Store()
    store.gate.set()
    store.broken = True
    look = Coalesced(store.fetch)
    results = await asyncio.gather(look.get("a"), look.get("b"), return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results)
    store.broken = False
    assert await look.get("a") == 1


async def test_one_who_gives_up_does_not_take_the_others_along() -> None:
    store = Store()
    look = Coalesced(store.fetch)
    impatient = asyncio.create_task(look.get("a"))
    patient = asyncio.create_task(look.get("a"))
    while not store.queries:
        await asyncio.sleep(0)
    impatient.cancel()
    store.gate.set()
    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient
