"""Calls of a vendor through the API."""

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from jackfield_common.errors import ErrorKind
from jackfield_common.events.message import JsonObject
from jackfield_gateway.models.value import Value, Wanted


class ActionCall(Wanted):
    """The input of an action, by its JSON Schema."""

    input: JsonObject = Field(default={}, examples=[{"text": "Deployed 1.4.2"}])


class ActionResult(Value):
    """What came of an action; `success`, `message` and `data` once its status is `completed`.

    A failure at the vendor is a result like any other: `success` is false and `error` says which kind.
    """

    action_id: str
    integration_id: str
    connector: str
    action: str
    status: Literal["pending", "completed"]
    success: bool | None = None
    message: str = ""
    data: JsonValue = None
    error: ErrorKind | None = None
    field: str | None = None
    attempts: int | None = None
    duration_ms: float | None = None
    subscription_id: str | None = None
    cause: str | None = None
    requested_at: AwareDatetime
    completed_at: AwareDatetime | None = None
