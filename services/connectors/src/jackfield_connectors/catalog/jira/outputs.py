"""What Jira answers, as far as it is passed on. Names are Jira's own."""

from jackfield_common.connector.fields import Output


class User(Output):
    """A person; Data Center knows names instead of account ids."""

    accountId: str | None = None
    name: str | None = None
    displayName: str | None = None
    emailAddress: str | None = None


class Created(Output):
    """An issue that was created."""

    id: str
    key: str


class Named(Output):
    """Something with a name."""

    name: str


class ProjectRef(Output):
    """A project."""

    key: str


class Fields(Output):
    """What an issue is made of."""

    summary: str | None = None
    description: str | None = None
    status: Named | None = None
    issuetype: Named | None = None
    priority: Named | None = None
    assignee: User | None = None
    labels: tuple[str, ...] = ()
    project: ProjectRef | None = None
    created: str | None = None
    updated: str | None = None


class Issue(Output):
    """An issue."""

    id: str
    key: str
    fields: Fields = Fields()


class Comment(Output):
    """A comment."""

    id: str
    body: str
    author: User | None = None
    created: str | None = None


class Transition(Output):
    """A step of a workflow."""

    id: str
    name: str
    to: Named | None = None


class Worklog(Output):
    """Logged work."""

    id: str
    timeSpentSeconds: int | None = None


class RemoteLink(Output):
    """A link to something outside."""

    id: int


class Project(Output):
    """A project."""

    id: str
    key: str
    name: str


class Version(Output):
    """A version of a project."""

    id: str
    name: str
    released: bool = False
