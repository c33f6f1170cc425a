"""What Discord's actions take."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.fields import Input, Paged

SNOWFLAKE = r"^\d{1,20}$"
ID = Field(pattern=SNOWFLAKE)
CHANNEL = Field(default=None, pattern=SNOWFLAKE, description="Not needed with a webhook")


class SendMessage(Input):
    """Send a message: to a channel as a bot, or by a webhook to its own."""

    content: str | None = Field(default=None, max_length=2000)
    embeds: tuple[dict[str, JsonValue], ...] | None = Field(default=None, max_length=10)
    channel_id: str | None = CHANNEL
    username: str | None = Field(default=None, max_length=80, description="With a webhook")
    avatar_url: str | None = Field(default=None, description="With a webhook")
    reply_to: str | None = Field(default=None, pattern=SNOWFLAKE, description="As a bot")


class SendNotification(Input):
    """Send a title and a message with a coloured bar beside them."""

    message: str = Field(min_length=1, max_length=4096)
    title: str = Field(default="Notification", max_length=256)
    color: int = Field(default=0x2EB67D, ge=0, le=0xFFFFFF, description="0xRRGGBB as a number")
    url: str | None = None
    channel_id: str | None = CHANNEL
    username: str | None = Field(default=None, max_length=80)


class InChannel(Input):
    """Something in a channel."""

    channel_id: str = ID


class OneMessage(InChannel):
    """A message."""

    message_id: str = ID


class EditMessage(OneMessage):
    """Change a message that this bot sent."""

    content: str = Field(max_length=2000)


class DeleteMessage(OneMessage):
    """Delete a message."""


class GetMessage(OneMessage):
    """Read a message."""


class ListMessages(Paged):
    """List the messages of a channel, newest first."""

    channel_id: str = ID


class AddReaction(OneMessage):
    """React to a message."""

    emoji: str = Field(description="The character, or name:id of a server's own")


class PinMessage(OneMessage):
    """Pin a message to its channel."""


class CreateThread(InChannel):
    """Start a public thread."""

    name: str = Field(min_length=1, max_length=100)
    auto_archive_duration: Literal[60, 1440, 4320, 10080] | None = None


class GetChannel(InChannel):
    """Read a channel."""


class InServer(Input):
    """Something in a server."""

    guild_id: str = ID


class ListChannels(InServer):
    """List the channels of a server."""


class CreateChannel(InServer):
    """Create a channel."""

    name: str = Field(min_length=1, max_length=100)
    type: Literal[0, 2, 4, 5, 13, 15] = Field(
        default=0, description="0 text, 2 voice, 4 category, 5 announcements, 13 stage, 15 forum"
    )
    topic: str | None = Field(default=None, max_length=1024)
    parent_id: str | None = None


class OpenDirectMessage(Input):
    """Open a direct message with somebody; messages go to the channel it answers with."""

    recipient_id: str = ID


class GetServer(InServer):
    """Read a server."""


class ListMembers(Paged):
    """List the members of a server."""

    guild_id: str = ID


class OneMember(InServer):
    """A member of a server."""

    user_id: str = ID


class GetMember(OneMember):
    """Read a member."""


class AddRole(OneMember):
    """Give a role to a member."""

    role_id: str = ID


class RemoveRole(OneMember):
    """Take a role from a member."""

    role_id: str = ID
