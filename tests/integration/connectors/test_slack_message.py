"""A message goes out to Slack: by incoming webhook, from the request on the bus to the receiver."""

import json
from pathlib import Path

from jackfield_common.errors import ErrorKind
from jackfield_common.events import ActionCompleted, Answer, HealthState
from jackfield_common.events.health import Health
from tests.integration.connectors.stack import says_ok, stack, vendor


async def test_a_requested_message_arrives_once_and_its_result_is_published(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(says_ok) as slack,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
    ):
        url = f"{slack.url}/services/T000/B000/XXXX"
        integration = await service.install("slack", auth="secret_url", fields={"webhook_url": url})
        request = await service.request(integration, "slack", "send_message", {"text": "Grüße 👋"})
        result = await results.next(ActionCompleted)
        assert result.success, result.message
        assert result.action_id == request.action_id
        assert [(one.method, one.path) for one in slack.requests] == [
            ("POST", "/services/T000/B000/XXXX")
        ]
        assert json.loads(slack.requests[0].body) == {"text": "Grüße 👋"}

        # the same action again: a no-op
        again = await service.request(
            integration,
            "slack",
            "send_message",
            {"text": "x"},
            action_id=request.action_id,
            wait=10,
        )
        async with service.feed(Answer) as answers:
            await service.publisher.publish(again)
            answer = await answers.next(Answer)
        assert answer.success
        assert len(slack.requests) == 1


async def test_a_wrong_parameter_is_a_result_that_names_the_field_and_sends_nothing(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(says_ok) as slack,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
    ):
        integration = await service.install(
            "slack", auth="secret_url", fields={"webhook_url": slack.url}
        )
        await service.request(integration, "slack", "send_message", {"text": ""})
        result = await results.next(ActionCompleted)
        assert (result.success, result.error, result.field) == (False, ErrorKind.INVALID, "text")
        assert slack.requests == []


async def test_testing_the_connection_says_how_the_integration_does(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(says_ok) as slack,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(HealthState) as health,
        service.feed(Answer) as answers,
    ):
        integration = await service.install(
            "slack", auth="secret_url", fields={"webhook_url": slack.url}
        )
        request = await service.request(integration, "slack", "test_connection", wait=10)
        answer = await answers.next(Answer)
        assert request.question is not None
        assert answer.correlation_id == request.question.correlation_id
        assert answer.success
        state = await health.next(HealthState)
        assert state.status is Health.HEALTHY
        assert state.authentication_status == "ok"
        assert state.last_check is not None
