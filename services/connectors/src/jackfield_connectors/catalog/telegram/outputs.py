"""What Telegram answers, as far as it is passed on."""

from jackfield_common.connector.fields import Output


class User(Output):
    """An account or a bot."""

    id: int
    is_bot: bool
    first_name: str
    username: str | None = None


class Chat(Output):
    """A chat."""

    id: int
    type: str
    title: str | None = None
    username: str | None = None


class Message(Output):
    """A message."""

    message_id: int
    date: int
    chat: Chat
    text: str | None = None


class Member(Output):
    """A member of a chat."""

    status: str
    user: User


class WebhookInfo(Output):
    """Where updates go."""

    url: str
    pending_update_count: int
    last_error_message: str | None = None
