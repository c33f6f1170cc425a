"""What becomes of an action when its vendor, its credential or its worker fails."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from jackfield_common.errors import ErrorKind
from jackfield_common.events import (
    ActionCompleted,
    Answer,
    ConnectorsCommand,
    CredentialState,
    DeadLetter,
    HealthState,
    RefreshRequested,
)
from jackfield_common.events.health import Health
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from jackfield_common.sealing import Keys, create_missing_keys
from jackfield_common.topics import ACTION_DEAD, INTEGRATION, Service
from tests.integration.connectors.stack import Handler, Stack, says_ok, stack, vendor
from tests.platform import until

REPO = "octocat/hello"
ISSUE = {
    "number": 7,
    "title": "t",
    "state": "open",
    "html_url": "https://github.com/octocat/hello/issues/7",
}


def in_turn(*answers: Handler) -> Handler:
    """Behaves in turn; the last one stays."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


def status(code: int, body: object = None, **headers: str) -> Handler:
    """Answers with this status."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(
            body, status=code, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """Takes the request and breaks the connection off."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def slack(service: Stack, url: str) -> IntegrationId:
    """A Slack integration by incoming webhook."""
    return await service.install("slack", auth="secret_url", fields={"webhook_url": url})


async def github(service: Stack, url: str, auth: str = "bearer") -> IntegrationId:
    """A GitHub integration on a host of its own."""
    fields = {"token": "t0"} if auth == "bearer" else {"access_token": "a0", "client_id": "c"}
    return await service.install("github", auth=auth, fields=fields, config={"base_url": url})


async def test_a_vendor_that_recovers_gets_the_action_again(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(
            in_turn(status(503, retry_after="0"), status(429, retry_after="0"), says_ok)
        ) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
        service.feed(HealthState) as health,
    ):
        integration = await slack(service, there.url)
        await service.request(integration, "slack", "send_message", {"text": "hello"})
        result = await results.next(ActionCompleted)
        assert (result.success, result.attempts) == (True, 3)
        assert [json.loads(one.body) for one in there.requests] == [{"text": "hello"}] * 3
        await health.next(HealthState, lambda one: one.status is Health.DEGRADED)
        await health.next(HealthState, lambda one: one.status is Health.HEALTHY)
        assert len(results.all(ActionCompleted)) == 1


async def test_an_action_that_is_given_up_is_a_result_and_a_dead_letter(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(status(500, {"message": "oops"}, retry_after="0")) as there,
        stack(kafka, database, topic_prefix, tmp_path, action_retries=1) as service,
        service.feed(ActionCompleted) as results,
        service.feed(DeadLetter, ACTION_DEAD) as dead,
    ):
        integration = await github(service, there.url)
        request = await service.request(integration, "github", "get_repo", {"repo": REPO})
        letter = await dead.next(DeadLetter)
        assert letter.kind is ErrorKind.UNAVAILABLE
        assert len(letter.attempts) == 2
        result = await results.next(ActionCompleted)
        assert (result.success, result.error, result.attempts) == (False, ErrorKind.UNAVAILABLE, 2)
        assert result.action_id == request.action_id
        assert "oops" in result.message
        assert len(there.requests) == 2


async def test_an_unsafe_action_that_was_cut_off_waits_for_its_owner(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(in_turn(hangs_up, says_ok)) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
        service.feed(DeadLetter, ACTION_DEAD) as dead,
        service.feed(Answer) as answers,
    ):
        integration = await slack(service, there.url)
        request = await service.request(integration, "slack", "send_message", {"text": "once"})
        letter = await dead.next(DeadLetter)
        assert letter.kind is ErrorKind.OUTCOME_UNKNOWN
        result = await results.next(ActionCompleted)
        assert result.error is ErrorKind.OUTCOME_UNKNOWN

        # asked for again, it is not sent again: the first result stands
        again = await service.request(
            integration, "slack", "send_message", {"text": "once"},
            action_id=request.action_id, wait=20,
        )  # fmt: skip
        assert again.question is not None
        answer = await answers.next(Answer)
        assert (answer.success, answer.error) == (False, ErrorKind.OUTCOME_UNKNOWN)
        assert len(there.requests) == 1

        # its owner decides that it may be sent twice
        await service.publisher.publish(
            ConnectorsCommand(
                tenant=DEFAULT_TENANT, verb="replay", state="dead", integration_id=integration
            )
        )
        replayed = await results.next(ActionCompleted, lambda one: one.success)
        assert replayed.action_id == request.action_id
        assert len(there.requests) == 2


