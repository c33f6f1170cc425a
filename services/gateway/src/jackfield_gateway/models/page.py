"""Pages of a list."""

from typing import Generic, TypeVar

from pydantic import Field

from jackfield_gateway.models.value import Value

T = TypeVar("T")


class Page(Value, Generic[T]):
    """Some items of a list in a stable order, and where the next ones begin."""

    items: tuple[T, ...]
    next_cursor: str | None = Field(
        default=None, description="Give it as `cursor` to get the next page; absent on the last."
    )
