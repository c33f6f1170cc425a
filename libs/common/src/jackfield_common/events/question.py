"""Interactive questions: a command whose sender waits for the answer, until a deadline."""

from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from jackfield_common.errors import ErrorKind
from jackfield_common.events.message import Event, JsonObject
from jackfield_common.topics import ANSWER, Topic


class Question(BaseModel):
    """Attached to a command: whom to answer. After `deadline` the work goes on, nobody waits."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    correlation_id: str
    instance: str
    deadline: AwareDatetime


class Answer(Event):
    """The answer to one question, keyed by the instance that asked.

    What was asked for is in `data` where it is an object, in `items` where it is a list. `field` names
    the wrong input of a refusal, as a dotted path.
    """

    topic: ClassVar[Topic] = ANSWER

    correlation_id: str
    instance: str
    success: bool
    message: str = ""
    error: ErrorKind | None = None
    field: str | None = None
    data: JsonObject | None = None
    items: tuple[JsonValue, ...] | None = None

    def key(self) -> str:
        """The instance that asked."""
        return self.instance
