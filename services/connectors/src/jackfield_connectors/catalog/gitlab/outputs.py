"""What GitLab answers, as far as it is passed on."""

from jackfield_common.connector.fields import Output


class User(Output):
    """An account."""

    id: int
    username: str
    name: str | None = None


class Issue(Output):
    """An issue; `iid` is its number within the project."""

    id: int
    iid: int
    title: str
    state: str
    web_url: str
    description: str | None = None
    labels: tuple[str, ...] = ()


class Note(Output):
    """A comment."""

    id: int
    body: str


class MergeRequest(Output):
    """A merge request; `iid` is its number within the project."""

    id: int
    iid: int
    title: str
    state: str
    web_url: str
    source_branch: str
    target_branch: str
    sha: str | None = None
    merge_commit_sha: str | None = None


class Pipeline(Output):
    """A pipeline."""

    id: int
    status: str
    ref: str | None = None
    sha: str | None = None
    web_url: str | None = None


class Job(Output):
    """A job of a pipeline."""

    id: int
    name: str
    status: str
    stage: str | None = None
    web_url: str | None = None


class Status(Output):
    """A status of a commit."""

    id: int
    status: str
    name: str
    sha: str
    target_url: str | None = None
    description: str | None = None


class Commit(Output):
    """A commit."""

    id: str
    title: str | None = None
    web_url: str | None = None


class Branch(Output):
    """A branch."""

    name: str
    protected: bool = False
    web_url: str | None = None


class Tag(Output):
    """A tag."""

    name: str
    message: str | None = None


class Release(Output):
    """A release."""

    tag_name: str
    name: str | None = None
    description: str | None = None


class File(Output):
    """A file: `content` is base64 (RFC 4648, 4)."""

    file_path: str
    content: str
    size: int
    ref: str
    last_commit_id: str | None = None


class WrittenFile(Output):
    """A file that was written."""

    file_path: str
    branch: str


class Project(Output):
    """A project."""

    id: int
    name: str
    path_with_namespace: str
    web_url: str
    default_branch: str | None = None
    visibility: str | None = None
