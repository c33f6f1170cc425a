"""Values that many requests share, with their limits."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
"""A name that people give: printable, not blank."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,199}$")]
"""An id that Jackfield made."""


Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]
"""A time that a database holds in every zone."""


class Value(BaseModel):
    """Frozen; an answer of the API."""

    model_config = ConfigDict(frozen=True)


class Wanted(BaseModel):
    """Frozen, and strict about names: the body of a request, where a typo is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
