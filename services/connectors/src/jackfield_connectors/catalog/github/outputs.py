"""What GitHub answers, as far as it is passed on."""

from jackfield_common.connector.fields import Output


class User(Output):
    """An account."""

    login: str
    html_url: str | None = None


class Myself(User):
    """The account that the credential belongs to."""

    id: int
    name: str | None = None


class Label(Output):
    """A label."""

    name: str
    color: str | None = None


class Issue(Output):
    """An issue."""

    number: int
    title: str
    state: str
    html_url: str
    body: str | None = None
    user: User | None = None
    labels: tuple[Label, ...] = ()
    created_at: str | None = None
    closed_at: str | None = None


class Comment(Output):
    """A comment."""

    id: int
    html_url: str
    body: str | None = None


class Ref(Output):
    """A branch at a commit."""

    ref: str
    sha: str


class PullRequest(Output):
    """A pull request."""

    number: int
    title: str
    state: str
    html_url: str
    draft: bool = False
    merged: bool | None = None
    head: Ref
    base: Ref
    user: User | None = None


class Merged(Output):
    """A merge."""

    sha: str
    merged: bool
    message: str | None = None


class Repository(Output):
    """A repository."""

    id: int
    name: str
    full_name: str
    private: bool
    html_url: str
    description: str | None = None
    default_branch: str | None = None
    clone_url: str | None = None


class Release(Output):
    """A release."""

    id: int
    tag_name: str
    name: str | None = None
    html_url: str
    draft: bool = False
    prerelease: bool = False


class Status(Output):
    """A status of a commit."""

    id: int
    state: str
    context: str
    description: str | None = None
    target_url: str | None = None


class WorkflowRun(Output):
    """A run of a workflow."""

    id: int
    name: str | None = None
    status: str | None = None
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    html_url: str


class Branch(Output):
    """A branch."""

    name: str
    protected: bool = False


class CommitDetail(Output):
    """What a commit says."""

    message: str


class Commit(Output):
    """A commit."""

    sha: str
    html_url: str
    commit: CommitDetail


class File(Output):
    """A file: `content` is base64 (RFC 4648, 4) with line breaks."""

    path: str
    sha: str
    size: int
    content: str = ""
    encoding: str = ""
    html_url: str | None = None


class WrittenCommit(Output):
    """The commit that a write made."""

    sha: str
    html_url: str | None = None


class Written(Output):
    """A write of a file."""

    commit: WrittenCommit
