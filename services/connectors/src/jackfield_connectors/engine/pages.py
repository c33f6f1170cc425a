"""Lists over several pages, as one bounded list."""

import re
from collections.abc import Awaitable, Callable
from typing import Final, cast

from pydantic import JsonValue

from jackfield_common.connector.pages import (
    CursorPages,
    LinkPages,
    OffsetPages,
    OnePage,
    PageNumbers,
    Pages,
)
from jackfield_common.connector.selector import as_text, at_path
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.operations import unfitting
from jackfield_connectors.engine.requests import Draft
from jackfield_connectors.engine.transport import Answer

MAX_PAGES: Final = 1_000
_LAST: Final = "-1"
_LINK: Final = re.compile(r'<([^>]*)>\s*((?:;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^;,"]*)\s*)*)')
_REL: Final = re.compile(r';\s*rel\s*=\s*"?([^";]*)"?')

Fetch = Callable[[Draft], Awaitable[tuple[Answer, JsonValue]]]


async def collect(
    pages: Pages, first: Draft, limit: int, fetch: Fetch
) -> tuple[list[JsonValue], bool]:
    """At most `limit` items, and whether these are all there are.

    Raises Failure(BUG) where the pages do not end, or Unfitting where there is no list.
    """
    found: list[JsonValue] = []
    request: Draft | None = _sized(pages, first, limit)
    for number in range(MAX_PAGES):
        if request is None:
            return found, True
        answer, document = await fetch(request)
        items = _items(pages, document)
        found += items
        request = _next(pages, request, answer, document, items, number)
        if len(found) >= limit:
            return found[:limit], request is None and len(found) == limit
    raise Failure(ErrorKind.BUG, f"the vendor's list did not end after {MAX_PAGES} pages")


def _sized(pages: Pages, request: Draft, limit: int) -> Draft:
    if isinstance(pages, OnePage):
        return request
    size = min(limit, pages.max_size)
    added: dict[str, JsonValue] = {pages.size_param: size} if pages.size_param else {}
    match pages:
        case PageNumbers():
            added[pages.page_param] = pages.first
        case OffsetPages():
            added[pages.offset_param] = 0
        case LinkPages() | CursorPages():
            pass
    return _with(pages, request, added)


def _with(pages: Pages, request: Draft, parameters: dict[str, JsonValue]) -> Draft:
    if isinstance(pages, OnePage | LinkPages) or pages.place == "query":
        return request.with_query(**parameters)
    return request.with_body(**parameters)


def _items(pages: Pages, document: JsonValue) -> list[JsonValue]:
    found = at_path(document, pages.items_path) if pages.items_path else document
    if found is None and isinstance(document, dict):
        return []  # vendors leave the member out where there is nothing
    if not isinstance(found, list):
        raise unfitting(f"{pages.items_path or 'the whole'}: not a list", document)
    return found


def _next(
    pages: Pages,
    request: Draft,
    answer: Answer,
    document: JsonValue,
    items: list[JsonValue],
    number: int,
) -> Draft | None:
    match pages:
        case OnePage():
            return None
        case LinkPages():
            return _linked(request, answer)
        case CursorPages():
            if pages.more_path is not None and at_path(document, pages.more_path) is not True:
                return None
            if _LAST in pages.next_path.split(".") and len(items) < _cursor_size(pages, request):
                return None  # the cursor is an item: there is one on the last page as well
            cursor = as_text(_at(document, pages.next_path))
            return _with(pages, request, {pages.cursor_param: cursor}) if cursor else None
        case PageNumbers():
            if len(items) < _size(pages, request):
                return None
            return _with(pages, request, {pages.page_param: pages.first + number + 1})
        case OffsetPages():
            if len(items) < _size(pages, request):
                return None
            seen = _size(pages, request) * (number + 1)
            return _with(pages, request, {pages.offset_param: seen})


def _cursor_size(pages: CursorPages, request: Draft) -> int:
    if pages.size_param is None:
        return 1
    holder = request.query if pages.place == "query" else request.body
    return cast(int, at_path(cast(JsonValue, holder), pages.size_param))


def _size(pages: PageNumbers | OffsetPages, request: Draft) -> int:
    holder = request.query if pages.place == "query" else request.body
    return cast(int, at_path(cast(JsonValue, holder), pages.size_param))


def _linked(request: Draft, answer: Answer) -> Draft | None:
    """The address in `Link: <…>; rel="next"` (RFC 8288, 3)."""
    for address, parameters in _LINK.findall(answer.headers.get("link", "")):
        relation = _REL.search(parameters)
        if relation is not None and "next" in relation[1].split():
            return Draft(
                method=request.method, path=address, query={}, body=None, headers=request.headers
            )
    return None


def _at(document: JsonValue, path: str) -> JsonValue:
    """As `at_path`, with `-1` for the last item of a list."""
    for name in path.split("."):
        if name == _LAST:
            document = document[-1] if isinstance(document, list) and document else None
        else:
            document = at_path(document, name)
    return document
