"""How much a vendor lets one do."""

from typing import Annotated, Literal

from pydantic import Field

from jackfield_common.connector.fields import Model


class HeaderBudget(Model):
    """The answer's headers say how many calls are left, and when the budget refills.

    `resets_at` names a header holding seconds since 1970, or, with `relative`, seconds from now.
    """

    kind: Literal["header_budget"] = "header_budget"
    remaining: str
    resets_at: str
    relative: bool = False


class SlidingWindow(Model):
    """At most `calls` in any `seconds`."""

    kind: Literal["sliding_window"] = "sliding_window"
    calls: int = Field(gt=0)
    seconds: float = Field(gt=0)


Limit = Annotated[HeaderBudget | SlidingWindow, Field(discriminator="kind")]
