"""What Linear's actions take."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.fields import Input, Paged


class IssueFields(Input):
    """What an issue is made of."""

    description: str | None = Field(default=None, description="Markdown")
    priority: Literal[0, 1, 2, 3, 4] | None = Field(
        default=None, description="0 none, 1 urgent, 2 high, 3 medium, 4 low"
    )
    assignee_id: str | None = None
    state_id: str | None = None
    project_id: str | None = None
    label_ids: tuple[str, ...] | None = None
    due_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    estimate: int | None = Field(default=None, ge=0)


class CreateIssue(IssueFields):
    """Create an issue."""

    team_id: str
    title: str = Field(min_length=1, max_length=255)


class OneIssue(Input):
    """An issue."""

    issue_id: str = Field(description="Id, or its identifier", examples=["ENG-17"])


class GetIssue(OneIssue):
    """Read an issue."""


class UpdateIssue(IssueFields):
    """Change an issue: what is left out stays."""

    issue_id: str
    title: str | None = Field(default=None, max_length=255)


class ArchiveIssue(OneIssue):
    """Archive an issue."""


class ListIssues(Paged):
    """List issues."""

    filter: dict[str, JsonValue] | None = Field(
        default=None, description="IssueFilter", examples=[{"team": {"key": {"eq": "ENG"}}}]
    )


class SearchIssues(Paged):
    """Search issues by their text."""

    term: str = Field(min_length=1)


class CreateComment(OneIssue):
    """Comment on an issue."""

    body: str = Field(min_length=1, description="Markdown")


class AddAttachment(OneIssue):
    """Link a page, a commit or a merge request to an issue; one address is linked once."""

    url: str = Field(pattern=r"^https?://")
    title: str
    subtitle: str | None = None


class ListTeams(Paged):
    """List teams."""


class ListStates(Paged):
    """List the workflow states of a team."""

    team_id: str


class ListUsers(Paged):
    """List people."""


class ListProjects(Paged):
    """List projects."""


class CreateProject(Input):
    """Create a project."""

    name: str = Field(min_length=1, max_length=80)
    team_ids: tuple[str, ...] = Field(min_length=1)
    description: str | None = Field(default=None, max_length=255)
    target_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")


class DeleteWebhook(Input):
    """Stop sending events to an address."""

    webhook_id: str
