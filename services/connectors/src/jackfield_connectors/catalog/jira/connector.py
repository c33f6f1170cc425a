"""Jira: issues, comments, transitions, links, projects; and its webhooks. REST API, version 2."""

from pydantic import Field

from jackfield_common.connector.auth import Basic, Bearer
from jackfield_common.connector.declaration import Config, Connector, delete, get, post, put
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import NoInput, NoOutput, secret, text
from jackfield_common.connector.manifest import Category, TemplateManifest
from jackfield_common.connector.pages import CursorPages, OffsetPages, OnePage
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.jira import inputs as given
from jackfield_connectors.catalog.jira import outputs as answered
from jackfield_connectors.catalog.jira.events import EVENTS

API = "/rest/api/2"
ISSUE = f"{API}/issue/{{issue_key}}"
LISTED = "summary,status,issuetype,priority,assignee,labels,project,created,updated"


class Settings(Config):
    """Where, and what issues are made of when an action does not say."""

    site: str | None = Field(
        default=None,
        title="Site",
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="The name before .atlassian.net",
    )
    base_url: str | None = Field(
        default=None,
        title="Address",
        pattern=r"^https?://",
        description="Of Jira Data Center, instead of a site: https://jira.example.com",
    )
    project_key: str | None = Field(default=None, title="Project key", examples=["OPS"])
    issue_type: str | None = Field(
        default=None, title="Issue type", examples=["Bug", "Story", "Task", "Epic"]
    )
    transition_id: str | None = Field(
        default=None, title="Transition", description="Id of the transition to make"
    )


FIELDS = {
    "summary": "{summary}",
    "description": "{description}",
    "priority": {"name": "{priority}"},
    "labels": "{labels}",
    "assignee": {"accountId": "{assignee}"},
    "parent": {"key": "{parent}"},
    "duedate": "{due_date}",
}

