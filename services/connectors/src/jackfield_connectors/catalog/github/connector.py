"""GitHub: repositories, issues, pull requests, releases, workflows; and its webhooks.

REST API, version 2022-11-28.
"""

from pydantic import Field

from jackfield_common.connector.auth import Bearer, OAuth2
from jackfield_common.connector.declaration import (
    Config,
    Connector,
    delete,
    get,
    patch,
    post,
    put,
)
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import NoInput, NoOutput, secret
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.manifest import Category, TemplateManifest
from jackfield_common.connector.pages import LinkPages, OnePage
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import ErrorKind
from jackfield_connectors.catalog.github.events import EVENTS
from jackfield_connectors.catalog.github.inputs import (
    REPO_PATTERN,
    AddLabels,
    CloseIssue,
    CreateComment,
    CreateCommitStatus,
    CreateIssue,
    CreateOrgRepo,
    CreatePullRequest,
    CreateRelease,
    CreateRepo,
    DeleteWebhook,
    DispatchEvent,
    DispatchWorkflow,
    GetFile,
    GetIssue,
    GetPullRequest,
    GetRepo,
    ListBranches,
    ListCommits,
    ListIssues,
    ListPullRequests,
    ListReleases,
    ListRepos,
    ListWorkflowRuns,
    MergePullRequest,
    RequestReviewers,
    RerunWorkflow,
    SearchIssues,
    UpdateIssue,
    WriteFile,
)
from jackfield_connectors.catalog.github.outputs import (
    Branch,
    Comment,
    Commit,
    File,
    Issue,
    Label,
    Merged,
    Myself,
    PullRequest,
    Release,
    Repository,
    Status,
    WorkflowRun,
    Written,
)

REPO = "/repos/{+repo}"
ISSUE = f"{REPO}/issues/{{issue_number}}"
PULL = f"{REPO}/pulls/{{pull_number}}"


class Settings(Config):
    """Where, and which repository when an action does not say."""

    base_url: str | None = Field(
        default=None,
        title="API address",
        pattern=r"^https?://",
        description="Of GitHub Enterprise Server: https://HOST/api/v3",
    )
    repo: str | None = Field(
        default=None,
        title="Repository",
        pattern=REPO_PATTERN,
        description="owner/name, for actions that name none",
    )


