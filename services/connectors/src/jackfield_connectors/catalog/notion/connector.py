"""Notion: pages, databases, blocks, comments, people; and its webhooks. Version 2022-06-28."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import Bearer, OAuth2
from jackfield_common.connector.declaration import Config, Connector, delete, get, patch, post
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import Input, NoInput, Output, Paged, secret
from jackfield_common.connector.handshake import Condition, Handshake
from jackfield_common.connector.limits import SlidingWindow
from jackfield_common.connector.manifest import Category
from jackfield_common.connector.pages import CursorPages
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_common.errors import ErrorKind

Object = dict[str, JsonValue]
Blocks = tuple[Object, ...]


class Settings(Config):
    """Which database, when an action does not say."""

    database_id: str | None = Field(default=None, title="Database")


class Search(Paged):
    """Find pages and databases by their title."""

    query: str | None = None
    filter: Object | None = Field(default=None, examples=[{"property": "object", "value": "page"}])
    sort: Object | None = None


class OnePage(Input):
    """A page."""

    page_id: str = Field(pattern=r"^[0-9a-fA-F-]{32,36}$")


class GetPage(OnePage):
    """Read a page's properties."""


class CreatePage(Input):
    """Create a page in a database, or below a page."""

    database_id: str | None = None
    parent_page_id: str | None = None
    properties: Object
    children: Blocks | None = Field(default=None, max_length=100)
    icon: Object | None = None


class UpdatePage(OnePage):
    """Change a page's properties."""

    properties: Object
    icon: Object | None = None


class ArchivePage(OnePage):
    """Move a page to the bin."""


class GetDatabase(Input):
    """Read a database's properties."""

    database_id: str


class QueryDatabase(Paged):
    """List the pages of a database."""

    database_id: str
    filter: Object | None = None
    sorts: tuple[Object, ...] | None = None


class CreateDatabase(Input):
    """Create a database below a page."""

    parent_page_id: str
    title: str = Field(min_length=1)
    properties: Object


class ListBlocks(Paged):
    """List the blocks of a page or block."""

    block_id: str


class AppendBlocks(Input):
    """Append blocks to a page or block."""

    block_id: str
    children: Blocks = Field(min_length=1, max_length=100)
    after: str | None = None


class DeleteBlock(Input):
    """Move a block to the bin."""

    block_id: str


class CreateComment(Input):
    """Comment on a page, or answer in a discussion."""

    page_id: str | None = None
    discussion_id: str | None = None
    text: str = Field(min_length=1, max_length=2000)


class ListComments(Paged):
    """List the open comments of a page or block."""

    block_id: str


class ListUsers(Paged):
    """List the people and bots of the workspace."""


class GetUser(Input):
    """Read a person or bot."""

    user_id: str


class User(Output):
    """A person or bot."""

    id: str
    type: str | None = None
    name: str | None = None


class Page(Output):
    """A page, or a database where one was searched for."""

    id: str
    object: Literal["page", "database"]
    url: str | None = None
    archived: bool = False
    created_time: str | None = None
    last_edited_time: str | None = None
    properties: Object = {}


class Database(Output):
    """A database."""

    id: str
    url: str | None = None
    title: tuple[Object, ...] = ()
    properties: Object = {}


class Block(Output, extra="allow"):
    """A block; what it holds stands under the name of its type."""

    id: str
    type: str | None = None
    has_children: bool = False


class Appended(Output):
    """The blocks that were appended."""

    results: tuple[Block, ...] = ()


class Comment(Output):
    """A comment."""

    id: str
    discussion_id: str | None = None
    created_time: str | None = None
    rich_text: tuple[Object, ...] = ()


def _pages(place: Literal["query", "body"]) -> CursorPages:
    return CursorPages(
        cursor_param="start_cursor",
        next_path="next_cursor",
        items_path="results",
        more_path="has_more",
        place=place,
        size_param="page_size",
    )


EVENT = EventMapping(
    occurrence={
        "number": "body:entity.id",
        "title": "body:entity.type",
        "actor": "body:authors.0.id",
        "action": "body:type",
    }
)

