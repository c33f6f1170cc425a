"""GitHub's webhook events in the shared vocabulary."""

from jackfield_common.connector.webhook import EventMapping

PIPELINE_STATES = {
    "requested": "queued",
    "pending": "queued",
    "waiting": "queued",
    "in_progress": "running",
    "failure": "failed",
    "timed_out": "failed",
    "startup_failure": "failed",
    "error": "failed",
    "canceled": "cancelled",
}
HERE = {
    "repository": "body:repository.full_name",
    "actor": "body:sender.login",
    "action": "body:action",
}


def _issue(item: str) -> dict[str, str]:
    return HERE | {
        "number": f"body:{item}.number",
        "title": f"body:{item}.title",
        "description": f"body:{item}.body",
        "state": f"body:{item}.state",
        "url": f"body:{item}.html_url",
    }


def _run(item: str, state: str) -> dict[str, str]:
    return HERE | {
        "ref": f"body:{item}.head_branch",
        "sha": f"body:{item}.head_sha",
        "title": f"body:{item}.name",
        "number": f"body:{item}.id",
        "state": f"body:{item}.{state}",
        "url": f"body:{item}.html_url",
    }


def _alert(severity: str) -> dict[str, str]:
    return HERE | {
        "number": "body:alert.number",
        "state": "body:alert.state",
        "severity": severity,
        "url": "body:alert.html_url",
    }


PULL_REQUEST = _issue("pull_request") | {
    "ref": "body:pull_request.head.ref",
    "sha": "body:pull_request.head.sha",
}
DEPLOYMENT = HERE | {
    "ref": "body:deployment.ref",
    "sha": "body:deployment.sha",
    "environment": "body:deployment.environment",
    "number": "body:deployment.id",
    "url": "body:deployment.url",
}

EVENTS = {
    "ping": EventMapping(),
    "push": EventMapping(
        canonical="push",
        occurrence={
            "repository": "body:repository.full_name",
            "ref": "body:ref",
            "sha": "body:after",
            "actor": "body:pusher.name",
            "title": "body:head_commit.message",
            "url": "body:compare",
        },
    ),
    "pull_request.*": EventMapping(canonical="merge_request", occurrence=PULL_REQUEST),
    "pull_request_review.*": EventMapping(
        canonical="review",
        occurrence=PULL_REQUEST
        | {
            "state": "body:review.state",
            "url": "body:review.html_url",
            "actor": "body:review.user.login",
        },
    ),
    "pull_request_review_comment.*": EventMapping(
        canonical="comment",
        occurrence=PULL_REQUEST
        | {"description": "body:comment.body", "url": "body:comment.html_url"},
    ),
    "issues.*": EventMapping(canonical="issue", occurrence=_issue("issue")),
    "issue_comment.*": EventMapping(
        canonical="comment",
        occurrence=_issue("issue")
        | {"description": "body:comment.body", "url": "body:comment.html_url"},
    ),
    "commit_comment.*": EventMapping(
        canonical="comment",
        occurrence=HERE
        | {
            "sha": "body:comment.commit_id",
            "description": "body:comment.body",
            "url": "body:comment.html_url",
        },
    ),
    "workflow_run.completed": EventMapping(
        canonical="pipeline", occurrence=_run("workflow_run", "conclusion"), states=PIPELINE_STATES
    ),
    "workflow_run.*": EventMapping(
        canonical="pipeline", occurrence=_run("workflow_run", "status"), states=PIPELINE_STATES
    ),
    "workflow_job.completed": EventMapping(
        canonical="job", occurrence=_run("workflow_job", "conclusion"), states=PIPELINE_STATES
    ),
    "workflow_job.*": EventMapping(
        canonical="job", occurrence=_run("workflow_job", "status"), states=PIPELINE_STATES
    ),
    "check_suite.completed": EventMapping(
        canonical="pipeline",
        occurrence=_run("check_suite", "conclusion")
        | {"title": "body:check_suite.app.name", "url": "body:check_suite.url"},
        states=PIPELINE_STATES,
    ),
    "check_suite.*": EventMapping(
        canonical="pipeline",
        occurrence=_run("check_suite", "status")
        | {"title": "body:check_suite.app.name", "url": "body:check_suite.url"},
        states=PIPELINE_STATES,
    ),
    "check_run.completed": EventMapping(
        canonical="pipeline",
        occurrence=_run("check_run", "conclusion")
        | {"ref": "body:check_run.check_suite.head_branch"},
        states=PIPELINE_STATES,
    ),
    "check_run.*": EventMapping(
        canonical="pipeline",
        occurrence=_run("check_run", "status") | {"ref": "body:check_run.check_suite.head_branch"},
        states=PIPELINE_STATES,
    ),
    "status": EventMapping(
        canonical="pipeline",
        occurrence=HERE
        | {
            "sha": "body:sha",
            "ref": "body:branches.0.name",
            "title": "body:context",
            "description": "body:description",
            "state": "body:state",
            "url": "body:target_url",
        },
        states=PIPELINE_STATES,
    ),
    "release.*": EventMapping(
        canonical="release",
        occurrence=HERE
        | {
            "ref": "body:release.tag_name",
            "title": "body:release.name",
            "description": "body:release.body",
            "url": "body:release.html_url",
        },
    ),
    "create": EventMapping(
        canonical="ref_created",
        occurrence=HERE | {"ref": "body:ref", "title": "body:ref_type"},
    ),
    "delete": EventMapping(
        canonical="ref_deleted",
        occurrence=HERE | {"ref": "body:ref", "title": "body:ref_type"},
    ),
    "deployment.*": EventMapping(canonical="deployment", occurrence=DEPLOYMENT),
    "deployment_status.*": EventMapping(
        canonical="deployment",
        occurrence=DEPLOYMENT
        | {
            "state": "body:deployment_status.state",
            "description": "body:deployment_status.description",
            "url": "body:deployment_status.target_url",
        },
        states=PIPELINE_STATES,
    ),
    "gollum": EventMapping(
        canonical="wiki_page",
        occurrence=HERE
        | {
            "title": "body:pages.0.title",
            "action": "body:pages.0.action",
            "url": "body:pages.0.html_url",
        },
    ),
    "dependabot_alert.*": EventMapping(
        canonical="security_alert",
        occurrence=_alert("body:alert.security_advisory.severity")
        | {"title": "body:alert.security_advisory.summary"},
    ),
    "code_scanning_alert.*": EventMapping(
        canonical="security_alert",
        occurrence=_alert("body:alert.rule.severity")
        | {"title": "body:alert.rule.description", "ref": "body:ref", "sha": "body:commit_oid"},
    ),
    "secret_scanning_alert.*": EventMapping(
        canonical="security_alert",
        occurrence=HERE
        | {
            "number": "body:alert.number",
            "title": "body:alert.secret_type",
            "url": "body:alert.html_url",
        },
    ),
    "discussion.*": EventMapping(occurrence=_issue("discussion")),
    "fork": EventMapping(occurrence=HERE | {"url": "body:forkee.html_url"}),
    "star.*": EventMapping(occurrence=HERE),
    "watch.*": EventMapping(occurrence=HERE),
    "member.*": EventMapping(occurrence=HERE),
    "repository.*": EventMapping(occurrence=HERE),
    "repository_dispatch.*": EventMapping(occurrence=HERE),
    "workflow_dispatch": EventMapping(occurrence=HERE | {"ref": "body:ref"}),
}
