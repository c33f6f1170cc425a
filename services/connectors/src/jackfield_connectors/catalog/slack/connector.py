"""Slack: messages by incoming webhook or bot token, channels, people, files; and the Events API."""

from pydantic import Field

from jackfield_common.connector.auth import Bearer, OAuth2, SecretUrl
from jackfield_common.connector.declaration import Action, Config, Connector, get, post
from jackfield_common.connector.error_map import On, on
from jackfield_common.connector.fields import NoInput, NoOutput, secret
from jackfield_common.connector.handshake import Condition, Handshake
from jackfield_common.connector.manifest import Category, HttpCall, TemplateManifest
from jackfield_common.connector.pages import CursorPages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac, Window
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.slack.actions import notify_event, upload_file
from jackfield_connectors.catalog.slack.events import EVENTS
from jackfield_connectors.catalog.slack.inputs import (
    AddReaction,
    ChannelHistory,
    CreateChannel,
    DeleteMessage,
    FindUser,
    GetChannel,
    GetPermalink,
    GetUser,
    InviteToChannel,
    JoinChannel,
    ListChannels,
    ListMembers,
    ListUsers,
    NotifyEvent,
    OpenConversation,
    PinMessage,
    ScheduleMessage,
    SendEphemeral,
    SendMessage,
    SendNotification,
    SetTopic,
    ThreadReplies,
    UpdateMessage,
    UploadFile,
)
from jackfield_connectors.catalog.slack.outputs import (
    Channel,
    File,
    Link,
    Member,
    Message,
    Notified,
    Opened,
    Scheduled,
    Sent,
    SignedIn,
    User,
)

TOKEN = ("bearer", "oauth2")


class Settings(Config):
    """Where messages go, and as whom, when an action does not say."""

    channel: str | None = Field(default=None, title="Channel", description="Id or #name")
    username: str | None = Field(default=None, title="User name", max_length=80)
    events: tuple[str, ...] = Field(
        default=(), title="Events", description="Which events notify_event tells of; all when empty"
    )
    notify_only_broken_pipelines: bool = Field(default=False, title="Only broken pipelines")


def _says(error: str, kind: ErrorKind) -> On:
    """Slack answers 200 with `{"ok": false, "error": …}`."""
    return on(200, kind, body="error", equals=error)


def _pages(items: str, size: int = 200) -> CursorPages:
    return CursorPages(
        cursor_param="cursor",
        next_path="response_metadata.next_cursor",
        items_path=items,
        size_param="limit",
        max_size=size,
    )


BY_WEBHOOK = HttpCall(method="POST", path="", answer="text")
NOTIFICATION = {
    "channel": "{channel}",
    "username": "{username}",
    "attachments": [
        {
            "color": "{color}",
            "title": "{title}",
            "title_link": "{title_link}",
            "text": "{message}",
            "fallback": "{title}: {message}",
        }
    ],
}

