"""Discord: messages by webhook or bot, channels, threads, members and roles. API, version 10."""

from pydantic import Field

from jackfield_common.connector.auth import Bearer, SecretUrl
from jackfield_common.connector.declaration import Config, Connector, delete, get, patch, post, put
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import NoInput, NoOutput, secret
from jackfield_common.connector.manifest import Category, HttpCall, TemplateManifest
from jackfield_common.connector.pages import CursorPages, OnePage
from jackfield_common.connector.repeat import Repeat
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.discord import inputs as given
from jackfield_connectors.catalog.discord import outputs as answered

BOT = ("bearer",)
CHANNEL = "/channels/{channel_id}"
MESSAGE = f"{CHANNEL}/messages/{{message_id}}"
MEMBER = "/guilds/{guild_id}/members/{user_id}"


class Settings(Config):
    """Where messages go, and as whom, when an action does not say."""

    channel_id: str | None = Field(default=None, title="Channel", pattern=r"^\d+$")
    guild_id: str | None = Field(default=None, title="Server", pattern=r"^\d+$")
    username: str | None = Field(default=None, title="User name", max_length=80)


# wait=true: Discord answers with the message instead of before it was sent
BY_WEBHOOK = HttpCall(method="POST", path="", query=("wait",), constants={"wait": True})
EMBEDS = {
    "username": "{username}",
    "embeds": [
        {"title": "{title}", "description": "{message}", "url": "{url}", "color": "{color}"}
    ],
}

connector = Connector(
    slug="discord",
    title="Discord",
    description="Messages, embeds, threads, channels, members and roles of a server.",
    category=Category.COMMUNICATION,
    docs="https://discord.com/developers/docs/reference",
    version="1.0.0",
    base_url="https://discord.com/api/v10",
    auth=(
        SecretUrl(hosts=("discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com")),
        Bearer(prefix="Bot", fields=(secret("bot_token", "Bot token"),)),
    ),
    config=Settings,
    errors=(on(429, ErrorKind.RATE_LIMITED, retry_after="retry_after"),),
    error_message=("message",),
    # A GET of a webhook's address tells about it, and needs no other credential.
    test=get(
        "test_connection",
        "/users/@me",
        NoInput,
        returns=answered.Self,
        http_by_auth={"secret_url": HttpCall(method="GET", path="")},
    ),
    actions=(
        post(
            "send_message",
            f"{CHANNEL}/messages",
            given.SendMessage,
            returns=answered.Message,
            ordering="channel_id",
            body={
                "content": "{content}",
                "embeds": "{embeds}",
                "message_reference": {"message_id": "{reply_to}"},
            },
            http_by_auth={
                "secret_url": BY_WEBHOOK.model_copy(
                    update={
                        "body": {
                            "content": "{content}",
                            "embeds": "{embeds}",
                            "username": "{username}",
                            "avatar_url": "{avatar_url}",
                        }
                    }
                )
            },
        ),
        post(
            "send_notification",
            f"{CHANNEL}/messages",
            given.SendNotification,
            returns=answered.Message,
            ordering="channel_id",
            body={"embeds": EMBEDS["embeds"]},
            http_by_auth={"secret_url": BY_WEBHOOK.model_copy(update={"body": EMBEDS})},
        ),
        patch(
            "edit_message",
            MESSAGE,
            given.EditMessage,
            returns=answered.Message,
            auth=BOT,
            repeat=Repeat.SAFE,
        ),
        delete("delete_message", MESSAGE, given.DeleteMessage, returns=NoOutput, auth=BOT),
        get("get_message", MESSAGE, given.GetMessage, returns=answered.Message, auth=BOT),
        get(
            "list_messages",
            f"{CHANNEL}/messages",
            given.ListMessages,
            returns=answered.Message,
            auth=BOT,
            pages=CursorPages(
                cursor_param="before", next_path="-1.id", items_path="", size_param="limit"
            ),
        ),
        put(
            "add_reaction",
            f"{MESSAGE}/reactions/{{emoji}}/@me",
            given.AddReaction,
            returns=NoOutput,
            auth=BOT,
        ),
        put(
            "pin_message",
            f"{CHANNEL}/pins/{{message_id}}",
            given.PinMessage,
            returns=NoOutput,
            auth=BOT,
        ),
        post(
            "create_thread",
            f"{CHANNEL}/threads",
            given.CreateThread,
            returns=answered.Channel,
            auth=BOT,
            constants={"type": 11},
        ),
        get("get_channel", CHANNEL, given.GetChannel, returns=answered.Channel, auth=BOT),
        get(
            "list_channels",
            "/guilds/{guild_id}/channels",
            given.ListChannels,
            returns=answered.Channel,
            auth=BOT,
            pages=OnePage(),
        ),
        post(
            "create_channel",
            "/guilds/{guild_id}/channels",
            given.CreateChannel,
            returns=answered.Channel,
            auth=BOT,
        ),
        post(
            "open_direct_message",
            "/users/@me/channels",
            given.OpenDirectMessage,
            returns=answered.Channel,
            auth=BOT,
            repeat=Repeat.SAFE,
        ),
        get("get_server", "/guilds/{guild_id}", given.GetServer, returns=answered.Server, auth=BOT),
        get(
            "list_members",
            "/guilds/{guild_id}/members",
            given.ListMembers,
            returns=answered.Member,
            auth=BOT,
            pages=CursorPages(
                cursor_param="after",
                next_path="-1.user.id",
                items_path="",
                size_param="limit",
                max_size=1000,
            ),
        ),
        get("get_member", MEMBER, given.GetMember, returns=answered.Member, auth=BOT),
        put("add_role", f"{MEMBER}/roles/{{role_id}}", given.AddRole, returns=NoOutput, auth=BOT),
        delete(
            "remove_role",
            f"{MEMBER}/roles/{{role_id}}",
            given.RemoveRole,
            returns=NoOutput,
            auth=BOT,
        ),
    ),
    templates=(
        TemplateManifest(
            name="discord",
            title="Discord",
            description="Send messages to a channel by its webhook.",
            auth="secret_url",
        ),
        TemplateManifest(
            name="discord_bot",
            title="Discord bot",
            description="Everything a bot can do: channels, threads, members, roles.",
            auth="bearer",
        ),
    ),
    popularity=85,
)