async def test_the_owner_may_choose_repetition_beforehand(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(in_turn(hangs_up, says_ok)) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
    ):
        integration = await service.install(
            "slack",
            auth="secret_url",
            fields={"webhook_url": there.url},
            config={"repeat_unknown_outcomes": True},
        )
        await service.request(integration, "slack", "send_message", {"text": "twice"})
        assert (await results.next(ActionCompleted)).success
        assert len(there.requests) == 2


async def test_an_intent_that_a_dead_process_left_is_an_unknown_outcome(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(says_ok) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
    ):
        integration = await slack(service, there.url)
        await service.platform.pool.execute(
            "INSERT INTO action (action_id, integration_id, state) VALUES ('a1', $1, 'intent')",
            integration,
        )
        await service.request(
            integration, "slack", "send_message", {"text": "maybe"}, action_id="a1"
        )
        result = await results.next(ActionCompleted)
        assert result.error is ErrorKind.OUTCOME_UNKNOWN
        assert there.requests == []


async def test_whoever_waits_gets_the_failure_within_the_deadline(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(status(503)) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(Answer) as answers,
    ):
        integration = await github(service, there.url)
        request = await service.request(integration, "github", "get_repo", {"repo": REPO}, wait=3)
        answer = await answers.next(Answer)
        assert request.question is not None
        assert answer.at < request.question.deadline
        assert (answer.success, answer.error) == (False, ErrorKind.UNAVAILABLE)
        assert len(there.requests) > 1
        rows = await service.platform.pool.fetchval("SELECT count(*) FROM lane_work")
        assert rows == 0, "what somebody waited for is never parked"


