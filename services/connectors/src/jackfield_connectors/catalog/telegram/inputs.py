"""What Telegram's actions take."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.fields import Input


class InChat(Input):
    """Something in a chat."""

    chat_id: str = Field(min_length=1, description="Id, or @channel", examples=["@ops", "-100123"])


class SendMessage(InChat):
    """Send a message."""

    text: str = Field(min_length=1, max_length=4096)
    parse_mode: Literal["MarkdownV2", "HTML", "Markdown"] | None = None
    disable_notification: bool | None = None
    message_thread_id: int | None = None
    reply_to: int | None = Field(default=None, description="Message id")
    reply_markup: dict[str, JsonValue] | None = None


class SendPhoto(InChat):
    """Send a picture by its address."""

    photo: str = Field(description="https address, or the id of a file at Telegram")
    caption: str | None = Field(default=None, max_length=1024)


class SendDocument(InChat):
    """Send a file by its address."""

    document: str = Field(description="https address, or the id of a file at Telegram")
    caption: str | None = Field(default=None, max_length=1024)


class SendLocation(InChat):
    """Send a point on the map."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class PollOption(Input):
    """An answer of a poll."""

    text: str = Field(min_length=1, max_length=100)


class SendPoll(InChat):
    """Ask a question with answers to choose from."""

    question: str = Field(min_length=1, max_length=300)
    options: tuple[PollOption, ...] = Field(min_length=2, max_length=12)
    is_anonymous: bool = True
    allows_multiple_answers: bool = False


class ForwardMessage(InChat):
    """Forward a message from another chat."""

    from_chat_id: str
    message_id: int


class OneMessage(InChat):
    """A message."""

    message_id: int


class EditMessage(OneMessage):
    """Change the text of a message that this bot sent."""

    text: str = Field(min_length=1, max_length=4096)
    parse_mode: Literal["MarkdownV2", "HTML", "Markdown"] | None = None


class DeleteMessage(OneMessage):
    """Delete a message."""


class PinMessage(OneMessage):
    """Pin a message to its chat."""

    disable_notification: bool | None = None


class AnswerCallbackQuery(Input):
    """Answer the press of an inline button."""

    callback_query_id: str
    text: str | None = Field(default=None, max_length=200)
    show_alert: bool | None = None


class GetChat(InChat):
    """Read a chat."""


class GetChatMember(InChat):
    """Read a member of a chat."""

    user_id: int


class BanMember(InChat):
    """Ban somebody from a chat."""

    user_id: int
    until_date: int | None = Field(default=None, description="Seconds since 1970; for ever else")


class DeleteWebhook(Input):
    """Stop sending updates."""

    drop_pending_updates: bool | None = None


class GetWebhookInfo(Input):
    """Where updates go, and how that works."""
