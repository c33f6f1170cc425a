"""GitLab: projects, issues, merge requests, pipelines, releases; and its webhooks. REST API v4."""

from pydantic import Field

from jackfield_common.connector.auth import ApiKey, OAuth2
from jackfield_common.connector.declaration import Config, Connector, delete, get, post, put
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import NoInput, NoOutput, secret
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.manifest import Category, TemplateManifest
from jackfield_common.connector.pages import LinkPages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import StaticToken
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.gitlab import inputs as given
from jackfield_connectors.catalog.gitlab import outputs as answered
from jackfield_connectors.catalog.gitlab.events import EVENTS

PROJECT = "/projects/{project}"
ISSUE = f"{PROJECT}/issues/{{issue_iid}}"
MERGE_REQUEST = f"{PROJECT}/merge_requests/{{merge_request_iid}}"
PIPELINE = f"{PROJECT}/pipelines/{{pipeline_id}}"
FILE = f"{PROJECT}/repository/files/{{file_path}}"


class Settings(Config):
    """Where, and which project when an action does not say."""

    base_url: str | None = Field(
        default=None,
        title="API address",
        pattern=r"^https?://",
        description="Of an instance of your own: https://HOST/api/v4",
    )
    project: str | None = Field(default=None, title="Project", description="Id, or group/name")