connector = Connector(
    slug="slack",
    title="Slack",
    description="Messages, notifications, channels, people and files; events of a workspace.",
    category=Category.COMMUNICATION,
    docs="https://docs.slack.dev/reference/methods",
    version="1.0.0",
    base_url="https://slack.com/api",
    auth=(
        SecretUrl(hosts=("hooks.slack.com", "hooks.slack-gov.com")),
        Bearer(fields=(secret("bot_token", "Bot token", "Starts with xoxb-"),)),
        OAuth2(
            authorize_url="https://slack.com/oauth/v2/authorize",
            token_url="https://slack.com/api/oauth.v2.access",
            scopes={
                "chat:write": "Send messages",
                "channels:read": "List public channels",
                "users:read": "List people",
                "files:write": "Upload files",
            },
            pkce=False,
        ),
    ),
    config=Settings,
    errors=(
        *(
            _says(error, ErrorKind.AUTH)
            for error in (
                "invalid_auth",
                "not_authed",
                "account_inactive",
                "token_revoked",
                "token_expired",
            )
        ),
        *(
            _says(error, ErrorKind.FORBIDDEN)
            for error in (
                "missing_scope",
                "no_permission",
                "not_allowed_token_type",
                "access_denied",
                "restricted_action",
                "not_in_channel",
                "ekm_access_denied",
                "org_login_required",
                "team_access_not_granted",
            )
        ),
        *(
            _says(error, ErrorKind.NOT_FOUND)
            for error in (
                "channel_not_found",
                "user_not_found",
                "users_not_found",
                "message_not_found",
                "thread_not_found",
                "file_not_found",
            )
        ),
        _says("ratelimited", ErrorKind.RATE_LIMITED),
        _says("rate_limited", ErrorKind.RATE_LIMITED),
        *(
            _says(error, ErrorKind.UNAVAILABLE)
            for error in ("internal_error", "fatal_error", "service_unavailable", "request_timeout")
        ),
        on(200, ErrorKind.INVALID, body="ok", equals="false"),
    ),
    error_message=("error",),
    test=post(
        "test_connection",
        "/auth.test",
        NoInput,
        returns=SignedIn,
        repeat=Repeat.SAFE,
        http_by_auth={
            "secret_url": BY_WEBHOOK.model_copy(
                update={"constants": {"text": "Jackfield is connected to this channel."}}
            )
        },
    ),
    actions=(
        post(
            "send_message",
            "/chat.postMessage",
            SendMessage,
            returns=Sent,
            ordering="channel",
            http_by_auth={"secret_url": BY_WEBHOOK},
        ),
        post(
            "send_notification",
            "/chat.postMessage",
            SendNotification,
            returns=Sent,
            ordering="channel",
            body=NOTIFICATION,
            http_by_auth={"secret_url": BY_WEBHOOK.model_copy(update={"body": NOTIFICATION})},
        ),
        Action[NotifyEvent, Notified](
            name="notify_event",
            input=NotifyEvent,
            output=Notified,
            repeat=Repeat.UNSAFE,
            run=notify_event,
            ordering="channel",
        ),
        post(
            "update_message",
            "/chat.update",
            UpdateMessage,
            returns=Sent,
            auth=TOKEN,
            repeat=Repeat.SAFE,
        ),
        post("delete_message", "/chat.delete", DeleteMessage, returns=Sent, auth=TOKEN),
        post("send_ephemeral", "/chat.postEphemeral", SendEphemeral, returns=NoOutput, auth=TOKEN),
        post(
            "schedule_message",
            "/chat.scheduleMessage",
            ScheduleMessage,
            returns=Scheduled,
            auth=TOKEN,
        ),
        Action[UploadFile, File](
            name="upload_file",
            input=UploadFile,
            output=File,
            repeat=Repeat.UNSAFE,
            run=upload_file,
            auth=TOKEN,
            timeout=120,
        ),
        get(
            "list_channels",
            "/conversations.list",
            ListChannels,
            returns=Channel,
            pages=_pages("channels"),
            auth=TOKEN,
        ),
        get(
            "get_channel",
            "/conversations.info",
            GetChannel,
            returns=Channel,
            result_path="channel",
            auth=TOKEN,
        ),
        post(
            "create_channel",
            "/conversations.create",
            CreateChannel,
            returns=Channel,
            result_path="channel",
            auth=TOKEN,
        ),
        post(
            "join_channel",
            "/conversations.join",
            JoinChannel,
            returns=Channel,
            result_path="channel",
            auth=TOKEN,
            repeat=Repeat.SAFE,
        ),
        post(
            "invite_to_channel",
            "/conversations.invite",
            InviteToChannel,
            returns=Channel,
            result_path="channel",
            auth=TOKEN,
        ),
        post(
            "set_topic",
            "/conversations.setTopic",
            SetTopic,
            returns=NoOutput,
            auth=TOKEN,
            repeat=Repeat.SAFE,
        ),
        get(
            "list_members",
            "/conversations.members",
            ListMembers,
            returns=Member,
            pages=_pages("members"),
            auth=TOKEN,
        ),
        get(
            "channel_history",
            "/conversations.history",
            ChannelHistory,
            returns=Message,
            pages=_pages("messages"),
            auth=TOKEN,
        ),
        get(
            "thread_replies",
            "/conversations.replies",
            ThreadReplies,
            returns=Message,
            pages=_pages("messages"),
            auth=TOKEN,
        ),
        get(
            "list_users",
            "/users.list",
            ListUsers,
            returns=User,
            pages=_pages("members"),
            auth=TOKEN,
        ),
        get("get_user", "/users.info", GetUser, returns=User, result_path="user", auth=TOKEN),
        get(
            "find_user_by_email",
            "/users.lookupByEmail",
            FindUser,
            returns=User,
            result_path="user",
            auth=TOKEN,
        ),
        post(
            "open_conversation",
            "/conversations.open",
            OpenConversation,
            returns=Opened,
            result_path="channel",
            auth=TOKEN,
            repeat=Repeat.SAFE,
        ),
        post("add_reaction", "/reactions.add", AddReaction, returns=NoOutput, auth=TOKEN),
        post("pin_message", "/pins.add", PinMessage, returns=NoOutput, auth=TOKEN),
        get("get_permalink", "/chat.getPermalink", GetPermalink, returns=Link, auth=TOKEN),
    ),
    webhook=Webhook(
        verify=Hmac(
            header="X-Slack-Signature",
            prefix="v0=",
            content="v0:{header:X-Slack-Request-Timestamp}:{body}",
            window=Window(timestamp="header:X-Slack-Request-Timestamp"),
            fields=(
                secret("webhook_secret", "Signing secret", "Basic Information of your Slack app"),
            ),
        ),
        handshakes=(
            Handshake(
                when=(Condition(place="body:type", equals="url_verification"),),
                json_fields={"challenge": "{body:challenge}"},
            ),
        ),
        delivery_id="body:event_id",
        event_type="body:event.type",
        ordering="body:event.channel",
        subject="body:event.channel",
        events=EVENTS,
        headers=("X-Slack-Retry-Num", "X-Slack-Retry-Reason"),
        content_types=("application/json", "application/x-www-form-urlencoded"),
        setup=(
            "Open https://api.slack.com/apps and choose your app, or create one.",
            "Basic Information → Signing Secret: enter it here as signing secret first.",
            "Event Subscriptions → Enable Events; Request URL: {url} (Slack checks it at once).",
            "Subscribe to bot events, for example message.channels and app_mention; save.",
            "Reinstall the app to your workspace when Slack asks for it.",
        ),
    ),
    templates=(
        TemplateManifest(
            name="slack",
            title="Slack",
            description="Send messages to a channel by its incoming webhook.",
            auth="secret_url",
        ),
        TemplateManifest(
            name="slack_bot",
            title="Slack bot",
            description="Everything a bot token can do: channels, people, files.",
            auth="bearer",
        ),
        TemplateManifest(
            name="slack_pipelines",
            title="Slack: broken pipelines",
            description="Tell a channel when a pipeline fails.",
            default_config={"events": ["pipeline"], "notify_only_broken_pipelines": True},
            auth="secret_url",
        ),
    ),
    popularity=99,
)
