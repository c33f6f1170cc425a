"""What GitHub's actions take."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.fields import Input, Paged

REPO_PATTERN = r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"


class InRepo(Input):
    """Something in a repository."""

    repo: str = Field(pattern=REPO_PATTERN, description="owner/name", examples=["octocat/hello"])


class PagedInRepo(Paged):
    """A list in a repository."""

    repo: str = Field(pattern=REPO_PATTERN, description="owner/name")


class CreateIssue(InRepo):
    """Open an issue."""

    title: str = Field(min_length=1, max_length=256)
    body: str | None = Field(default=None, max_length=65_536)
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: int | None = None


class OneIssue(InRepo):
    """An issue or pull request by its number."""

    issue_number: int = Field(ge=1)


class GetIssue(OneIssue):
    """Read an issue."""


class UpdateIssue(OneIssue):
    """Change an issue: what is left out stays."""

    title: str | None = Field(default=None, max_length=256)
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    labels: tuple[str, ...] | None = None
    assignees: tuple[str, ...] | None = None


class CloseIssue(OneIssue):
    """Close an issue."""

    state_reason: Literal["completed", "not_planned"] | None = None


class ListIssues(PagedInRepo):
    """List the issues of a repository; pull requests are among them."""

    state: Literal["open", "closed", "all"] = "open"
    labels: str | None = Field(default=None, description="Names, separated by commas")
    since: str | None = Field(
        default=None, description="ISO 8601, for example 2026-01-31T00:00:00Z"
    )


class CreateComment(OneIssue):
    """Comment on an issue or a pull request."""

    body: str = Field(min_length=1, max_length=65_536)


class AddLabels(OneIssue):
    """Add labels to an issue or a pull request."""

    labels: tuple[str, ...] = Field(min_length=1)


class CreatePullRequest(InRepo):
    """Open a pull request from the branch `head` into `base`."""

    title: str = Field(min_length=1, max_length=256)
    head: str
    base: str
    body: str | None = None
    draft: bool = False


class OnePull(InRepo):
    """A pull request by its number."""

    pull_number: int = Field(ge=1)


class GetPullRequest(OnePull):
    """Read a pull request."""


class ListPullRequests(PagedInRepo):
    """List pull requests."""

    state: Literal["open", "closed", "all"] = "open"
    head: str | None = Field(default=None, description="user:branch")
    base: str | None = None


class MergePullRequest(OnePull):
    """Merge a pull request; with `sha` only if that is its head."""

    merge_method: Literal["merge", "squash", "rebase"] = "merge"
    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None


class RequestReviewers(OnePull):
    """Ask people and teams to review a pull request."""

    reviewers: tuple[str, ...] = ()
    team_reviewers: tuple[str, ...] = ()


class CreateRepo(Input):
    """Create a repository of the account that the credential belongs to."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    description: str | None = None
    private: bool = False
    auto_init: bool = False


class CreateOrgRepo(CreateRepo):
    """Create a repository of an organisation."""

    org: str


class GetRepo(InRepo):
    """Read a repository."""


class ListRepos(Paged):
    """List the repositories that the credential reaches."""

    visibility: Literal["all", "public", "private"] = "all"
    sort: Literal["created", "updated", "pushed", "full_name"] = "full_name"


class ListBranches(PagedInRepo):
    """List branches."""

    protected: bool | None = None


class ListCommits(PagedInRepo):
    """List the commits of a branch, newest first."""

    sha: str | None = Field(default=None, description="Branch, tag or commit to start from")
    path: str | None = None
    author: str | None = None
    since: str | None = None


class GetFile(InRepo):
    """Read a file of up to 1 MB."""

    path: str
    ref: str | None = None


class WriteFile(InRepo):
    """Create a file, or replace the one whose `sha` is given."""

    path: str
    message: str
    content: str = Field(description="Base64 (RFC 4648, 4)")
    sha: str | None = None
    branch: str | None = None


class CreateRelease(InRepo):
    """Publish a release of a tag; the tag is made when it does not exist."""

    tag_name: str
    target_commitish: str | None = None
    name: str | None = None
    body: str | None = None
    draft: bool = False
    prerelease: bool = False
    generate_release_notes: bool = False


class ListReleases(PagedInRepo):
    """List releases, newest first."""


class CreateCommitStatus(InRepo):
    """Set the status of a commit in one context."""

    sha: str = Field(pattern=r"^[0-9a-f]{7,64}$")
    state: Literal["error", "failure", "pending", "success"]
    target_url: str | None = None
    description: str | None = Field(default=None, max_length=140)
    context: str = "default"


class DispatchWorkflow(InRepo):
    """Start a workflow that has the trigger `workflow_dispatch`."""

    workflow: str = Field(description="File name or id", examples=["build.yml"])
    ref: str = Field(description="Branch or tag")
    inputs: dict[str, JsonValue] = {}


class ListWorkflowRuns(PagedInRepo):
    """List the runs of all workflows, newest first."""

    branch: str | None = None
    event: str | None = None
    status: str | None = None
    head_sha: str | None = None


class RerunWorkflow(InRepo):
    """Run all jobs of a workflow run again."""

    run_id: int


class DispatchEvent(InRepo):
    """Trigger workflows that have the trigger `repository_dispatch`."""

    event_type: str = Field(max_length=100)
    client_payload: dict[str, JsonValue] = {}


class SearchIssues(Paged):
    """Search issues and pull requests."""

    q: str = Field(description="For example: repo:octocat/hello is:open label:bug")
    sort: Literal["comments", "created", "updated"] | None = None
    order: Literal["asc", "desc"] = "desc"


class DeleteWebhook(InRepo):
    """Remove a webhook."""

    hook_id: int
