"""What GitLab's actions take."""

from typing import Literal

from pydantic import Field

from jackfield_common.connector.fields import Input, Paged

PROJECT = Field(min_length=1, description="Id, or group/name", examples=["gitlab-org/gitlab"])


class InProject(Input):
    """Something in a project."""

    project: str = PROJECT


class PagedInProject(Paged):
    """A list in a project."""

    project: str = PROJECT


class CreateIssue(InProject):
    """Open an issue."""

    title: str = Field(min_length=1, max_length=255)
    description: str | None = None
    labels: str | None = Field(default=None, description="Separated by commas")
    assignee_ids: tuple[int, ...] | None = None
    milestone_id: int | None = None
    due_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    confidential: bool | None = None


class OneIssue(InProject):
    """An issue by its number in the project."""

    issue_iid: int = Field(ge=1)


class GetIssue(OneIssue):
    """Read an issue."""


class UpdateIssue(OneIssue):
    """Change an issue: what is left out stays."""

    title: str | None = None
    description: str | None = None
    labels: str | None = None
    state_event: Literal["close", "reopen"] | None = None


class CloseIssue(OneIssue):
    """Close an issue."""


class ListIssues(PagedInProject):
    """List issues."""

    state: Literal["opened", "closed", "all"] = "opened"
    labels: str | None = None
    search: str | None = None


class CommentIssue(OneIssue):
    """Comment on an issue."""

    body: str = Field(min_length=1, max_length=1_000_000)


class CreateMergeRequest(InProject):
    """Open a merge request."""

    source_branch: str
    target_branch: str
    title: str = Field(min_length=1, max_length=255)
    description: str | None = None
    labels: str | None = None
    remove_source_branch: bool | None = None
    squash: bool | None = None


class OneMergeRequest(InProject):
    """A merge request by its number in the project."""

    merge_request_iid: int = Field(ge=1)


class GetMergeRequest(OneMergeRequest):
    """Read a merge request."""


class ListMergeRequests(PagedInProject):
    """List merge requests."""

    state: Literal["opened", "closed", "locked", "merged", "all"] = "opened"
    target_branch: str | None = None


class AcceptMergeRequest(OneMergeRequest):
    """Merge a merge request; with `sha` only if that is its head."""

    sha: str | None = None
    squash: bool | None = None
    merge_commit_message: str | None = None
    should_remove_source_branch: bool | None = None


class CommentMergeRequest(OneMergeRequest):
    """Comment on a merge request."""

    body: str = Field(min_length=1, max_length=1_000_000)


class Variable(Input):
    """A variable of a pipeline."""

    key: str
    value: str


class TriggerPipeline(InProject):
    """Start a pipeline of a branch or tag."""

    ref: str
    variables: tuple[Variable, ...] | None = None


class OnePipeline(InProject):
    """A pipeline."""

    pipeline_id: int


class GetPipeline(OnePipeline):
    """Read a pipeline."""


class RetryPipeline(OnePipeline):
    """Run the failed jobs of a pipeline again."""


class CancelPipeline(OnePipeline):
    """Cancel the jobs of a pipeline."""


class ListPipelines(PagedInProject):
    """List pipelines, newest first."""

    ref: str | None = None
    status: str | None = None
    sha: str | None = None


class ListJobs(Paged):
    """List the jobs of a pipeline."""

    project: str = PROJECT
    pipeline_id: int


class SetCommitStatus(InProject):
    """Set the status of a commit, as an outside system sees it."""

    sha: str = Field(pattern=r"^[0-9a-f]{7,64}$")
    state: Literal["pending", "running", "success", "failed", "canceled"]
    name: str = "default"
    ref: str | None = None
    target_url: str | None = Field(default=None, max_length=255)
    description: str | None = None
    coverage: float | None = None


class CreateBranch(InProject):
    """Create a branch."""

    branch: str
    ref: str = Field(description="Branch or commit to start from")


class ListBranches(PagedInProject):
    """List branches."""

    search: str | None = None


class ListCommits(PagedInProject):
    """List commits, newest first."""

    ref_name: str | None = None
    path: str | None = None
    since: str | None = None


class CreateTag(InProject):
    """Create a tag."""

    tag_name: str
    ref: str
    message: str | None = None


class CreateRelease(InProject):
    """Publish a release of a tag; the tag is made from `ref` when it does not exist."""

    tag_name: str
    name: str | None = None
    description: str | None = None
    ref: str | None = None


class GetFile(InProject):
    """Read a file."""

    file_path: str
    ref: str = "HEAD"


class WriteFile(InProject):
    """Change a file."""

    file_path: str
    branch: str
    content: str
    commit_message: str
    encoding: Literal["text", "base64"] = "text"


class CreateFile(WriteFile):
    """Create a file."""


class GetProject(InProject):
    """Read a project."""


class ListProjects(Paged):
    """List the projects that the credential is a member of."""

    search: str | None = None
    visibility: Literal["private", "internal", "public"] | None = None


class CreateProject(Input):
    """Create a project."""

    name: str
    path: str | None = None
    namespace_id: int | None = None
    description: str | None = None
    visibility: Literal["private", "internal", "public"] = "private"
    initialize_with_readme: bool = False


class DeleteWebhook(InProject):
    """Remove a webhook."""

    hook_id: int
