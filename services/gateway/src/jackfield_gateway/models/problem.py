"""What goes wrong, and how it is told (RFC 9457).

Exception
 └── JackfieldError
      ├── NotReady              a dependency is away                        503
      └── Refused               the request cannot be carried out
           ├── Unauthenticated  nobody known asked                          401
           ├── Forbidden        somebody known may not                      403
           ├── Absent           the thing addressed is not there            404
           ├── Conflict         its state does not allow it now             409
           ├── Invalid          a field is wrong                            422
           └── Unanswered       it was handed on, and no answer came        504
"""

from collections.abc import Sequence
from typing import Final

from pydantic import Field

from jackfield_common.errors import JackfieldError
from jackfield_gateway.models.value import Value

MEDIA_TYPE: Final = "application/problem+json"


class FieldError(Value):
    """One wrong field of a request: a dotted path, and what would be right."""

    field: str = Field(examples=["config_overrides.channel"])
    message: str = Field(examples=["give a text"])


class Problem(Value):
    """A problem document (RFC 9457, 3)."""

    type: str = Field(description="Which kind of problem: urn:jackfield:problem:…")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str = Field(description="The path that was asked for.")
    errors: tuple[FieldError, ...] = Field(
        default=(), description="The wrong fields, where there are any."
    )


class Refused(JackfieldError):
    """A request that cannot be carried out as it is; `detail` says what its sender can do."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unauthenticated(Refused):
    """No credential, or none that holds. `error` is a code of RFC 6750, 3.1, if one was given."""

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        super().__init__(detail)
        self.error = error


class Forbidden(Refused):
    """The credential holds, its scopes do not reach: `scope` is what is needed."""

    def __init__(self, detail: str, *, scope: str) -> None:
        super().__init__(detail)
        self.scope = scope


class Absent(Refused):
    """The thing addressed does not exist for this tenant."""


class Conflict(Refused):
    """The state of a thing does not allow this now."""


class Unanswered(Refused):
    """The service that has to answer was asked, and did not in time."""


class Invalid(Refused):
    """Fields of the request are wrong."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


def invalid(field: str, message: str) -> Invalid:
    """One wrong field."""
    return Invalid([FieldError(field=field, message=message)])
