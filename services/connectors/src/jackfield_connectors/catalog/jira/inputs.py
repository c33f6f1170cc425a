"""What Jira's actions take."""

from pydantic import Field

from jackfield_common.connector.fields import Input, Paged

KEY = Field(pattern=r"^([A-Za-z][A-Za-z0-9_]*-)?\d+$", description="Key or id", examples=["OPS-17"])


class IssueFields(Input):
    """What an issue is made of."""

    description: str | None = None
    priority: str | None = Field(default=None, examples=["High"])
    labels: tuple[str, ...] | None = None
    assignee: str | None = Field(default=None, description="Account id")
    parent: str | None = Field(default=None, description="Key of the epic or parent issue")
    due_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")


class CreateIssue(IssueFields):
    """Create an issue."""

    project_key: str = Field(examples=["OPS"])
    issue_type: str = Field(default="Task", examples=["Bug", "Story", "Task", "Epic"])
    summary: str = Field(min_length=1, max_length=255)


class OneIssue(Input):
    """An issue."""

    issue_key: str = KEY


class GetIssue(OneIssue):
    """Read an issue."""


class UpdateIssue(IssueFields):
    """Change an issue: what is left out stays."""

    issue_key: str = KEY
    summary: str | None = Field(default=None, max_length=255)


class DeleteIssue(OneIssue):
    """Delete an issue that has no subtasks."""


class SearchIssues(Paged):
    """Search issues with JQL."""

    jql: str = Field(examples=["project = OPS AND status != Done ORDER BY created DESC"])


class AddComment(OneIssue):
    """Comment on an issue."""

    body: str = Field(min_length=1, max_length=32_767)


class ListComments(Paged):
    """List the comments of an issue."""

    issue_key: str = KEY


class TransitionIssue(OneIssue):
    """Move an issue along its workflow."""

    transition_id: str


class ListTransitions(OneIssue):
    """List the transitions that an issue can make now."""


class AssignIssue(OneIssue):
    """Assign an issue."""

    account_id: str = Field(description="-1 for the project's default")


class AddWorklog(OneIssue):
    """Log work."""

    time_spent: str = Field(examples=["3h 20m"])
    comment: str | None = None


class LinkIssues(Input):
    """Link two issues."""

    link_type: str = Field(examples=["Blocks", "Relates"])
    inward_issue: str = KEY
    outward_issue: str = KEY


class AddRemoteLink(OneIssue):
    """Link a commit, a merge request or any page to an issue; the same `global_id` replaces the link."""

    url: str = Field(pattern=r"^https?://")
    title: str
    summary: str | None = None
    global_id: str | None = None


class AddWatcher(OneIssue):
    """Let somebody watch an issue."""

    account_id: str


class ListProjects(Paged):
    """List projects."""

    query: str | None = Field(default=None, description="Part of the name or key")


class GetProject(Input):
    """Read a project."""

    project_key: str


class SearchUsers(Paged):
    """Find people by name or mail address."""

    query: str


class CreateVersion(Input):
    """Create a version of a project."""

    project_id: int
    name: str = Field(max_length=255)
    description: str | None = None
    release_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    released: bool = False
