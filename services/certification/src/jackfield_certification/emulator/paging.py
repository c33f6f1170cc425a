"""Lists in pages, as the vendor pages them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlencode

from pydantic import JsonValue

from jackfield_certification.emulator.matching import ArrivedRequest
from jackfield_common.connector.pages import (
    CursorPages,
    LinkPages,
    OffsetPages,
    PageNumbers,
)
from jackfield_common.connector.selector import as_text, at_path

_SIZE: Final = 2

ManyPages = LinkPages | CursorPages | PageNumbers | OffsetPages


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: the body, and headers that name the next one."""

    body: JsonValue
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PagedList:
    """A list of an action, `full_pages` full ones and one item on a last one.

    `body` is the recorded answer; its first item is repeated.
    """

    action: str
    pages: ManyPages
    body: JsonValue
    full_pages: int = 2

    def page(self, request: ArrivedRequest, address: str) -> Page:
        """The page that this request asks for; `address` is the emulator's."""
        size = self.page_size(request)
        number = self._number(request, size)
        count = size if number < self.full_pages else 1 if number == self.full_pages else 0
        more = number < self.full_pages
        items = [self._item(number * size + index) for index in range(count)]
        body = replaced(self.body, self.pages.items_path, items)
        match self.pages:
            case LinkPages():
                query = {**dict(request.query), "page": str(number + 2)}
                link = f'<{address}{request.path}?{urlencode(query)}>; rel="next"'
                return Page(body, {"Link": link} if more else {})
            case CursorPages():
                if self.pages.more_path is not None:
                    body = replaced(body, self.pages.more_path, more)
                # A cursor that is the last item's own id is there on the last page as well.
                if "-1" not in self.pages.next_path.split("."):
                    following = f"cursor-{number + 1}" if more else ""
                    body = replaced(body, self.pages.next_path, following)
                return Page(body, {})
            case PageNumbers() | OffsetPages():
                return Page(body, {})

    def page_size(self, request: ArrivedRequest) -> int:
        """How many items the request wants on a page."""
        name = self.pages.size_param
        asked = _whole(self._parameter(request, name), 0) if name is not None else 0
        return min(asked, self.pages.max_size) if asked > 0 else _SIZE

    def _number(self, request: ArrivedRequest, size: int) -> int:
        match self.pages:
            case LinkPages():
                return max(0, _whole(self._parameter(request, "page"), 1) - 1)
            case PageNumbers():
                first = self.pages.first
                given = self._parameter(request, self.pages.page_param)
                return max(0, _whole(given, first) - first)
            case OffsetPages():
                return _whole(self._parameter(request, self.pages.offset_param), 0) // size
            case CursorPages():
                given = self._parameter(request, self.pages.cursor_param) or ""
                if given.startswith("cursor-"):
                    return _whole(given.removeprefix("cursor-"), 0)
                # The id of the last item seen: items are numbered from 1.
                return -(-_whole(given.rpartition("-")[2], 0) // size)

    def _parameter(self, request: ArrivedRequest, name: str) -> str | None:
        if isinstance(self.pages, LinkPages) or self.pages.place == "query":
            return dict(request.query).get(name)
        return as_text(at_path(request.json(), name))

    def _item(self, index: int) -> JsonValue:
        path = self.pages.items_path
        items = at_path(self.body, path) if path else self.body
        item = copy.deepcopy(items[0]) if isinstance(items, list) and items else {}
        if isinstance(item, dict):
            for name in ("id", "number"):
                if isinstance(item.get(name), int):
                    item[name] = index + 1
                elif name == "id" and isinstance(item.get(name), str):
                    item[name] = f"{item[name]}-{index + 1}"
        return item


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() else otherwise


def replaced(document: JsonValue, path: str, value: JsonValue) -> JsonValue:
    """The document with `value` at a dotted path of objects; an empty path is the whole document."""
    if not path:
        return value
    root = copy.deepcopy(document) if isinstance(document, dict) else {}
    *parents, last = path.split(".")
    place: dict[str, JsonValue] = root
    for name in parents:
        inner = place.get(name)
        if not isinstance(inner, dict):
            inner = cast(dict[str, JsonValue], {})
            place[name] = inner
        place = inner
    place[last] = value
    return root
