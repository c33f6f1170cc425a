"""Telegram: a bot's messages, media and chats; and its updates by webhook. Bot API."""

from pydantic import Field

from jackfield_common.connector.auth import ApiKey
from jackfield_common.connector.declaration import Config, Connector, get, post
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import NoInput, NoOutput, secret
from jackfield_common.connector.limits import SlidingWindow
from jackfield_common.connector.manifest import Category
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import StaticToken
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.telegram import inputs as given
from jackfield_connectors.catalog.telegram import outputs as answered


class Settings(Config):
    """Which chat, when an action does not say."""

    chat_id: str | None = Field(default=None, title="Chat", description="Id or @channel")


connector = Connector(
    slug="telegram",
    title="Telegram",
    description="Messages, media and chats of a Telegram bot, and what people write to it.",
    category=Category.COMMUNICATION,
    docs="https://core.telegram.org/bots/api",
    version="1.0.0",
    base_url="https://api.telegram.org/bot{token}",
    auth=(
        ApiKey(
            place="path",
            name="token",
            fields=(secret("bot_token", "Bot token", "From @BotFather"),),
        ),
    ),
    config=Settings,
    limits=(SlidingWindow(calls=30, seconds=1),),
    errors=(
        on(404, ErrorKind.AUTH, body="description", equals="Not Found"),
        on(409, ErrorKind.INVALID),
        on(429, ErrorKind.RATE_LIMITED, retry_after="parameters.retry_after"),
        on(200, ErrorKind.INVALID, body="ok", equals="false"),
    ),
    error_message=("description",),
    test=get("test_connection", "/getMe", NoInput, returns=answered.User, result_path="result"),
    actions=(
        post(
            "send_message",
            "/sendMessage",
            given.SendMessage,
            returns=answered.Message,
            result_path="result",
            ordering="chat_id",
            body={
                "chat_id": "{chat_id}",
                "text": "{text}",
                "parse_mode": "{parse_mode}",
                "disable_notification": "{disable_notification}",
                "message_thread_id": "{message_thread_id}",
                "reply_parameters": {"message_id": "{reply_to}"},
                "reply_markup": "{reply_markup}",
            },
        ),
        post(
            "send_photo",
            "/sendPhoto",
            given.SendPhoto,
            returns=answered.Message,
            result_path="result",
            ordering="chat_id",
        ),
        post(
            "send_document",
            "/sendDocument",
            given.SendDocument,
            returns=answered.Message,
            result_path="result",
            ordering="chat_id",
        ),
        post(
            "send_location",
            "/sendLocation",
            given.SendLocation,
            returns=answered.Message,
            result_path="result",
            ordering="chat_id",
        ),
        post(
            "send_poll",
            "/sendPoll",
            given.SendPoll,
            returns=answered.Message,
            result_path="result",
            ordering="chat_id",
        ),
        post(
            "forward_message",
            "/forwardMessage",
            given.ForwardMessage,
            returns=answered.Message,
            result_path="result",
            ordering="chat_id",
        ),
        post(
            "edit_message",
            "/editMessageText",
            given.EditMessage,
            returns=answered.Message,
            result_path="result",
            repeat=Repeat.SAFE,
        ),
        post(
            "delete_message",
            "/deleteMessage",
            given.DeleteMessage,
            returns=NoOutput,
            repeat=Repeat.SAFE,
        ),
        post(
            "pin_message",
            "/pinChatMessage",
            given.PinMessage,
            returns=NoOutput,
            repeat=Repeat.SAFE,
        ),
        post(
            "answer_callback_query",
            "/answerCallbackQuery",
            given.AnswerCallbackQuery,
            returns=NoOutput,
            repeat=Repeat.SAFE,
        ),
        get("get_chat", "/getChat", given.GetChat, returns=answered.Chat, result_path="result"),
        get(
            "get_chat_member",
            "/getChatMember",
            given.GetChatMember,
            returns=answered.Member,
            result_path="result",
        ),
        post("ban_member", "/banChatMember", given.BanMember, returns=NoOutput, repeat=Repeat.SAFE),
        post(
            "delete_webhook",
            "/deleteWebhook",
            given.DeleteWebhook,
            returns=NoOutput,
            repeat=Repeat.SAFE,
        ),
        get(
            "get_webhook_info",
            "/getWebhookInfo",
            given.GetWebhookInfo,
            returns=answered.WebhookInfo,
            result_path="result",
        ),
    ),
    webhook=Webhook(
        verify=StaticToken(header="X-Telegram-Bot-Api-Secret-Token"),
        delivery_id="body:update_id",
        event_type="'update'",
        ordering="body:message.chat.id",
        subject="body:message.chat.id",
        events={
            "update": EventMapping(
                canonical="message",
                occurrence={
                    "project": "body:message.chat.id",
                    "actor": "body:message.from.username",
                    "description": "body:message.text",
                    "number": "body:message.message_id",
                },
            )
        },
        setup=(
            "Enter a secret here first: 1 to 256 letters, digits, _ and -.",
            "Call https://api.telegram.org/bot<token>/setWebhook with url={url} and the same secret as"
            " secret_token.",
        ),
    ),
    popularity=80,
)