connector = Connector(
    slug="gitlab",
    title="GitLab",
    description="Projects, issues, merge requests, pipelines and releases, on GitLab.com or your own.",
    category=Category.SOURCE_CONTROL,
    docs="https://docs.gitlab.com/api/rest/",
    version="1.0.0",
    base_url="https://gitlab.com/api/v4",
    auth=(
        ApiKey(
            name="PRIVATE-TOKEN",
            fields=(secret("token", "Access token", "Personal, project or group access token"),),
        ),
        OAuth2(
            authorize_url="https://gitlab.com/oauth/authorize",
            token_url="https://gitlab.com/oauth/token",
            scopes={"api": "Everything the API can do"},
        ),
    ),
    config=Settings,
    limits=(HeaderBudget(remaining="RateLimit-Remaining", resets_at="RateLimit-Reset"),),
    errors=(
        on(405, ErrorKind.INVALID),
        on(409, ErrorKind.INVALID),
        on(412, ErrorKind.INVALID),
        on(422, ErrorKind.INVALID),
    ),
    error_message=("message", "error_description", "error", "message.base.0"),
    test=get("test_connection", "/user", NoInput, returns=answered.User),
    actions=(
        post("create_issue", f"{PROJECT}/issues", given.CreateIssue, returns=answered.Issue),
        get("get_issue", ISSUE, given.GetIssue, returns=answered.Issue),
        put("update_issue", ISSUE, given.UpdateIssue, returns=answered.Issue),
        put(
            "close_issue",
            ISSUE,
            given.CloseIssue,
            returns=answered.Issue,
            constants={"state_event": "close"},
        ),
        get(
            "list_issues",
            f"{PROJECT}/issues",
            given.ListIssues,
            returns=answered.Issue,
            pages=LinkPages(),
        ),
        post("comment_issue", f"{ISSUE}/notes", given.CommentIssue, returns=answered.Note),
        post(
            "create_merge_request",
            f"{PROJECT}/merge_requests",
            given.CreateMergeRequest,
            returns=answered.MergeRequest,
        ),
        get(
            "get_merge_request",
            MERGE_REQUEST,
            given.GetMergeRequest,
            returns=answered.MergeRequest,
        ),
        get(
            "list_merge_requests",
            f"{PROJECT}/merge_requests",
            given.ListMergeRequests,
            returns=answered.MergeRequest,
            pages=LinkPages(),
        ),
        put(
            "accept_merge_request",
            f"{MERGE_REQUEST}/merge",
            given.AcceptMergeRequest,
            returns=answered.MergeRequest,
            repeat=Repeat.UNSAFE,
        ),
        post(
            "comment_merge_request",
            f"{MERGE_REQUEST}/notes",
            given.CommentMergeRequest,
            returns=answered.Note,
        ),
        post(
            "trigger_pipeline",
            f"{PROJECT}/pipeline",
            given.TriggerPipeline,
            returns=answered.Pipeline,
        ),
        get("get_pipeline", PIPELINE, given.GetPipeline, returns=answered.Pipeline),
        get(
            "list_pipelines",
            f"{PROJECT}/pipelines",
            given.ListPipelines,
            returns=answered.Pipeline,
            pages=LinkPages(),
        ),
        post("retry_pipeline", f"{PIPELINE}/retry", given.RetryPipeline, returns=answered.Pipeline),
        post(
            "cancel_pipeline",
            f"{PIPELINE}/cancel",
            given.CancelPipeline,
            returns=answered.Pipeline,
            repeat=Repeat.SAFE,
        ),
        get(
            "list_jobs",
            f"{PIPELINE}/jobs",
            given.ListJobs,
            returns=answered.Job,
            pages=LinkPages(),
        ),
        post(
            "set_commit_status",
            f"{PROJECT}/statuses/{{sha}}",
            given.SetCommitStatus,
            returns=answered.Status,
            repeat=Repeat.SAFE,
        ),
        post(
            "create_branch",
            f"{PROJECT}/repository/branches",
            given.CreateBranch,
            returns=answered.Branch,
        ),
        get(
            "list_branches",
            f"{PROJECT}/repository/branches",
            given.ListBranches,
            returns=answered.Branch,
            pages=LinkPages(),
        ),
        get(
            "list_commits",
            f"{PROJECT}/repository/commits",
            given.ListCommits,
            returns=answered.Commit,
            pages=LinkPages(),
        ),
        post("create_tag", f"{PROJECT}/repository/tags", given.CreateTag, returns=answered.Tag),
        post(
            "create_release", f"{PROJECT}/releases", given.CreateRelease, returns=answered.Release
        ),
        get("get_file", FILE, given.GetFile, returns=answered.File),
        post("create_file", FILE, given.CreateFile, returns=answered.WrittenFile),
        put("write_file", FILE, given.WriteFile, returns=answered.WrittenFile),
        get("get_project", PROJECT, given.GetProject, returns=answered.Project),
        get(
            "list_projects",
            "/projects",
            given.ListProjects,
            returns=answered.Project,
            constants={"membership": True},
            pages=LinkPages(),
        ),
        post("create_project", "/projects", given.CreateProject, returns=answered.Project),
        delete(
            "delete_webhook",
            f"{PROJECT}/hooks/{{hook_id}}",
            given.DeleteWebhook,
            returns=NoOutput,
        ),
    ),
    webhook=Webhook(
        verify=StaticToken(header="X-Gitlab-Token"),
        delivery_id="header:Idempotency-Key",
        event_type="body:object_kind +? '.' + body:object_attributes.action",
        ordering="body:project.path_with_namespace",
        subject="body:project.path_with_namespace",
        events=EVENTS,
        headers=("X-Gitlab-Event", "X-Gitlab-Event-UUID", "X-Gitlab-Instance", "Idempotency-Key"),
        setup=(
            "Open the project (or the group) in GitLab: Settings → Webhooks → Add new webhook.",
            "URL: {url}",
            "Secret token: a long random text; enter the same one here as webhook secret.",
            "Choose the events, leave SSL verification on, and add the webhook.",
        ),
    ),
    templates=(
        TemplateManifest(
            name="gitlab",
            title="GitLab",
            description="Receive a project's events and act on issues, merge requests and pipelines.",
            auth="api_key",
        ),
        TemplateManifest(
            name="gitlab_self_managed",
            title="GitLab self-managed",
            description="GitLab on a host of your own.",
            required_fields=("base_url",),
            auth="api_key",
        ),
    ),
    popularity=95,
)