async def test_a_refused_token_is_refreshed_once_and_the_call_made_again(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async def by_token(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer a1":
            return web.json_response({"message": "Bad credentials"}, status=401)
        return web.json_response(ISSUE, status=201)

    async with (
        vendor(by_token) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
        service.feed(RefreshRequested) as refreshes,
    ):
        integration = await github(service, there.url, "oauth2")
        for number in range(3):
            await service.request(
                integration,
                "github",
                "create_issue",
                {"repo": REPO, "title": f"issue {number}"},
                ordering=str(number),
            )
        refresh = await refreshes.next(RefreshRequested)
        assert (refresh.integration_id, refresh.credential_version) == (integration, 1)
        await service.credential(integration, "oauth2", {"access_token": "a1"}, 2)
        await until(lambda: len(results.all(ActionCompleted)) == 3)
        assert all(one.success for one in results.all(ActionCompleted))
        assert len(refreshes.all(RefreshRequested)) == 1


async def test_a_refused_fixed_token_is_the_result_and_shows_in_the_health(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(status(401, {"message": "Bad credentials"})) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
        service.feed(HealthState) as health,
    ):
        integration = await github(service, there.url)
        await service.request(integration, "github", "get_repo", {"repo": REPO})
        result = await results.next(ActionCompleted)
        assert (result.error, result.attempts) == (ErrorKind.AUTH, 1)
        state = await health.next(HealthState)
        assert (state.status, state.authentication_status) == (Health.UNHEALTHY, "failed")
        assert len(there.requests) == 1


async def test_a_credential_that_the_vault_did_not_sign_is_never_used(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(says_ok) as there,
        stack(kafka, database, topic_prefix, tmp_path / "keys") as service,
        service.feed(ActionCompleted) as results,
    ):
        create_missing_keys(tmp_path / "others")
        forger = Keys.load(tmp_path / "others", Service.OAUTH)
        content = json.dumps({"auth": "secret_url", "fields": {"webhook_url": there.url}}).encode()
        integration = IntegrationId("forged")
        token = forger.sign(
            {
                "integration_id": integration,
                "version": 1,
                "tenant": DEFAULT_TENANT,
                "jwe": service.vault.seal(Service.CONNECTORS, "credential", content).jwe,
            }
        )
        await service.publisher.publish(
            CredentialState(
                tenant=DEFAULT_TENANT, version=1, integration_id=integration, token=token
            )
        )
        await service.state(integration, "slack", credential=1)
        await service.request(integration, "slack", "send_message", {"text": "x"})
        result = await results.next(ActionCompleted)
        assert result.error is ErrorKind.BUG
        assert "not signed by oauth" in result.message
        assert there.requests == []


async def test_an_action_waits_for_what_it_was_built_on(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(status(200, ISSUE)) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
    ):
        integration = await github(service, there.url)
        # the second version of both is announced by the request, and comes late
        service.versions[integration] = 2
        await service.request(integration, "github", "get_issue", {"repo": REPO, "issue_number": 7})
        await asyncio.sleep(0.3)
        assert results.all(ActionCompleted) == []
        service.versions[integration] = 1
        await service.state(integration, "github", config={"base_url": there.url}, credential=2)
        await asyncio.sleep(0.3)
        assert results.all(ActionCompleted) == []
        await service.credential(integration, "bearer", {"token": "t2"}, 2)
        assert (await results.next(ActionCompleted)).success
        assert [one.headers["authorization"] for one in there.requests] == ["Bearer t2"]


async def test_what_is_switched_off_uninstalled_or_unknown_is_not_called(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        vendor(says_ok) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
        service.feed(HealthState) as health,
    ):
        off = await service.install(
            "slack", auth="secret_url", fields={"webhook_url": there.url}, enabled=False
        )
        await service.request(off, "slack", "send_message", {"text": "x"})
        result = await results.next(ActionCompleted, lambda one: one.integration_id == off)
        assert result.error is ErrorKind.FORBIDDEN

        odd = await slack(service, there.url)
        await service.request(odd, "slack", "fly_to_the_moon")
        result = await results.next(ActionCompleted, lambda one: one.integration_id == odd)
        assert (result.error, result.field) == (ErrorKind.INVALID, "action")

        bare = await service.install("slack")
        await service.request(bare, "slack", "send_message", {"text": "x"})
        result = await results.next(ActionCompleted, lambda one: one.integration_id == bare)
        assert (result.error, result.field) == (ErrorKind.INVALID, "webhook_url")
        assert there.requests == []

        gone = await slack(service, there.url)
        await service.request(gone, "slack", "test_connection")
        await health.next(HealthState, lambda one: one.integration_id == gone)
        async with service.platform.outbox.transaction() as connection:
            await service.platform.outbox.delete(connection, INTEGRATION, gone, 9)
        count = "SELECT count(*) FROM health WHERE integration_id = $1"
        async with asyncio.timeout(20):
            while await service.platform.pool.fetchval(count, gone):
                await asyncio.sleep(0.05)
        await service.request(gone, "slack", "send_message", {"text": "x"})
        result = await results.next(
            ActionCompleted, lambda one: one.integration_id == gone and not one.success
        )
        assert result.error is ErrorKind.NOT_FOUND


async def test_one_lane_stays_in_order_and_lanes_do_not_wait_for_each_other(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    release = asyncio.Event()

    async def slow_for_a(request: web.Request) -> web.StreamResponse:
        if json.loads(await request.read())["text"] == "a0":
            await release.wait()
        return web.Response(text="ok")

    async with (
        vendor(slow_for_a) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
    ):
        integration = await slack(service, there.url)
        for number in range(5):
            for lane in ("a", "b"):
                await service.request(
                    integration, "slack", "send_message", {"text": f"{lane}{number}"}, ordering=lane
                )
        await until(lambda: len(results.all(ActionCompleted)) == 5)
        texts = [json.loads(one.body)["text"] for one in there.requests]
        assert [text for text in texts if text[0] == "b"] == ["b0", "b1", "b2", "b3", "b4"]
        assert [text for text in texts if text[0] == "a"] == ["a0"]
        release.set()
        await until(lambda: len(results.all(ActionCompleted)) == 10)
        texts = [json.loads(one.body)["text"] for one in there.requests if b"a" in one.body]
        assert texts == ["a0", "a1", "a2", "a3", "a4"]


@pytest.mark.parametrize("value", [b"not json", b"{}", b""])
async def test_what_is_no_request_is_a_dead_letter_and_blocks_nothing(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path, value: bytes
) -> None:
    async with (
        vendor(says_ok) as there,
        stack(kafka, database, topic_prefix, tmp_path) as service,
        service.feed(ActionCompleted) as results,
        service.feed(DeadLetter, ACTION_DEAD) as dead,
    ):
        integration = await slack(service, there.url)
        producer = service.kafka.producer()
        await producer.start()
        await producer.send_and_wait(
            service.kafka.naming.physical(ActionCompleted.topic).replace("completed", "requested"),
            value=value,
            key=integration.encode(),
        )
        await producer.stop()
        await service.request(integration, "slack", "send_message", {"text": "after"})
        assert (await results.next(ActionCompleted)).success
        assert (await dead.next(DeadLetter)).kind is ErrorKind.INVALID
