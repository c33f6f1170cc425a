"""The GraphQL documents. Names stand apart from braces: `{name}` without spaces would be filled in."""

_ISSUE = """fragment I on Issue {
  id identifier title description url priority
  state { id name type } assignee { id name email } team { id key } createdAt updatedAt
}"""
_PAGE = "pageInfo { hasNextPage endCursor }"
_LISTED = "$first: Int, $after: String"

VIEWER = "query { viewer { id name email } }"
ISSUE = "query ($id: String!) { issue(id: $id) { ...I } }\n" + _ISSUE
CREATE_ISSUE = (
    "mutation ($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { ...I } } }\n"
    + _ISSUE
)
UPDATE_ISSUE = (
    "mutation ($id: String!, $input: IssueUpdateInput!)"
    " { issueUpdate(id: $id, input: $input) { success issue { ...I } } }\n" + _ISSUE
)
ARCHIVE_ISSUE = "mutation ($id: String!) { issueArchive(id: $id) { success } }"
ISSUES = (
    f"query ($filter: IssueFilter, {_LISTED})"
    " { issues(filter: $filter, first: $first, after: $after)"
    f" {{ nodes {{ ...I }} {_PAGE} }} }}\n{_ISSUE}"
)
SEARCH_ISSUES = (
    f"query ($term: String!, {_LISTED})"
    " { searchIssues(term: $term, first: $first, after: $after)"
    " { nodes { id identifier title description url priority"
    " state { id name type } assignee { id name email } team { id key } createdAt updatedAt }"
    f" {_PAGE} }} }}"
)
CREATE_COMMENT = (
    "mutation ($input: CommentCreateInput!)"
    " { commentCreate(input: $input) { success comment { id body url } } }"
)
CREATE_ATTACHMENT = (
    "mutation ($input: AttachmentCreateInput!)"
    " { attachmentCreate(input: $input) { success attachment { id url title } } }"
)
TEAMS = (
    f"query ({_LISTED}) {{ teams(first: $first, after: $after)"
    f" {{ nodes {{ id key name }} {_PAGE} }} }}"
)
STATES = (
    f"query ($filter: WorkflowStateFilter, {_LISTED})"
    " { workflowStates(filter: $filter, first: $first, after: $after)"
    f" {{ nodes {{ id name type }} {_PAGE} }} }}"
)
USERS = (
    f"query ({_LISTED}) {{ users(first: $first, after: $after)"
    f" {{ nodes {{ id name email }} {_PAGE} }} }}"
)
PROJECTS = (
    f"query ({_LISTED}) {{ projects(first: $first, after: $after)"
    f" {{ nodes {{ id name url state }} {_PAGE} }} }}"
)
CREATE_PROJECT = (
    "mutation ($input: ProjectCreateInput!)"
    " { projectCreate(input: $input) { success project { id name url state } } }"
)
DELETE_WEBHOOK = "mutation ($id: String!) { webhookDelete(id: $id) { success } }"
