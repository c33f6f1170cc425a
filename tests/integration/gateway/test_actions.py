"""Calling vendors through the API."""

import asyncio
from collections import Counter

import pytest

from jackfield_common.errors import ErrorKind
from jackfield_common.events.action import ActionCompleted
from jackfield_common.ids import DEFAULT_TENANT, ActionId, IntegrationId, SubscriptionId, new_id
from tests.integration.gateway.running import Running, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def path(key: str, action: str = "send_message") -> str:
    return f"/api/marketplace/installed/{key}/actions/{action}"


def asked(gateway: Running, key: str) -> Counter[str]:
    """How often the worker was asked for each action of an integration."""
    return Counter(one.action_id for one in gateway.worker.seen if one.integration_id == key)


async def test_a_result_comes_back_within_the_wait(gateway: Running) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post(path(key), json={"input": {"text": "hello"}})
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert (result["status"], result["success"], result["message"]) == ("completed", True, "done")
    assert result["data"] == {"echo": {"text": "hello"}}
    [request] = [one for one in gateway.worker.seen if one.integration_id == key]
    assert request.question is not None
    assert request.lane() == f"?{request.action_id}"
    assert request.integration_version == 2
    kept = (await gateway.http.get(f"/api/actions/{result['action_id']}")).json()
    assert kept["success"] is True

    async def complete() -> bool:
        kept = (await gateway.http.get(f"/api/actions/{result['action_id']}")).json()
        return kept["duration_ms"] == 1.5

    await eventually(complete)


async def test_a_failure_at_the_vendor_is_a_result(gateway: Running) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post(path(key), json={"input": {"text": "x", "channel": "nowhere"}})
    assert answer.status_code == 200
    result = answer.json()
    assert (result["success"], result["error"], result["field"]) == (False, "invalid", "channel")
    kept = (await gateway.http.get(f"/api/actions/{result['action_id']}")).json()
    assert (kept["success"], kept["field"]) == (False, "channel")


async def test_a_list_is_a_result_as_well(gateway: Running) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post(path(key), json={"input": {"text": "x", "channel": "list"}})
    assert answer.json()["data"] == [1, "two"]


async def test_without_waiting_the_result_is_read_later(gateway: Running) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post(
        path(key), params={"wait": 0}, json={"input": {"text": "later", "channel": "ops"}}
    )
    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    where = answer.headers["location"]

    async def complete() -> bool:
        return (await gateway.http.get(where)).json()["status"] == "completed"

    await eventually(complete)
    [request] = [one for one in gateway.worker.seen if one.integration_id == key]
    assert request.question is None
    assert request.lane() == "ops"


async def test_a_slow_vendor_is_answered_with_202(gateway: Running) -> None:
    key = await gateway.ready_chat()
    gateway.worker.answers = False
    try:
        answer = await gateway.http.post(
            path(key), params={"wait": 0.3}, json={"input": {"text": "slow"}}
        )
    finally:
        gateway.worker.answers = True
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/actions/{answer.json()['action_id']}"


async def test_the_connection_test_is_an_action(gateway: Running) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post(f"/api/marketplace/installed/{key}/test")
    assert answer.status_code == 200
    assert answer.json()["action"] == "test_connection"


