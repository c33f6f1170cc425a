"""What Linear answers, as far as it is asked for."""

from jackfield_common.connector.fields import Output


class User(Output):
    """A person."""

    id: str
    name: str
    email: str | None = None


class State(Output):
    """A state of a workflow."""

    id: str
    name: str
    type: str


class TeamRef(Output):
    """A team."""

    id: str
    key: str


class Team(TeamRef):
    """A team."""

    name: str


class Issue(Output):
    """An issue; names are Linear's own."""

    id: str
    identifier: str
    title: str
    url: str
    description: str | None = None
    priority: float | None = None
    state: State | None = None
    assignee: User | None = None
    team: TeamRef | None = None
    createdAt: str | None = None
    updatedAt: str | None = None


class Done(Output):
    """Whether it was done."""

    success: bool


class Comment(Output):
    """A comment."""

    id: str
    body: str
    url: str | None = None


class Attachment(Output):
    """A linked page."""

    id: str
    url: str
    title: str


class Project(Output):
    """A project."""

    id: str
    name: str
    url: str | None = None
    state: str | None = None
