"""How a vendor pages its lists."""

from typing import Annotated, Literal

from pydantic import Field

from jackfield_common.connector.fields import Model


class LinkPages(Model):
    """The next page is named by the `Link` header, relation `next` (RFC 8288, 3)."""

    kind: Literal["link"] = "link"
    size_param: str = "per_page"
    max_size: int = Field(default=100, gt=0)
    items_path: str = ""


class CursorPages(Model):
    """The next page is named by a value in the body, sent back as a parameter; empty ends it.

    In `next_path` the name `-1` stands for the last item of a list. With `more_path`
    the pages end where that value is false.
    """

    kind: Literal["cursor"] = "cursor"
    cursor_param: str
    next_path: str
    items_path: str
    more_path: str | None = None
    place: Literal["query", "body"] = "query"
    size_param: str | None = None
    max_size: int = Field(default=100, gt=0)


class PageNumbers(Model):
    """Pages are counted; a page with fewer items than asked for is the last."""

    kind: Literal["page"] = "page"
    page_param: str = "page"
    size_param: str = "per_page"
    first: int = 1
    max_size: int = Field(default=100, gt=0)
    items_path: str = ""
    place: Literal["query", "body"] = "query"


class OffsetPages(Model):
    """Items are counted; a page with fewer items than asked for is the last."""

    kind: Literal["offset"] = "offset"
    offset_param: str = "offset"
    size_param: str = "limit"
    max_size: int = Field(default=100, gt=0)
    items_path: str = ""
    place: Literal["query", "body"] = "query"


class OnePage(Model):
    """The whole list comes in one answer."""

    kind: Literal["one"] = "one"
    items_path: str = ""


Pages = Annotated[
    LinkPages | CursorPages | PageNumbers | OffsetPages | OnePage, Field(discriminator="kind")
]