async def test_the_same_idempotency_key_calls_once(gateway: Running) -> None:
    key = await gateway.ready_chat()
    headers = {"Idempotency-Key": new_id()}
    body = {"input": {"text": "once"}}
    first = await gateway.http.post(path(key), json=body, headers=headers)
    again = await gateway.http.post(path(key), json=body, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["action_id"] == first.json()["action_id"]
    assert again.json()["data"] == first.json()["data"]
    assert asked(gateway, key) == {first.json()["action_id"]: 1}
    other = await gateway.http.post(path(key), json={"input": {"text": "two"}}, headers=headers)
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_concurrent_duplicates_get_one_result(gateway: Running) -> None:
    key = await gateway.ready_chat()
    headers = {"Idempotency-Key": new_id()}
    body = {"input": {"text": "at once"}}
    answers = await asyncio.gather(
        *(gateway.http.post(path(key), json=body, headers=headers) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["action_id"] for answer in answers}) == 1
    # Asked several times perhaps, but for one action: whoever carries it out does so once.
    assert len(asked(gateway, key)) == 1


async def test_a_repeat_brings_what_a_crash_held_back(gateway: Running) -> None:
    key = await gateway.ready_chat()
    headers = {"Idempotency-Key": new_id()}
    body = {"input": {"text": "lost"}}
    gateway.worker.answers = False
    try:
        lost = await gateway.http.post(path(key), params={"wait": 0.2}, json=body, headers=headers)
    finally:
        gateway.worker.answers = True
    assert lost.status_code == 202
    again = await gateway.http.post(path(key), json=body, headers=headers)
    assert again.status_code == 200
    assert again.json()["action_id"] == lost.json()["action_id"]


@pytest.mark.parametrize(
    ("action", "given", "status", "said"),
    [
        ("send_message", {}, 422, "input.text"),
        ("send_message", {"text": 1}, 422, "input.text"),
        ("send_message", {"text": "x", "colour": "red"}, 422, "input.colour"),
        ("no_such_action", {}, 404, "send_message"),
    ],
)
async def test_a_wrong_call_is_refused_before_anything_is_sent(
    gateway: Running, action: str, given: dict[str, object], status: int, said: str
) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post(path(key, action), json={"input": given})
    assert answer.status_code == status
    assert said in answer.text
    assert not asked(gateway, key)


async def test_what_is_not_configured_cannot_be_called(gateway: Running) -> None:
    key = str((await gateway.install("chat", auth="bearer"))["integration_id"])
    answer = await gateway.http.post(path(key), json={"input": {"text": "x"}})
    assert answer.status_code == 409
    assert "no credential" in answer.json()["detail"]
    key = await gateway.ready_chat()
    await gateway.configure(key, enabled=False)
    answer = await gateway.http.post(path(key), json={"input": {"text": "x"}})
    assert answer.status_code == 409
    assert "disabled" in answer.json()["detail"]


async def test_an_action_may_need_another_way_to_sign_in(gateway: Running) -> None:
    key = str((await gateway.install("chat"))["integration_id"])
    await gateway.configure(
        key, credentials={"webhook_url": "https://hooks.chat.example.com/services/abc"}
    )
    answer = await gateway.http.post(path(key, "archive"), json={})
    assert answer.status_code == 409
    assert "bearer" in answer.json()["detail"]


async def test_results_of_routes_can_be_read_as_well(gateway: Running) -> None:
    done = ActionCompleted(
        tenant=DEFAULT_TENANT,
        action_id=ActionId(new_id()),
        integration_id=IntegrationId("gone"),
        connector="chat",
        action="send_message",
        success=False,
        message="no such channel \x00",
        data={"odd": "\x00\ud7ff", "list": [1, None]},
        error=ErrorKind.NOT_FOUND,
        field="channel",
        duration_ms=3,
        subscription_id=SubscriptionId("route-1"),
    )
    for _ in range(2):
        await gateway.publish(done)

    async def there() -> bool:
        return (await gateway.http.get(f"/api/actions/{done.action_id}")).status_code == 200

    await eventually(there)
    result = (await gateway.http.get(f"/api/actions/{done.action_id}")).json()
    assert result["error"] == "not_found"
    assert result["data"] == done.data
    assert result["subscription_id"] == "route-1"


async def test_nobody_elses_actions_are_shown(gateway: Running) -> None:
    done = ActionCompleted(
        tenant="other",  # type: ignore[arg-type]
        action_id=ActionId(new_id()),
        integration_id=IntegrationId("theirs"),
        connector="chat",
        action="send_message",
        success=True,
        message="",
        duration_ms=1,
    )
    mine = done.model_copy(update={"tenant": DEFAULT_TENANT, "action_id": ActionId(new_id())})
    await gateway.publish(done)
    await gateway.publish(mine)

    async def there() -> bool:
        return (await gateway.http.get(f"/api/actions/{mine.action_id}")).status_code == 200

    await eventually(there)
    assert (await gateway.http.get(f"/api/actions/{done.action_id}")).status_code == 404
