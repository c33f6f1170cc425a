"""SendGrid: mail, templates, contacts, suppressions; and its event webhook. Web API, version 3."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import Bearer
from jackfield_common.connector.declaration import Config, Connector, delete, get, post, put
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import Input, NoInput, NoOutput, Output, Paged, secret
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.manifest import Category
from jackfield_common.connector.pages import OffsetPages, OnePage
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Ecdsa, Window
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_common.errors import ErrorKind

MAIL = r"^[^@\s]+@[^@\s]+$"


class Settings(Config):
    """Who mail comes from when an action does not say."""

    from_email: str | None = Field(default=None, title="Sender", pattern=MAIL)
    from_name: str | None = Field(default=None, title="Sender's name")


class Address(Input):
    """A mail address."""

    email: str = Field(pattern=MAIL)
    name: str | None = None


class Attachment(Input):
    """A file."""

    content: str = Field(description="Base64 (RFC 4648, 4)")
    filename: str
    type: str | None = None
    disposition: Literal["attachment", "inline"] | None = None
    content_id: str | None = None


class SendEmail(Input):
    """Send a mail, as text, HTML or both."""

    to: tuple[Address, ...] = Field(min_length=1, max_length=1000)
    subject: str = Field(min_length=1, max_length=998)
    text: str | None = None
    html: str | None = None
    from_email: str = Field(pattern=MAIL)
    from_name: str | None = None
    cc: tuple[Address, ...] | None = None
    bcc: tuple[Address, ...] | None = None
    reply_to: str | None = Field(default=None, pattern=MAIL)
    categories: tuple[str, ...] | None = Field(default=None, max_length=10)
    attachments: tuple[Attachment, ...] | None = None
    send_at: int | None = Field(default=None, description="Seconds since 1970, within 72 hours")


class SendTemplate(Input):
    """Send a mail made from a dynamic template."""

    to: tuple[Address, ...] = Field(min_length=1, max_length=1000)
    template_id: str = Field(pattern=r"^d-[0-9a-f]{32}$")
    data: dict[str, JsonValue] = {}
    from_email: str = Field(pattern=MAIL)
    from_name: str | None = None
    categories: tuple[str, ...] | None = Field(default=None, max_length=10)


class ListTemplates(Input):
    """List dynamic templates."""

    page_size: int = Field(default=100, ge=1, le=200)


class GetTemplate(Input):
    """Read a template."""

    template_id: str


class Contact(Input):
    """Somebody to write to."""

    email: str = Field(pattern=MAIL)
    first_name: str | None = None
    last_name: str | None = None


class SaveContacts(Input):
    """Create or change contacts, by their mail address; done in the background."""

    contacts: tuple[Contact, ...] = Field(min_length=1, max_length=30_000)
    list_ids: tuple[str, ...] | None = None


class ListLists(Input):
    """List contact lists."""

    page_size: int = Field(default=100, ge=1, le=1000)


class CreateList(Input):
    """Create a contact list."""

    name: str = Field(min_length=1, max_length=100)


class ListBounces(Paged):
    """List addresses that bounced."""

    start_time: int | None = None
    end_time: int | None = None


class DeleteBounce(Input):
    """Let an address get mail again."""

    email: str = Field(pattern=MAIL)


class ListUnsubscribes(Paged):
    """List addresses that unsubscribed from everything."""


class Unsubscribe(Input):
    """Send nothing to these addresses any more."""

    recipient_emails: tuple[str, ...] = Field(min_length=1)


class GetStatistics(Input):
    """Figures of what was sent, by day."""

    start_date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    end_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    aggregated_by: Literal["day", "week", "month"] | None = None


class Scopes(Output):
    """What the key may do."""

    scopes: tuple[str, ...]


class Template(Output):
    """A template."""

    id: str
    name: str
    generation: str | None = None
    updated_at: str | None = None


class Job(Output):
    """Work in the background."""

    job_id: str


class ContactList(Output):
    """A contact list."""

    id: str
    name: str
    contact_count: int = 0


class Bounce(Output):
    """An address that bounced."""

    email: str
    created: int
    reason: str = ""
    status: str = ""


class Unsubscribed(Output):
    """An address that unsubscribed."""

    email: str
    created: int


class Unsubscribes(Output):
    """The addresses that were added."""

    recipient_emails: tuple[str, ...]


class Metrics(Output):
    """Figures."""

    requests: int = 0
    delivered: int = 0
    opens: int = 0
    clicks: int = 0
    bounces: int = 0
    spam_reports: int = 0


class Stat(Output):
    """Figures of one group."""

    metrics: Metrics


class Statistics(Output):
    """Figures of one day, week or month."""

    date: str
    stats: tuple[Stat, ...]


SENDER = {"email": "{from_email}", "name": "{from_name}"}
EVENT = EventMapping(
    canonical="mail",
    occurrence={
        "actor": "body:0.email",
        "state": "body:0.event",
        "number": "body:0.sg_message_id",
        "description": "body:0.reason",
        "url": "body:0.url",
    },
)

connector = Connector(
    slug="sendgrid",
    title="SendGrid",
    description="Mail with and without templates, contacts, bounces and figures.",
    category=Category.EMAIL,
    docs="https://www.twilio.com/docs/sendgrid/api-reference",
    version="1.0.0",
    base_url="https://api.sendgrid.com/v3",
    auth=(Bearer(fields=(secret("api_key", "API key", "Starts with SG."),)),),
    config=Settings,
    limits=(HeaderBudget(remaining="X-RateLimit-Remaining", resets_at="X-RateLimit-Reset"),),
    errors=(on(413, ErrorKind.INVALID),),
    error_message=("errors.0.message",),
    test=get("test_connection", "/scopes", NoInput, returns=Scopes),
    actions=(
        post(
            "send_email",
            "/mail/send",
            SendEmail,
            returns=NoOutput,
            body={
                "personalizations": [{"to": "{to}", "cc": "{cc}", "bcc": "{bcc}"}],
                "from": SENDER,
                "reply_to": {"email": "{reply_to}"},
                "subject": "{subject}",
                "content": [
                    {"type": "text/plain", "value": "{text}"},
                    {"type": "text/html", "value": "{html}"},
                ],
                "attachments": "{attachments}",
                "categories": "{categories}",
                "send_at": "{send_at}",
            },
        ),
        post(
            "send_template",
            "/mail/send",
            SendTemplate,
            returns=NoOutput,
            body={
                "personalizations": [{"to": "{to}", "dynamic_template_data": "{data}"}],
                "from": SENDER,
                "template_id": "{template_id}",
                "categories": "{categories}",
            },
        ),
        get(
            "list_templates",
            "/templates",
            ListTemplates,
            returns=Template,
            constants={"generations": "dynamic"},
            pages=OnePage(items_path="result"),
        ),
        get("get_template", "/templates/{template_id}", GetTemplate, returns=Template),
        put("save_contacts", "/marketing/contacts", SaveContacts, returns=Job),
        get(
            "list_contact_lists",
            "/marketing/lists",
            ListLists,
            returns=ContactList,
            pages=OnePage(items_path="result"),
        ),
        post("create_contact_list", "/marketing/lists", CreateList, returns=ContactList),
        get(
            "list_bounces",
            "/suppression/bounces",
            ListBounces,
            returns=Bounce,
            pages=OffsetPages(max_size=500),
        ),
        delete("delete_bounce", "/suppression/bounces/{email}", DeleteBounce, returns=NoOutput),
        get(
            "list_unsubscribes",
            "/suppression/unsubscribes",
            ListUnsubscribes,
            returns=Unsubscribed,
            pages=OffsetPages(max_size=500),
        ),
        post(
            "unsubscribe",
            "/asm/suppressions/global",
            Unsubscribe,
            returns=Unsubscribes,
            repeat=Repeat.SAFE,
        ),
        get("get_statistics", "/stats", GetStatistics, returns=Statistics, pages=OnePage()),
    ),
    webhook=Webhook(
        verify=Ecdsa(
            header="X-Twilio-Email-Event-Webhook-Signature",
            content="{header:X-Twilio-Email-Event-Webhook-Timestamp}{body}",
            window=Window(timestamp="header:X-Twilio-Email-Event-Webhook-Timestamp", tolerance=600),
        ),
        event_type="body:0.event",
        ordering="body:0.email",
        subject="body:0.sg_message_id",
        events={
            name: EVENT
            for name in (
                "processed",
                "dropped",
                "delivered",
                "deferred",
                "bounce",
                "open",
                "click",
                "spamreport",
                "unsubscribe",
                "group_unsubscribe",
                "group_resubscribe",
            )
        },
        setup=(
            "Open SendGrid: Settings → Mail Settings → Event Webhooks → Create new webhook.",
            "Post URL: {url}",
            "Choose the events, switch Signature Verification on, and save.",
            "Copy the verification key and enter it here as public key.",
            "SendGrid sends events in batches: the type is that of the first, the data hold all of them.",
        ),
    ),
    popularity=82,
)
