"""Which events are told of: a failed pipeline is, a successful one sends nothing."""

import pytest

from jackfield_connectors.catalog.slack.actions import escaped, left_out
from jackfield_connectors.catalog.slack.inputs import NotifyEvent


def event(
    kind: str, canonical: str | None, state: str | None = None, **settings: object
) -> NotifyEvent:
    return NotifyEvent.model_validate(
        {
            "event_type": kind,
            "canonical_type": canonical,
            "occurrence": {"state": state},
            **settings,
        }
    )


TOLD: list[tuple[NotifyEvent, bool]] = [
    (event("push", "push"), True),
    (event("push", "push", events=("push",)), True),
    (event("push", "push", events=("pipeline",)), False),
    (event("pull_request.opened", "merge_request", events=("pull_request.*",)), True),
    (event("pull_request.opened", "merge_request", events=("merge_request",)), True),
    (event("issues.opened", "issue", events=("pull_request.*",)), False),
    (event("p", "pipeline", "failed", notify_only_broken_pipelines=True), True),
    (event("p", "pipeline", "success", notify_only_broken_pipelines=True), False),
    (event("p", "pipeline", "running", notify_only_broken_pipelines=True), False),
    (event("p", "pipeline", None, notify_only_broken_pipelines=True), False),
    (event("p", "pipeline", "success"), True),
    (event("push", "push", None, notify_only_broken_pipelines=True), True),
]


@pytest.mark.parametrize(("given", "told"), TOLD)
def test_what_is_told_of(given: NotifyEvent, told: bool) -> None:
    assert (left_out(given) is None) is told


def test_a_title_mentions_nobody() -> None:
    assert escaped("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
