"""What Discord answers, as far as it is passed on."""

from jackfield_common.connector.fields import Output


class User(Output):
    """An account."""

    id: str
    username: str
    bot: bool = False


class Self(Output):
    """The bot, or the webhook, that the credential is of."""

    id: str
    username: str | None = None
    name: str | None = None
    channel_id: str | None = None
    guild_id: str | None = None


class Message(Output):
    """A message."""

    id: str
    channel_id: str
    content: str = ""
    author: User | None = None
    timestamp: str | None = None


class Channel(Output):
    """A channel or thread."""

    id: str
    type: int
    name: str | None = None
    guild_id: str | None = None
    topic: str | None = None
    parent_id: str | None = None


class Server(Output):
    """A server, which Discord calls a guild."""

    id: str
    name: str
    owner_id: str | None = None


class Member(Output):
    """A member of a server."""

    user: User | None = None
    nick: str | None = None
    roles: tuple[str, ...] = ()
    joined_at: str | None = None
