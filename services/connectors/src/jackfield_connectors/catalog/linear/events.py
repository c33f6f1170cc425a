"""Linear's webhook events in the shared vocabulary: `Type.action`."""

from jackfield_common.connector.webhook import EventMapping

EVENTS = {
    "Issue.*": EventMapping(
        canonical="issue",
        occurrence={
            "project": "body:data.team.key",
            "number": "body:data.identifier",
            "title": "body:data.title",
            "description": "body:data.description",
            "state": "body:data.state.name",
            "severity": "body:data.priorityLabel",
            "actor": "body:actor.name",
            "action": "body:action",
            "url": "body:url",
        },
    ),
    "Comment.*": EventMapping(
        canonical="comment",
        occurrence={
            "number": "body:data.issueId",
            "title": "body:data.issue.title",
            "description": "body:data.body",
            "actor": "body:actor.name",
            "action": "body:action",
            "url": "body:url",
        },
    ),
    **{
        f"{name}.*": EventMapping(
            occurrence={"title": "body:data.name", "action": "body:action", "url": "body:url"}
        )
        for name in ("Project", "ProjectUpdate", "Cycle", "IssueLabel", "Reaction", "Attachment")
    },
}
