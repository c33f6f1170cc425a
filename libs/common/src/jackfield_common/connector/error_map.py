"""Which answer of a vendor means which kind of failure."""

from pydantic import Field

from jackfield_common.connector.fields import Model
from jackfield_common.errors import ErrorKind


class On(Model):
    """An answer with this status is this kind of failure; the first rule that matches wins.

    With `header` only when that header is there (and equals `equals`), with `body` only when the value
    at that dotted path of the JSON body is there (and equals `equals`). Status 200 stands for vendors
    that report failures in the body of a success. `retry_after` is the dotted path of a number of
    seconds in the body, for vendors that say there when to come back.
    """

    status: int = Field(ge=200, le=599)
    kind: ErrorKind
    header: str | None = None
    body: str | None = None
    equals: str | None = None
    retry_after: str | None = None


def on(
    status: int,
    kind: ErrorKind,
    *,
    header: str | None = None,
    body: str | None = None,
    equals: str | None = None,
    retry_after: str | None = None,
) -> On:
    """A rule of the error map."""
    return On(
        status=status,
        kind=kind,
        header=header,
        body=body,
        equals=equals,
        retry_after=retry_after,
    )
