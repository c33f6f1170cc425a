"""What Slack answers, as far as it is passed on."""

from typing import Literal

from pydantic import Field, JsonValue, model_validator

from jackfield_common.connector.fields import Output


class Sent(Output):
    """A message that was sent: where and when (`ts` is its id); an incoming webhook says neither."""

    channel: str | None = None
    ts: str | None = None
    text: Literal["ok"] | JsonValue = Field(default=None, exclude=True)


class Notified(Output):
    """Whether something was sent, where, and why not."""

    sent: bool
    reason: str | None = None
    channel: str | None = None
    ts: str | None = None


class Scheduled(Output):
    """A message that will be sent."""

    channel: str
    scheduled_message_id: str
    post_at: int


class SignedIn(Output):
    """Whom the token belongs to; empty where an incoming webhook was tested."""

    url: str | None = None
    team: str | None = None
    user: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    bot_id: str | None = None


class Channel(Output):
    """A channel."""

    id: str
    name: str | None = None
    is_private: bool = False
    is_archived: bool = False
    is_member: bool | None = None
    num_members: int | None = None


class Opened(Output):
    """A conversation that was opened."""

    id: str


class Profile(Output):
    """What a person says of themselves."""

    real_name: str | None = None
    display_name: str | None = None
    email: str | None = None


class User(Output):
    """A person or a bot."""

    id: str
    name: str | None = None
    deleted: bool = False
    is_bot: bool = False
    tz: str | None = None
    profile: Profile = Profile()


class Message(Output):
    """A message in a channel."""

    ts: str
    type: str | None = None
    user: str | None = None
    text: str = ""
    thread_ts: str | None = None
    reply_count: int | None = None


class Member(Output):
    """A member of a channel; Slack lists bare ids."""

    id: str

    @model_validator(mode="before")
    @classmethod
    def _from_bare_id(cls, value: object) -> object:
        return {"id": value} if isinstance(value, str) else value


class File(Output):
    """A file that was uploaded."""

    id: str
    title: str | None = None
    permalink: str | None = None


class Link(Output):
    """The address of a message."""

    channel: str
    permalink: str
