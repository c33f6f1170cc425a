"""Sentry: errors sent by DSN; issues, projects and releases by token; and its webhooks. API, version 0."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import Bearer, SecretUrl
from jackfield_common.connector.declaration import Config, Connector, delete, get, post, put
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import Input, NoInput, NoOutput, Output, secret
from jackfield_common.connector.manifest import Category, HttpCall, TemplateManifest
from jackfield_common.connector.pages import OnePage
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_common.errors import ErrorKind

DSN = ("secret_url",)
TOKEN = ("bearer",)
ORG = "/organizations/{organization}"
ISSUE = f"{ORG}/issues/{{issue_id}}/"


class Settings(Config):
    """Where, and what is said of everything that is sent."""

    base_url: str | None = Field(
        default=None,
        title="API address",
        pattern=r"^https?://",
        description="Of a region or an instance of your own: https://de.sentry.io/api/0",
    )
    organization: str | None = Field(default=None, title="Organisation", description="Its slug")
    project: str | None = Field(default=None, title="Project", description="Its slug")
    environment: str | None = Field(default=None, title="Environment")
    release: str | None = Field(default=None, title="Release")


class SendEvent(Input):
    """Report an error or a message; needs a DSN."""

    message: str = Field(min_length=1, max_length=8192)
    level: Literal["fatal", "error", "warning", "info", "debug"] = "error"
    exception_type: str | None = Field(default=None, description="For example ValueError")
    environment: str | None = None
    release: str | None = None
    logger: str | None = None
    server_name: str | None = None
    transaction: str | None = None
    tags: dict[str, str] | None = None
    extra: dict[str, JsonValue] | None = None
    fingerprint: tuple[str, ...] | None = None


class InOrganization(Input):
    """Something of an organisation."""

    organization: str


class ListProjects(InOrganization):
    """List projects."""


class InProject(InOrganization):
    """Something of a project."""

    project: str


class GetProject(InProject):
    """Read a project."""


class ListIssues(InOrganization):
    """List the first hundred issues that a search finds."""

    query: str = Field(default="is:unresolved")
    sort: Literal["date", "new", "freq", "user"] | None = None
    environment: str | None = None


class OneIssue(InOrganization):
    """An issue."""

    issue_id: str


class GetIssue(OneIssue):
    """Read an issue."""


class UpdateIssue(OneIssue):
    """Resolve, ignore or assign an issue."""

    status: Literal["resolved", "resolvedInNextRelease", "unresolved", "ignored"] | None = None
    assigned_to: str | None = None


class DeleteIssue(OneIssue):
    """Delete an issue and its events."""


class ListEvents(OneIssue):
    """List the latest events of an issue."""


class CommentIssue(OneIssue):
    """Comment on an issue."""

    text: str = Field(min_length=1)


class Ref(Input):
    """Which commits of a repository a release has."""

    repository: str
    commit: str
    previous_commit: str | None = Field(default=None, serialization_alias="previousCommit")


class CreateRelease(InOrganization):
    """Tell of a release; telling again changes it."""

    version: str = Field(min_length=1, max_length=200, pattern=r"^[^\n\t/\\]+$")
    projects: tuple[str, ...] = Field(min_length=1)
    url: str | None = None
    date_released: str | None = None


class CreateDeploy(InOrganization):
    """Tell that a release was deployed."""

    version: str
    environment: str
    name: str | None = None
    url: str | None = None


class Tested(Output):
    """The version of the API; where a DSN was tested, the id of the message instead."""

    version: str | None = None
    id: str | None = None


class Reported(Output):
    """An event that was taken."""

    id: str


class Project(Output):
    """A project."""

    id: str
    slug: str
    name: str
    platform: str | None = None


class Issue(Output):
    """An issue; names are Sentry's own."""

    id: str
    shortId: str
    title: str
    status: str
    level: str | None = None
    permalink: str | None = None
    count: str | None = None
    userCount: int | None = None
    lastSeen: str | None = None


class Event(Output):
    """An event of an issue."""

    eventID: str
    title: str | None = None
    message: str | None = None
    dateCreated: str | None = None


class Comment(Output):
    """A comment."""

    id: str


class Release(Output):
    """A release."""

    version: str
    dateReleased: str | None = None
    url: str | None = None


class Deploy(Output):
    """A deployment."""

    id: str
    environment: str


ISSUE_EVENT = EventMapping(
    canonical="error",
    occurrence={
        "project": "body:data.issue.project.slug",
        "number": "body:data.issue.shortId",
        "title": "body:data.issue.title",
        "state": "body:data.issue.status",
        "severity": "body:data.issue.level",
        "actor": "body:actor.name",
        "action": "body:action",
        "url": "body:data.issue.web_url",
    },
)

