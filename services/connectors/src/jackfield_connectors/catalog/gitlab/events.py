"""GitLab's webhook events in the shared vocabulary."""

from jackfield_common.connector.webhook import EventMapping

STATES = {
    "opened": "open",
    "reopened": "open",
    "created": "queued",
    "pending": "queued",
    "waiting_for_resource": "queued",
    "preparing": "queued",
    "canceled": "cancelled",
    "canceling": "cancelled",
}
HERE = {
    "repository": "body:project.path_with_namespace",
    "actor": "body:user.username",
    "action": "body:object_attributes.action",
}
PUSH = {
    "repository": "body:project.path_with_namespace",
    "ref": "body:ref",
    "sha": "body:after",
    "actor": "body:user_username",
    "title": "body:commits.0.title",
    "url": "body:project.web_url",
}
ITEM = HERE | {
    "number": "body:object_attributes.iid",
    "title": "body:object_attributes.title",
    "description": "body:object_attributes.description",
    "state": "body:object_attributes.state",
    "url": "body:object_attributes.url",
}

EVENTS = {
    "push": EventMapping(canonical="push", occurrence=PUSH),
    "tag_push": EventMapping(canonical="tag_push", occurrence=PUSH | {"title": "body:message"}),
    "issue.*": EventMapping(canonical="issue", occurrence=ITEM, states=STATES),
    "work_item.*": EventMapping(canonical="issue", occurrence=ITEM, states=STATES),
    "merge_request.*": EventMapping(
        canonical="merge_request",
        occurrence=ITEM
        | {
            "ref": "body:object_attributes.source_branch",
            "sha": "body:object_attributes.last_commit.id",
        },
        states=STATES,
    ),
    "note.*": EventMapping(
        canonical="comment",
        occurrence=HERE
        | {
            "description": "body:object_attributes.note",
            "number": "body:object_attributes.id",
            "title": "body:object_attributes.noteable_type",
            "url": "body:object_attributes.url",
        },
    ),
    "pipeline": EventMapping(
        canonical="pipeline",
        occurrence={
            "repository": "body:project.path_with_namespace",
            "actor": "body:user.username",
            "ref": "body:object_attributes.ref",
            "sha": "body:object_attributes.sha",
            "number": "body:object_attributes.id",
            "title": "body:commit.title",
            "state": "body:object_attributes.status",
            "url": "body:object_attributes.url",
        },
        states=STATES,
    ),
    "build": EventMapping(
        canonical="job",
        occurrence={
            "repository": "body:project_name",
            "actor": "body:user.username",
            "ref": "body:ref",
            "sha": "body:sha",
            "number": "body:build_id",
            "title": "body:build_name",
            "state": "body:build_status",
            "environment": "body:environment.name",
        },
        states=STATES,
    ),
    "deployment": EventMapping(
        canonical="deployment",
        occurrence={
            "repository": "body:project.path_with_namespace",
            "actor": "body:user.username",
            "ref": "body:ref",
            "sha": "body:short_sha",
            "number": "body:deployment_id",
            "title": "body:commit_title",
            "state": "body:status",
            "environment": "body:environment",
            "url": "body:deployable_url",
        },
        states=STATES,
    ),
    "release": EventMapping(
        canonical="release",
        occurrence={
            "repository": "body:project.path_with_namespace",
            "ref": "body:tag",
            "title": "body:name",
            "description": "body:description",
            "action": "body:action",
            "url": "body:url",
        },
    ),
    "wiki_page.*": EventMapping(
        canonical="wiki_page",
        occurrence=HERE
        | {
            "title": "body:object_attributes.title",
            "url": "body:object_attributes.url",
        },
    ),
    "feature_flag": EventMapping(occurrence=HERE | {"title": "body:object_attributes.name"}),
    "emoji.*": EventMapping(occurrence=HERE | {"title": "body:object_attributes.name"}),
    "milestone.*": EventMapping(occurrence=HERE | {"title": "body:object_attributes.title"}),
    "access_token": EventMapping(),
}
