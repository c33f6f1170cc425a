"""Parameters that many routes take."""

from typing import Annotated, Final

from fastapi import Header, Path, Query

_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9-]{0,199}$"

Id = Annotated[str, Path(pattern=_ID)]
"""An id in the path. One of another form is the id of nothing: 404."""

Slug = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""A name in the path."""

Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page holds at most.")]

Cursor = Annotated[
    str | None,
    Query(
        max_length=2_000,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the page before; absent for the first page.",
    ),
]

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same request returns the first result, for 24 hours, and"
        " has its effect once.",
    ),
]
