"""Parked and dead work, as its owner sees and handles it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from jackfield_common.errors import ErrorKind
from jackfield_common.lanes.parking import WorkRow
from jackfield_gateway.models.page import Page
from jackfield_gateway.models.value import Identifier, Moment, Value, Wanted


class Worker(StrEnum):
    """Who has the work: deliveries on their way to routes, or actions on their way to vendors."""

    WEBHOOKS = "webhooks"
    CONNECTORS = "connectors"


class WorkState(StrEnum):
    """`parked`: waits in its lane and is tried again; `dead`: was given up."""

    PARKED = "parked"
    DEAD = "dead"


class WorkPage(Page[WorkRow]):
    """A page of work, oldest first, and the integrations that are paused."""

    paused: tuple[str, ...]


class WorkChoice(Wanted):
    """Which work is meant: all that meets every criterion given; at least one has to be."""

    work_ids: Annotated[tuple[Identifier, ...], Field(max_length=500)] = ()
    integration_id: Identifier | None = None
    kind: ErrorKind | None = None
    since: Moment | None = Field(default=None, description="Changed at or after this time.")
    until: Moment | None = Field(default=None, description="Changed before this time.")


class WorkChanged(Value):
    """How much was changed: works, or for a retry lanes."""

    count: int


class PauseRequest(Wanted):
    """The integration whose work is to wait, or to go on."""

    integration_id: Identifier
