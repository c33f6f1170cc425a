"""Interactive questions: a command whose sender waits for the answer, until a deadline."""

from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

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
    """The answer to one question, keyed by the instance that asked."""

    topic: ClassVar[Topic] = ANSWER

    correlation_id: str
    instance: str
    success: bool
    message: str = ""
    error: ErrorKind | None = None
    data: JsonObject | None = None

    def key(self) -> str:
        """The instance that asked."""
        return self.instance
