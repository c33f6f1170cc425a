"""Linear: issues, comments, projects, teams; and its webhooks. GraphQL API."""

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import ApiKey, OAuth2
from jackfield_common.connector.declaration import Config, Connector, post
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import NoInput, secret
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.manifest import Category
from jackfield_common.connector.pages import CursorPages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.linear import inputs as given
from jackfield_connectors.catalog.linear import outputs as answered
from jackfield_connectors.catalog.linear import queries
from jackfield_connectors.catalog.linear.events import EVENTS

GRAPHQL = "/graphql"


class Settings(Config):
    """Which team, when an action does not say."""

    team_id: str | None = Field(default=None, title="Team", description="Id of the team")


def _pages(path: str) -> CursorPages:
    return CursorPages(
        cursor_param="variables.after",
        next_path=f"{path}.pageInfo.endCursor",
        more_path=f"{path}.pageInfo.hasNextPage",
        items_path=f"{path}.nodes",
        place="body",
        size_param="variables.first",
    )


def _body(query: str, variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"query": query, "variables": variables}


ISSUE: dict[str, JsonValue] = {
    "title": "{title}",
    "description": "{description}",
    "priority": "{priority}",
    "assigneeId": "{assignee_id}",
    "stateId": "{state_id}",
    "projectId": "{project_id}",
    "labelIds": "{label_ids}",
    "dueDate": "{due_date}",
    "estimate": "{estimate}",
}