connector = Connector(
    slug="sentry",
    title="Sentry",
    description="Report errors; follow issues, events, releases and deployments.",
    category=Category.MONITORING,
    docs="https://docs.sentry.io/api/",
    version="1.0.0",
    base_url="https://sentry.io/api/0",
    auth=(
        SecretUrl(
            fields=(secret("dsn", "DSN", "Project settings → Client Keys"),),
            path="/api{path}/store/",
            headers={
                "X-Sentry-Auth": "Sentry sentry_version=7, sentry_client=jackfield/1.0, sentry_key={user}"
            },
        ),
        Bearer(fields=(secret("token", "Auth token", "Of an internal integration"),)),
    ),
    config=Settings,
    errors=(on(400, ErrorKind.INVALID), on(409, ErrorKind.INVALID), on(413, ErrorKind.INVALID)),
    error_message=("detail", "detail.message", "causes.0"),
    test=get(
        "test_connection",
        "/",
        NoInput,
        returns=Tested,
        http_by_auth={
            "secret_url": HttpCall(
                method="POST",
                path="",
                constants={
                    "message": "Jackfield is connected to this project.",
                    "level": "info",
                    "platform": "other",
                },
            )
        },
    ),
    actions=(
        post(
            "send_event",
            "",
            SendEvent,
            returns=Reported,
            auth=DSN,
            constants={"platform": "other"},
            body={
                "platform": "{platform}",
                "level": "{level}",
                "logentry": {"formatted": "{message}"},
                "exception": {"values": [{"type": "{exception_type}", "value": "{message}"}]},
                "environment": "{environment}",
                "release": "{release}",
                "logger": "{logger}",
                "server_name": "{server_name}",
                "transaction": "{transaction}",
                "tags": "{tags}",
                "extra": "{extra}",
                "fingerprint": "{fingerprint}",
            },
        ),
        get(
            "list_projects",
            f"{ORG}/projects/",
            ListProjects,
            returns=Project,
            auth=TOKEN,
            pages=OnePage(),
        ),
        get(
            "get_project",
            "/projects/{organization}/{project}/",
            GetProject,
            returns=Project,
            auth=TOKEN,
        ),
        get(
            "list_issues", f"{ORG}/issues/", ListIssues, returns=Issue, auth=TOKEN, pages=OnePage()
        ),
        get("get_issue", ISSUE, GetIssue, returns=Issue, auth=TOKEN),
        put(
            "update_issue",
            ISSUE,
            UpdateIssue,
            returns=Issue,
            auth=TOKEN,
            rename={"assigned_to": "assignedTo"},
        ),
        delete("delete_issue", ISSUE, DeleteIssue, returns=NoOutput, auth=TOKEN),
        get(
            "list_events",
            f"{ISSUE}events/",
            ListEvents,
            returns=Event,
            auth=TOKEN,
            pages=OnePage(),
        ),
        post(
            "comment_issue",
            "/issues/{issue_id}/comments/",
            CommentIssue,
            returns=Comment,
            auth=TOKEN,
            body={"text": "{text}"},
        ),
        post(
            "create_release",
            f"{ORG}/releases/",
            CreateRelease,
            returns=Release,
            auth=TOKEN,
            repeat=Repeat.SAFE,
            rename={"date_released": "dateReleased"},
        ),
        post(
            "create_deploy",
            f"{ORG}/releases/{{version}}/deploys/",
            CreateDeploy,
            returns=Deploy,
            auth=TOKEN,
        ),
    ),
    webhook=Webhook(
        verify=Hmac(
            header="Sentry-Hook-Signature",
            fields=(secret("webhook_secret", "Client secret", "Of the integration in Sentry"),),
        ),
        delivery_id="header:Request-ID",
        event_type="header:Sentry-Hook-Resource +? '.' + body:action",
        ordering="body:data.issue.id",
        subject="body:data.issue.id",
        events={
            "issue.*": ISSUE_EVENT,
            "error.*": EventMapping(
                canonical="error",
                occurrence={
                    "project": "body:data.error.project",
                    "number": "body:data.error.issue_id",
                    "title": "body:data.error.title",
                    "severity": "body:data.error.level",
                    "url": "body:data.error.web_url",
                },
            ),
            "event_alert.*": EventMapping(
                canonical="alert",
                occurrence={
                    "project": "body:data.event.project",
                    "number": "body:data.event.issue_id",
                    "title": "body:data.event.title",
                    "severity": "body:data.event.level",
                    "url": "body:data.event.web_url",
                },
            ),
            "metric_alert.*": EventMapping(
                canonical="alert",
                occurrence={
                    "title": "body:data.description_title",
                    "description": "body:data.description_text",
                    "state": "body:action",
                    "url": "body:data.web_url",
                },
            ),
            "comment.*": EventMapping(
                canonical="comment",
                occurrence={
                    "number": "body:data.issue_id",
                    "description": "body:data.comment",
                    "actor": "body:actor.name",
                },
            ),
            "installation.*": EventMapping(),
        },
        headers=("Sentry-Hook-Resource", "Sentry-Hook-Timestamp", "Request-ID"),
        setup=(
            "Open Sentry: Settings → Custom Integrations → Create New Integration → Internal Integration.",
            "Webhook URL: {url}",
            "Choose what to hear of under Webhooks, and save.",
            "Copy its client secret and enter it here.",
        ),
    ),
    templates=(
        TemplateManifest(
            name="sentry",
            title="Sentry",
            description="Report errors to a project by its DSN.",
            auth="secret_url",
        ),
        TemplateManifest(
            name="sentry_api",
            title="Sentry API",
            description="Issues, releases and deployments of an organisation.",
            required_fields=("organization",),
            auth="bearer",
        ),
    ),
    popularity=83,
)