connector = Connector(
    slug="github",
    title="GitHub",
    description="Repositories, issues, pull requests, releases and workflows.",
    category=Category.SOURCE_CONTROL,
    docs="https://docs.github.com/rest",
    version="1.0.0",
    base_url="https://api.github.com",
    auth=(
        Bearer(
            fields=(secret("token", "Token", "A fine-grained or classic personal access token"),)
        ),
        OAuth2(
            authorize_url="https://github.com/login/oauth/authorize",
            token_url="https://github.com/login/oauth/access_token",
            scopes={
                "repo": "Read and write repositories",
                "workflow": "Change workflow files",
                "admin:repo_hook": "Create and delete webhooks",
            },
        ),
    ),
    config=Settings,
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    limits=(HeaderBudget(remaining="x-ratelimit-remaining", resets_at="x-ratelimit-reset"),),
    errors=(
        on(403, ErrorKind.RATE_LIMITED, header="retry-after"),
        on(403, ErrorKind.RATE_LIMITED, header="x-ratelimit-remaining", equals="0"),
        on(403, ErrorKind.FORBIDDEN),
        on(405, ErrorKind.INVALID),
        on(409, ErrorKind.INVALID),
        on(422, ErrorKind.INVALID),
        on(451, ErrorKind.FORBIDDEN),
    ),
    error_message=("message",),
    test=get("test_connection", "/user", NoInput, returns=Myself, title="Who am I"),
    actions=(
        post("create_issue", f"{REPO}/issues", CreateIssue, returns=Issue, ordering="repo"),
        get("get_issue", ISSUE, GetIssue, returns=Issue),
        patch("update_issue", ISSUE, UpdateIssue, returns=Issue, repeat=Repeat.SAFE),
        patch(
            "close_issue",
            ISSUE,
            CloseIssue,
            returns=Issue,
            constants={"state": "closed"},
            repeat=Repeat.SAFE,
        ),
        get("list_issues", f"{REPO}/issues", ListIssues, returns=Issue, pages=LinkPages()),
        post("create_comment", f"{ISSUE}/comments", CreateComment, returns=Comment),
        post(
            "add_labels",
            f"{ISSUE}/labels",
            AddLabels,
            returns=Label,
            pages=OnePage(),
            repeat=Repeat.SAFE,
        ),
        post("create_pull_request", f"{REPO}/pulls", CreatePullRequest, returns=PullRequest),
        get("get_pull_request", PULL, GetPullRequest, returns=PullRequest),
        get(
            "list_pull_requests",
            f"{REPO}/pulls",
            ListPullRequests,
            returns=PullRequest,
            pages=LinkPages(),
        ),
        put(
            "merge_pull_request",
            f"{PULL}/merge",
            MergePullRequest,
            returns=Merged,
            repeat=Repeat.UNSAFE,
        ),
        post(
            "request_reviewers",
            f"{PULL}/requested_reviewers",
            RequestReviewers,
            returns=PullRequest,
            repeat=Repeat.SAFE,
        ),
        post("create_repo", "/user/repos", CreateRepo, returns=Repository),
        post("create_org_repo", "/orgs/{org}/repos", CreateOrgRepo, returns=Repository),
        get("get_repo", REPO, GetRepo, returns=Repository),
        get("list_repos", "/user/repos", ListRepos, returns=Repository, pages=LinkPages()),
        get("list_branches", f"{REPO}/branches", ListBranches, returns=Branch, pages=LinkPages()),
        get("list_commits", f"{REPO}/commits", ListCommits, returns=Commit, pages=LinkPages()),
        get("get_file", f"{REPO}/contents/{{+path}}", GetFile, returns=File),
        put(
            "write_file",
            f"{REPO}/contents/{{+path}}",
            WriteFile,
            returns=Written,
            repeat=Repeat.UNSAFE,
        ),
        post("create_release", f"{REPO}/releases", CreateRelease, returns=Release),
        get("list_releases", f"{REPO}/releases", ListReleases, returns=Release, pages=LinkPages()),
        post(
            "create_commit_status",
            f"{REPO}/statuses/{{sha}}",
            CreateCommitStatus,
            returns=Status,
            repeat=Repeat.SAFE,
        ),
        post(
            "dispatch_workflow",
            f"{REPO}/actions/workflows/{{workflow}}/dispatches",
            DispatchWorkflow,
            returns=NoOutput,
        ),
        get(
            "list_workflow_runs",
            f"{REPO}/actions/runs",
            ListWorkflowRuns,
            returns=WorkflowRun,
            pages=LinkPages(items_path="workflow_runs"),
        ),
        post(
            "rerun_workflow",
            f"{REPO}/actions/runs/{{run_id}}/rerun",
            RerunWorkflow,
            returns=NoOutput,
        ),
        post("dispatch_event", f"{REPO}/dispatches", DispatchEvent, returns=NoOutput),
        get(
            "search_issues",
            "/search/issues",
            SearchIssues,
            returns=Issue,
            pages=LinkPages(items_path="items"),
        ),
        delete("delete_webhook", f"{REPO}/hooks/{{hook_id}}", DeleteWebhook, returns=NoOutput),
    ),
    webhook=Webhook(
        verify=Hmac(header="X-Hub-Signature-256", prefix="sha256="),
        delivery_id="header:X-GitHub-Delivery",
        event_type="header:X-GitHub-Event +? '.' + body:action",
        ordering="body:repository.full_name",
        subject="body:repository.full_name",
        events=EVENTS,
        headers=("X-GitHub-Event", "X-GitHub-Delivery", "X-GitHub-Hook-ID"),
        content_types=("application/json", "application/x-www-form-urlencoded"),
        setup=(
            "Open the repository (or the organisation) on GitHub: Settings → Webhooks → Add webhook.",
            "Payload URL: {url}",
            "Content type: application/json",
            "Secret: a long random text; enter the same one here as webhook secret.",
            "Leave SSL verification on, choose the events, and save. GitHub sends a ping at once.",
        ),
    ),
    templates=(
        TemplateManifest(
            name="github",
            title="GitHub",
            description="Receive a repository's events and act on issues, pull requests and workflows.",
            auth="bearer",
        ),
        TemplateManifest(
            name="github_enterprise",
            title="GitHub Enterprise Server",
            description="GitHub on a host of your own.",
            required_fields=("base_url",),
            auth="bearer",
        ),
    ),
    popularity=100,
)
