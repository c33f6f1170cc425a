"""What Slack's actions take."""

from pydantic import Field, JsonValue

from jackfield_common.connector.fields import Input, Paged

Blocks = tuple[dict[str, JsonValue], ...]

CHANNEL = "Id or #name; the incoming webhook's own when left out"


class SendMessage(Input):
    """Send a message: to a channel with a bot token, to its own channel with an incoming webhook."""

    text: str = Field(min_length=1, max_length=40_000)
    channel: str | None = Field(default=None, description=CHANNEL)
    username: str | None = Field(default=None, max_length=80)
    icon_emoji: str | None = Field(default=None, examples=[":rocket:"])
    icon_url: str | None = None
    thread_ts: str | None = Field(default=None, description="Answer in the thread of this message")
    blocks: Blocks | None = Field(default=None, max_length=50)
    attachments: Blocks | None = Field(default=None, max_length=100)
    unfurl_links: bool | None = None


class SendNotification(Input):
    """Send a title and a message with a coloured bar beside them."""

    message: str = Field(min_length=1, max_length=40_000)
    title: str = "Notification"
    color: str = Field(
        default="good", pattern=r"^(good|warning|danger|#[0-9A-Fa-f]{6})$", examples=["danger"]
    )
    title_link: str | None = None
    channel: str | None = Field(default=None, description=CHANNEL)
    username: str | None = Field(default=None, max_length=80)


class NotifyEvent(Input):
    """Tell of an event in one line, if it is one to be told of.

    A route gives the event with {"event_type": event_type, "canonical_type": canonical_type,
    "occurrence": occurrence}. An event that is not told of is a success that sent nothing.
    """

    event_type: str
    canonical_type: str | None = None
    occurrence: dict[str, str | None] | None = None
    events: tuple[str, ...] = Field(
        default=(),
        description="Patterns of types to be told of, such as pull_request.*; all when empty",
    )
    notify_only_broken_pipelines: bool = Field(
        default=False, description="Of pipelines, tell only of those that failed"
    )
    channel: str | None = Field(default=None, description=CHANNEL)
    username: str | None = Field(default=None, max_length=80)


class InChannel(Input):
    """Something in a channel."""

    channel: str = Field(min_length=1, description="Channel id, for example C0123456789")


class OneMessage(InChannel):
    """A message, by its channel and its `ts`."""

    ts: str = Field(pattern=r"^\d+\.\d+$")


class UpdateMessage(OneMessage):
    """Change a message that this bot sent."""

    text: str = Field(min_length=1, max_length=40_000)
    blocks: Blocks | None = Field(default=None, max_length=50)


class DeleteMessage(OneMessage):
    """Delete a message that this bot sent."""


class SendEphemeral(InChannel):
    """Send a message that only one member of a channel sees."""

    user: str
    text: str = Field(min_length=1, max_length=40_000)


class ScheduleMessage(InChannel):
    """Send a message later, at most 120 days from now."""

    text: str = Field(min_length=1, max_length=40_000)
    post_at: int = Field(description="Seconds since 1970")


class UploadFile(Input):
    """Upload a file and share it in a channel; needs a bot token."""

    filename: str = Field(min_length=1, max_length=255)
    content: str | None = Field(default=None, description="The file as text")
    content_base64: str | None = Field(default=None, description="The file as base64 (RFC 4648, 4)")
    title: str | None = None
    channel: str | None = Field(default=None, description="Channel id; kept private when left out")
    initial_comment: str | None = None
    thread_ts: str | None = None


class ListChannels(Paged):
    """List the channels that the bot can see."""

    types: str = Field(
        default="public_channel",
        description="public_channel, private_channel, mpim, im; separated by commas",
    )
    exclude_archived: bool = True


class GetChannel(InChannel):
    """Read a channel."""


class CreateChannel(Input):
    """Create a channel."""

    name: str = Field(pattern=r"^[^A-Z\s.]{1,80}$")
    is_private: bool = False


class JoinChannel(InChannel):
    """Make the bot a member of a public channel."""


class InviteToChannel(InChannel):
    """Invite people to a channel."""

    users: str = Field(description="User ids, separated by commas")


class SetTopic(InChannel):
    """Set a channel's topic."""

    topic: str = Field(max_length=250)


class ListMembers(Paged):
    """List the members of a channel."""

    channel: str


class ChannelHistory(Paged):
    """List the messages of a channel, newest first."""

    channel: str
    oldest: str | None = Field(default=None, description="After this `ts`")
    latest: str | None = Field(default=None, description="Before this `ts`")


class ThreadReplies(Paged):
    """List a thread: its first message and the replies."""

    channel: str
    ts: str


class ListUsers(Paged):
    """List the people and bots of the workspace."""


class GetUser(Input):
    """Read a person."""

    user: str


class FindUser(Input):
    """Find a person by their mail address."""

    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")


class OpenConversation(Input):
    """Open a direct message with one person or several; messages go to the channel it answers with."""

    users: str = Field(description="User ids, separated by commas")


class AddReaction(InChannel):
    """React to a message."""

    timestamp: str = Field(pattern=r"^\d+\.\d+$")
    name: str = Field(description="Without colons", examples=["thumbsup"])


class PinMessage(InChannel):
    """Pin a message to its channel."""

    timestamp: str = Field(pattern=r"^\d+\.\d+$")


class GetPermalink(InChannel):
    """The address of a message."""

    message_ts: str