connector = Connector(
    slug="linear",
    title="Linear",
    description="Issues, comments, projects, teams and workflow states.",
    category=Category.PROJECT_TRACKING,
    docs="https://linear.app/developers/graphql",
    version="1.0.0",
    base_url="https://api.linear.app",
    auth=(
        ApiKey(
            name="Authorization", fields=(secret("api_key", "API key", "Starts with lin_api_"),)
        ),
        OAuth2(
            authorize_url="https://linear.app/oauth/authorize",
            token_url="https://api.linear.app/oauth/token",
            scopes={"read": "Read everything", "write": "Change everything"},
        ),
    ),
    config=Settings,
    limits=(
        HeaderBudget(
            remaining="X-RateLimit-Requests-Remaining", resets_at="X-RateLimit-Requests-Reset"
        ),
    ),
    errors=(
        *(
            on(status, kind, body="errors.0.extensions.code", equals=code)
            for status in (200, 400)
            for code, kind in (
                ("AUTHENTICATION_ERROR", ErrorKind.AUTH),
                ("FORBIDDEN", ErrorKind.FORBIDDEN),
                ("RATELIMITED", ErrorKind.RATE_LIMITED),
                ("INTERNAL_SERVER_ERROR", ErrorKind.UNAVAILABLE),
            )
        ),
        on(200, ErrorKind.INVALID, body="errors.0.message"),
        on(400, ErrorKind.INVALID),
    ),
    error_message=("errors.0.extensions.userPresentableMessage", "errors.0.message"),
    test=post(
        "test_connection",
        GRAPHQL,
        NoInput,
        returns=answered.User,
        repeat=Repeat.SAFE,
        body={"query": queries.VIEWER},
        result_path="data.viewer",
    ),
    actions=(
        post(
            "create_issue",
            GRAPHQL,
            given.CreateIssue,
            returns=answered.Issue,
            body=_body(queries.CREATE_ISSUE, {"input": {"teamId": "{team_id}", **ISSUE}}),
            result_path="data.issueCreate.issue",
        ),
        post(
            "get_issue",
            GRAPHQL,
            given.GetIssue,
            returns=answered.Issue,
            repeat=Repeat.SAFE,
            body=_body(queries.ISSUE, {"id": "{issue_id}"}),
            result_path="data.issue",
        ),
        post(
            "update_issue",
            GRAPHQL,
            given.UpdateIssue,
            returns=answered.Issue,
            repeat=Repeat.SAFE,
            body=_body(queries.UPDATE_ISSUE, {"id": "{issue_id}", "input": ISSUE}),
            result_path="data.issueUpdate.issue",
        ),
        post(
            "archive_issue",
            GRAPHQL,
            given.ArchiveIssue,
            returns=answered.Done,
            repeat=Repeat.SAFE,
            body=_body(queries.ARCHIVE_ISSUE, {"id": "{issue_id}"}),
            result_path="data.issueArchive",
        ),
        post(
            "list_issues",
            GRAPHQL,
            given.ListIssues,
            returns=answered.Issue,
            repeat=Repeat.SAFE,
            body=_body(queries.ISSUES, {"filter": "{filter}"}),
            pages=_pages("data.issues"),
        ),
        post(
            "search_issues",
            GRAPHQL,
            given.SearchIssues,
            returns=answered.Issue,
            repeat=Repeat.SAFE,
            body=_body(queries.SEARCH_ISSUES, {"term": "{term}"}),
            pages=_pages("data.searchIssues"),
        ),
        post(
            "create_comment",
            GRAPHQL,
            given.CreateComment,
            returns=answered.Comment,
            body=_body(
                queries.CREATE_COMMENT, {"input": {"issueId": "{issue_id}", "body": "{body}"}}
            ),
            result_path="data.commentCreate.comment",
        ),
        post(
            "add_attachment",
            GRAPHQL,
            given.AddAttachment,
            returns=answered.Attachment,
            repeat=Repeat.SAFE,
            body=_body(
                queries.CREATE_ATTACHMENT,
                {
                    "input": {
                        "issueId": "{issue_id}",
                        "url": "{url}",
                        "title": "{title}",
                        "subtitle": "{subtitle}",
                    }
                },
            ),
            result_path="data.attachmentCreate.attachment",
        ),
        post(
            "list_teams",
            GRAPHQL,
            given.ListTeams,
            returns=answered.Team,
            repeat=Repeat.SAFE,
            body=_body(queries.TEAMS, {"first": 100}),
            pages=_pages("data.teams"),
        ),
        post(
            "list_states",
            GRAPHQL,
            given.ListStates,
            returns=answered.State,
            repeat=Repeat.SAFE,
            body=_body(queries.STATES, {"filter": {"team": {"id": {"eq": "{team_id}"}}}}),
            pages=_pages("data.workflowStates"),
        ),
        post(
            "list_users",
            GRAPHQL,
            given.ListUsers,
            returns=answered.User,
            repeat=Repeat.SAFE,
            body=_body(queries.USERS, {"first": 100}),
            pages=_pages("data.users"),
        ),
        post(
            "list_projects",
            GRAPHQL,
            given.ListProjects,
            returns=answered.Project,
            repeat=Repeat.SAFE,
            body=_body(queries.PROJECTS, {"first": 100}),
            pages=_pages("data.projects"),
        ),
        post(
            "create_project",
            GRAPHQL,
            given.CreateProject,
            returns=answered.Project,
            body=_body(
                queries.CREATE_PROJECT,
                {
                    "input": {
                        "name": "{name}",
                        "teamIds": "{team_ids}",
                        "description": "{description}",
                        "targetDate": "{target_date}",
                    }
                },
            ),
            result_path="data.projectCreate.project",
        ),
        post(
            "delete_webhook",
            GRAPHQL,
            given.DeleteWebhook,
            returns=answered.Done,
            repeat=Repeat.SAFE,
            body=_body(queries.DELETE_WEBHOOK, {"id": "{webhook_id}"}),
            result_path="data.webhookDelete",
        ),
    ),
    webhook=Webhook(
        verify=Hmac(header="Linear-Signature"),
        delivery_id="header:Linear-Delivery",
        event_type="body:type + '.' + body:action",
        ordering="body:data.id",
        subject="body:data.id",
        events=EVENTS,
        headers=("Linear-Delivery", "Linear-Event"),
        setup=(
            "Open Linear: Settings → API → Webhooks → New webhook.",
            "URL: {url}",
            "Choose what to hear of, create it, and enter its signing secret here.",
        ),
    ),
    popularity=75,
)
