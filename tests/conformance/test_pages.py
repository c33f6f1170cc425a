"""Lists: to the end, empty, and no further than asked."""

import copy
from collections.abc import Callable
from typing import Any, cast

import pytest
from aiohttp import web
from pydantic import JsonValue

from jackfield_common.connector.manifest import ActionManifest, Exchange, HttpCall
from jackfield_common.connector.pages import (
    CursorPages,
    LinkPages,
    OffsetPages,
    OnePage,
    PageNumbers,
    Pages,
)
from jackfield_common.connector.selector import at_path
from jackfield_connectors.discovery import Loaded
from tests.conformance.driver import Driver, actions, first_exchange, prefix, scheme
from tests.conformance.player import playing, respond

LISTS = [
    pytest.param(loaded, action, id=f"{loaded.connector.slug}.{action.name}")
    for loaded, action in actions()
    if action.http is not None and action.http.pages is not None
]
IN_PAGES = [
    pytest.param(loaded, action, id=f"{loaded.connector.slug}.{action.name}")
    for loaded, action in actions()
    if action.http is not None and not isinstance(action.http.pages, OnePage | None)
]
every_list = pytest.mark.parametrize(("loaded", "action"), LISTS)


def _put(document: JsonValue, path: str, value: JsonValue) -> JsonValue:
    """The document with a value at a dotted path."""
    if not path:
        return value
    document = copy.deepcopy(document)
    *parents, last = path.split(".")
    holder = cast(dict[str, Any], document)
    for name in parents:
        holder = holder.setdefault(name, {})
    holder[last] = value
    return document


class _Lister:
    """A vendor with so many items, in pages of its kind."""

    def __init__(
        self, exchange: Exchange, http: HttpCall, total: int, base: Callable[[], str]
    ) -> None:
        assert http.pages is not None
        self.pages: Pages = http.pages
        self.body = exchange.response.get("body")
        items = at_path(self.body, self.pages.items_path) if self.pages.items_path else self.body
        self.item = cast(list[JsonValue], items)[0]
        self.total = total
        self.base = base
        self.path = exchange.request["path"]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        given: JsonValue = dict(request.query)
        if not isinstance(self.pages, LinkPages | OnePage) and self.pages.place == "body":
            given = await request.json()
        start, size = self._range(given)
        count = max(min(size, self.total - start), 0)
        body = _put(
            self.body, self.pages.items_path, [copy.deepcopy(self.item) for _ in range(count)]
        )
        more = start + count < self.total
        headers: dict[str, JsonValue] = {}
        if isinstance(self.pages, CursorPages):
            body = self._with_cursor(body, str(start + count) if more else "")
        if isinstance(self.pages, LinkPages) and more:
            query = f"{self.pages.size_param}={size}&page={start // size + 2}"
            headers["link"] = f'<{self.base()}{self.path}?{query}>; rel="next"'
        return respond({"status": 200, "headers": headers, "body": body})

    def _range(self, given: JsonValue) -> tuple[int, int]:
        def number(name: str | None, default: int) -> int:
            found = at_path(given, name) if name else None
            return int(str(found).rpartition("-")[2]) if found else default

        match self.pages:
            case OnePage():
                return 0, self.total
            case LinkPages():
                size = number(self.pages.size_param, 100)
                return (number("page", 1) - 1) * size, size
            case CursorPages():
                return number(self.pages.cursor_param, 0), number(self.pages.size_param, 100)
            case PageNumbers():
                size = number(self.pages.size_param, 0)
                first = self.pages.first
                return (number(self.pages.page_param, first) - first) * size, size
            case OffsetPages():
                return number(self.pages.offset_param, 0), number(self.pages.size_param, 0)

    def _with_cursor(self, body: JsonValue, cursor: str) -> JsonValue:
        assert isinstance(self.pages, CursorPages)
        if self.pages.more_path is not None:
            body = _put(body, self.pages.more_path, bool(cursor))
        if "-1" in self.pages.next_path.split("."):
            # the cursor is the last item's own id: it carries the position here
            items = at_path(body, self.pages.items_path) if self.pages.items_path else body
            if isinstance(items, list) and items:
                name = self.pages.next_path.partition("-1.")[2]
                items[-1] = _put(items[-1], name, f"x-{cursor or 0}")
            return body
        return _put(body, self.pages.next_path, cursor)


async def _listed(
    loaded: Loaded, action: ActionManifest, total: int, limit: int
) -> tuple[list[JsonValue], bool, int]:
    assert action.http is not None
    exchange = first_exchange(loaded, action.name)
    assert exchange is not None
    manifest = loaded.manifest
    base: list[str] = []
    lister = _Lister(exchange, action.http, total, lambda: base[0])
    given = dict(exchange.input)
    if not isinstance(action.http.pages, OnePage):
        given["limit"] = limit
    driver = Driver.make()
    try:
        async with playing(lister, prefix(manifest, scheme(manifest, exchange.auth))) as player:
            base.append(player.url + player.prefix)
            result = await driver.perform(
                loaded, action.name, given, player, auth=exchange.auth, config=exchange.config
            )
    finally:
        await driver.transport.close()
    data = cast(dict[str, Any], result.data)
    return data["items"], data["complete"], len(player.seen)


@every_list
async def test_a_list_is_read_to_its_end(loaded: Loaded, action: ActionManifest) -> None:
    assert action.http is not None
    pages = action.http.pages
    if isinstance(pages, OnePage | None):
        total, expected = 233, 1
    else:
        total, expected = 2 * pages.max_size + 33, 3
    items, complete, requests = await _listed(loaded, action, total, 10_000)
    assert len(items) == total
    assert complete
    assert requests == expected


@every_list
async def test_an_empty_list_is_empty(loaded: Loaded, action: ActionManifest) -> None:
    items, complete, requests = await _listed(loaded, action, 0, 50)
    assert (items, complete, requests) == ([], True, 1)


@pytest.mark.parametrize(("loaded", "action"), IN_PAGES)
async def test_no_more_is_read_than_was_asked_for(loaded: Loaded, action: ActionManifest) -> None:
    items, complete, requests = await _listed(loaded, action, 233, 3)
    assert (len(items), complete, requests) == (3, False, 1)
