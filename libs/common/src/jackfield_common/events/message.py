"""What every event has in common."""

from datetime import UTC, datetime
from typing import ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from jackfield_common.errors import ContractError
from jackfield_common.ids import TenantId, new_id
from jackfield_common.topics import Topic

JsonObject = dict[str, JsonValue]
"""A JSON object; NaN and infinities are not JSON and are refused."""


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


class Event(BaseModel):
    """An immutable fact, the JSON value of one record.

    Readers ignore fields that they do not know (a newer writer), writers add only optional ones.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")
    topic: ClassVar[Topic]

    id: str = Field(default_factory=new_id, min_length=1, max_length=200)
    tenant: TenantId
    at: AwareDatetime = Field(default_factory=now)

    def key(self) -> str:
        """The partition key: for almost everything the integration id."""
        raise NotImplementedError

    def lane(self) -> str:
        """What this record's order is kept by, within its key; empty where the key alone orders."""
        return ""

    def subject(self) -> str:
        """The CloudEvents `subject`: what the event is about."""
        return self.key()

    def to_bytes(self) -> bytes:
        """The record's value."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """Read a record's value. Raises ContractError naming the field, never quoting the content."""
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the value"
            raise ContractError(f"{cls.__name__}: {where}: {first['msg']}") from None


class State(Event):
    """The latest value of an entity, on a compacted topic. `version` only grows, by its owner's hand."""

    version: int = Field(ge=1)
