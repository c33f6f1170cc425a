"""Jira's webhook events in the shared vocabulary."""

from jackfield_common.connector.webhook import EventMapping

ISSUE = {
    "project": "body:issue.fields.project.key",
    "number": "body:issue.key",
    "title": "body:issue.fields.summary",
    "description": "body:issue.fields.description",
    "state": "body:issue.fields.status.name",
    "severity": "body:issue.fields.priority.name",
    "actor": "body:user.displayName",
    "action": "body:issue_event_type_name",
    "url": "body:issue.self",
}
COMMENT = ISSUE | {"description": "body:comment.body", "actor": "body:comment.author.displayName"}
VERSION = {"title": "body:version.name", "url": "body:version.self"}
SPRINT = {"title": "body:sprint.name", "state": "body:sprint.state", "url": "body:sprint.self"}

EVENTS = {
    **{
        f"jira:issue_{what}": EventMapping(canonical="issue", occurrence=ISSUE)
        for what in ("created", "updated", "deleted")
    },
    **{
        f"comment_{what}": EventMapping(canonical="comment", occurrence=COMMENT)
        for what in ("created", "updated", "deleted")
    },
    **{
        f"worklog_{what}": EventMapping(occurrence={"number": "body:worklog.issueId"})
        for what in ("created", "updated", "deleted")
    },
    **{
        f"jira:version_{what}": EventMapping(canonical="release", occurrence=VERSION)
        for what in ("released", "unreleased", "created", "updated", "moved", "deleted")
    },
    **{
        f"sprint_{what}": EventMapping(occurrence=SPRINT)
        for what in ("created", "updated", "started", "closed", "deleted")
    },
    **{
        f"project_{what}": EventMapping(occurrence={"project": "body:project.key"})
        for what in ("created", "updated", "deleted")
    },
    **{
        f"issuelink_{what}": EventMapping(occurrence={"number": "body:issueLink.sourceIssueId"})
        for what in ("created", "deleted")
    },
    "attachment_created": EventMapping(occurrence={"title": "body:attachment.filename"}),
}
