"""What the API asks of past deliveries and events."""

from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jackfield_common.events.message import Event
from jackfield_common.events.question import Question
from jackfield_common.events.subscription import SubscriptionState
from jackfield_common.ids import IntegrationId, SubscriptionId
from jackfield_common.topics import HISTORY_REQUESTED, Topic


class HistorySelection(BaseModel):
    """Some of a tenant's past deliveries and events; what is not given does not restrict.

    `event_ids` are the ids under which they were accepted. `types` are patterns, as in routes, for the
    event type or the canonical type. `fields` are fields of the shared shape with their value
    (`repository`, `ref`, …). `condition` is CEL over the event, as in routes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_ids: tuple[str, ...] = Field(default=(), max_length=1_000)
    integration_id: IntegrationId | None = None
    delivery_id: str | None = None
    types: tuple[str, ...] = Field(default=(), max_length=20)
    status: Literal["processed", "duplicate", "failed"] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    fields: dict[str, str] = {}
    condition: str | None = Field(default=None, max_length=8_192)


class HistoryCommand(Event):
    """Search, read, explain or replay past deliveries, or preview a route on them.

    - `search` lists what is selected, newest first. Answer: `{deliveries: […], cursor}`.
    - `read` gives one with its headers and body. Answer: `{delivery, record}`.
    - `explain` says of each route of the tenant whether one event takes it, and why not. Answer:
      `{event, routes: [{subscription_id, name, verdict, input, message}]}`.
    - `replay` routes what is selected again, by `routes` alone where they are given; the actions are
      new ones. Answer: `{replayed: […], cursor}`; with a cursor there is more.
    - `preview` runs `route`, which need not be saved, on what is selected, beside the saved route of
      its id. Answer: `{events: [{event_id, before, after, changed}], cursor}`.
    """

    topic: ClassVar[Topic] = HISTORY_REQUESTED

    verb: Literal["search", "read", "explain", "replay", "preview"]
    selection: HistorySelection = HistorySelection()
    routes: tuple[SubscriptionId, ...] = Field(default=(), max_length=100)
    route: SubscriptionState | None = None
    cursor: str | None = None
    limit: int = Field(default=50, ge=1, le=1_000)
    question: Question | None = None

    def key(self) -> str:
        """The tenant."""
        return self.tenant

    def lane(self) -> str:
        """A lane of its own: one question does not wait for another."""
        return f"?{self.id}"