connector = Connector(
    slug="jira",
    title="Jira",
    description="Issues, comments, transitions and links, on Jira Cloud or Data Center.",
    category=Category.PROJECT_TRACKING,
    docs="https://developer.atlassian.com/cloud/jira/platform/rest/v2/",
    version="1.0.0",
    base_url="https://{site}.atlassian.net",
    auth=(
        Basic(
            fields=(
                text("email", "Mail address", "Of your Atlassian account"),
                secret("api_token", "API token", "From id.atlassian.com → Security"),
            )
        ),
        Bearer(fields=(secret("token", "Personal access token", "Jira Data Center"),)),
    ),
    config=Settings,
    errors=(
        on(400, ErrorKind.INVALID),
        on(409, ErrorKind.INVALID),
        on(413, ErrorKind.INVALID),
    ),
    error_message=("errorMessages.0", "errors.summary", "errors.project", "errors.issuetype"),
    test=get("test_connection", f"{API}/myself", NoInput, returns=answered.User),
    actions=(
        post(
            "create_issue",
            f"{API}/issue",
            given.CreateIssue,
            returns=answered.Created,
            body={
                "fields": {
                    "project": {"key": "{project_key}"},
                    "issuetype": {"name": "{issue_type}"},
                    **FIELDS,
                }
            },
        ),
        get(
            "get_issue",
            ISSUE,
            given.GetIssue,
            returns=answered.Issue,
            constants={"fields": LISTED + ",description"},
        ),
        put(
            "update_issue",
            ISSUE,
            given.UpdateIssue,
            returns=NoOutput,
            body={"fields": FIELDS},
        ),
        delete("delete_issue", ISSUE, given.DeleteIssue, returns=NoOutput),
        get(
            "search_issues",
            f"{API}/search/jql",
            given.SearchIssues,
            returns=answered.Issue,
            constants={"fields": LISTED},
            pages=CursorPages(
                cursor_param="nextPageToken",
                next_path="nextPageToken",
                items_path="issues",
                size_param="maxResults",
            ),
        ),
        post("add_comment", f"{ISSUE}/comment", given.AddComment, returns=answered.Comment),
        get(
            "list_comments",
            f"{ISSUE}/comment",
            given.ListComments,
            returns=answered.Comment,
            pages=OffsetPages(
                offset_param="startAt", size_param="maxResults", items_path="comments"
            ),
        ),
        post(
            "transition_issue",
            f"{ISSUE}/transitions",
            given.TransitionIssue,
            returns=NoOutput,
            body={"transition": {"id": "{transition_id}"}},
        ),
        get(
            "list_transitions",
            f"{ISSUE}/transitions",
            given.ListTransitions,
            returns=answered.Transition,
            pages=OnePage(items_path="transitions"),
        ),
        put(
            "assign_issue",
            f"{ISSUE}/assignee",
            given.AssignIssue,
            returns=NoOutput,
            rename={"account_id": "accountId"},
        ),
        post(
            "add_worklog",
            f"{ISSUE}/worklog",
            given.AddWorklog,
            returns=answered.Worklog,
            rename={"time_spent": "timeSpent"},
        ),
        post(
            "link_issues",
            f"{API}/issueLink",
            given.LinkIssues,
            returns=NoOutput,
            repeat=Repeat.SAFE,
            body={
                "type": {"name": "{link_type}"},
                "inwardIssue": {"key": "{inward_issue}"},
                "outwardIssue": {"key": "{outward_issue}"},
            },
        ),
        post(
            "add_remote_link",
            f"{ISSUE}/remotelink",
            given.AddRemoteLink,
            returns=answered.RemoteLink,
            repeat=Repeat.SAFE,
            body={
                "globalId": "{global_id}",
                "object": {"url": "{url}", "title": "{title}", "summary": "{summary}"},
            },
        ),
        post(
            "add_watcher",
            f"{ISSUE}/watchers",
            given.AddWatcher,
            returns=NoOutput,
            repeat=Repeat.SAFE,
            body_field="account_id",
        ),
        get(
            "list_projects",
            f"{API}/project/search",
            given.ListProjects,
            returns=answered.Project,
            pages=OffsetPages(
                offset_param="startAt", size_param="maxResults", max_size=50, items_path="values"
            ),
        ),
        get(
            "get_project",
            f"{API}/project/{{project_key}}",
            given.GetProject,
            returns=answered.Project,
        ),
        get(
            "search_users",
            f"{API}/user/search",
            given.SearchUsers,
            returns=answered.User,
            pages=OffsetPages(offset_param="startAt", size_param="maxResults", max_size=50),
        ),
        post(
            "create_version",
            f"{API}/version",
            given.CreateVersion,
            returns=answered.Version,
            rename={"project_id": "projectId", "release_date": "releaseDate"},
        ),
    ),
    webhook=Webhook(
        verify=Hmac(header="X-Hub-Signature", prefix="sha256="),
        delivery_id="header:X-Atlassian-Webhook-Identifier",
        event_type="body:webhookEvent",
        ordering="body:issue.key",
        subject="body:issue.key",
        events=EVENTS,
        headers=("X-Atlassian-Webhook-Identifier", "X-Atlassian-Webhook-Retry"),
        setup=(
            "Open Jira as an administrator: Settings → System → WebHooks → Create a WebHook.",
            "URL: {url}",
            "Secret: generate one there, and enter the same here as webhook secret.",
            "Choose the events, if you like with a JQL filter, and create it.",
        ),
    ),
    templates=(
        TemplateManifest(
            name="jira",
            title="Jira",
            description="Jira Cloud: create and follow issues.",
            default_config={"issue_type": "Task"},
            required_fields=("site",),
            auth="basic",
        ),
        TemplateManifest(
            name="jira_data_center",
            title="Jira Data Center",
            description="Jira on a host of your own.",
            default_config={"issue_type": "Task"},
            required_fields=("base_url",),
            auth="bearer",
        ),
    ),
    popularity=93,
)