connector = Connector(
    slug="notion",
    title="Notion",
    description="Pages, databases, blocks and comments of a workspace.",
    category=Category.PRODUCTIVITY,
    docs="https://developers.notion.com/reference/intro",
    version="1.0.0",
    base_url="https://api.notion.com/v1",
    auth=(
        Bearer(fields=(secret("token", "Integration secret", "Starts with ntn_ or secret_"),)),
        OAuth2(
            authorize_url="https://api.notion.com/v1/oauth/authorize",
            token_url="https://api.notion.com/v1/oauth/token",
            scopes={},
            pkce=False,
            authorize_params={"owner": "user"},
            client_auth="client_secret_basic",
            token_encoding="json",
        ),
    ),
    config=Settings,
    headers={"Notion-Version": "2022-06-28"},
    limits=(SlidingWindow(calls=3, seconds=1),),
    errors=(
        on(400, ErrorKind.INVALID),
        on(409, ErrorKind.UNAVAILABLE),
        on(403, ErrorKind.FORBIDDEN),
    ),
    error_message=("message",),
    test=get("test_connection", "/users/me", NoInput, returns=User),
    actions=(
        post(
            "search",
            "/search",
            Search,
            returns=Page,
            repeat=Repeat.SAFE,
            pages=_pages("body"),
        ),
        get("get_page", "/pages/{page_id}", GetPage, returns=Page),
        post(
            "create_page",
            "/pages",
            CreatePage,
            returns=Page,
            body={
                "parent": {"database_id": "{database_id}", "page_id": "{parent_page_id}"},
                "properties": "{properties}",
                "children": "{children}",
                "icon": "{icon}",
            },
        ),
        patch("update_page", "/pages/{page_id}", UpdatePage, returns=Page, repeat=Repeat.SAFE),
        patch(
            "archive_page",
            "/pages/{page_id}",
            ArchivePage,
            returns=Page,
            constants={"archived": True},
            repeat=Repeat.SAFE,
        ),
        get("get_database", "/databases/{database_id}", GetDatabase, returns=Database),
        post(
            "query_database",
            "/databases/{database_id}/query",
            QueryDatabase,
            returns=Page,
            repeat=Repeat.SAFE,
            pages=_pages("body"),
        ),
        post(
            "create_database",
            "/databases",
            CreateDatabase,
            returns=Database,
            body={
                "parent": {"type": "page_id", "page_id": "{parent_page_id}"},
                "title": [{"type": "text", "text": {"content": "{title}"}}],
                "properties": "{properties}",
            },
        ),
        get(
            "list_blocks",
            "/blocks/{block_id}/children",
            ListBlocks,
            returns=Block,
            pages=_pages("query"),
        ),
        patch("append_blocks", "/blocks/{block_id}/children", AppendBlocks, returns=Appended),
        delete("delete_block", "/blocks/{block_id}", DeleteBlock, returns=Block),
        post(
            "create_comment",
            "/comments",
            CreateComment,
            returns=Comment,
            body={
                "parent": {"page_id": "{page_id}"},
                "discussion_id": "{discussion_id}",
                "rich_text": [{"text": {"content": "{text}"}}],
            },
        ),
        get(
            "list_comments",
            "/comments",
            ListComments,
            returns=Comment,
            pages=_pages("query"),
        ),
        get("list_users", "/users", ListUsers, returns=User, pages=_pages("query")),
        get("get_user", "/users/{user_id}", GetUser, returns=User),
    ),
    webhook=Webhook(
        verify=Hmac(header="X-Notion-Signature", prefix="sha256="),
        handshakes=(
            Handshake(
                when=(Condition(place="body:verification_token"),),
                verified=False,
                delivers="body:verification_token",
            ),
        ),
        delivery_id="body:id",
        event_type="body:type",
        ordering="body:entity.id",
        subject="body:entity.id",
        events={"page.*": EVENT, "database.*": EVENT, "data_source.*": EVENT, "comment.*": EVENT},
        setup=(
            "Open https://www.notion.so/my-integrations, your integration, Webhooks → Create a subscription.",
            "Webhook URL: {url}",
            "Choose the events and create it: Notion sends a verification token, which is kept.",
            "Copy the token from here back to Notion and press Verify.",
        ),
    ),
    popularity=84,
)
