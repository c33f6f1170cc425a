"""Routes through the API."""

import asyncio
from typing import Any

import pytest

from jackfield_common.events.subscription import SubscriptionState
from jackfield_common.topics import SUBSCRIPTION
from tests.integration.gateway.running import Running, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def draft(key: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "Pushes to the channel",
        "events": ["push"],
        "target": {
            "integration_id": key,
            "action": "send_message",
            "transform": '{"text": event_type}',
        },
    } | more


async def states(gateway: Running, route: str) -> list[SubscriptionState]:
    return [one for one in await gateway.events(SubscriptionState) if one.subscription_id == route]


async def test_a_route_is_kept_told_changed_and_deleted(gateway: Running) -> None:
    key = await gateway.ready_chat()
    source = str((await gateway.install("forge"))["integration_id"])
    answer = await gateway.http.post(
        "/api/routes",
        json=draft(key, source=source, condition='event.occurrence.ref == "refs/heads/main"'),
    )
    assert answer.status_code == 201, answer.text
    route = answer.json()
    where = answer.headers["location"]
    assert where == f"/api/routes/{route['subscription_id']}"
    assert (await gateway.http.get(where)).json() == route

    changed = await gateway.http.patch(where, json={"enabled": False, "condition": None})
    assert changed.status_code == 200
    assert (changed.json()["enabled"], changed.json()["condition"]) == (False, None)
    assert changed.json()["version"] == 2
    same = await gateway.http.patch(where, json={"enabled": False})
    assert same.json()["version"] == 2

    replaced = await gateway.http.put(where, json=draft(key, name="Another"))
    assert replaced.json()["name"] == "Another"
    assert replaced.json()["source"] is None
    assert (await gateway.http.delete(where)).status_code == 204
    assert (await gateway.http.get(where)).status_code == 404

    async def told() -> bool:
        found = await states(gateway, route["subscription_id"])
        records = await gateway.records(SUBSCRIPTION)
        last = [value for k, value in records if k == route["subscription_id"].encode()][-1]
        return last is None and [
            (one.version, one.name, one.enabled, one.source) for one in found
        ] == [
            (1, "Pushes to the channel", True, source),
            (2, "Pushes to the channel", False, source),
            (3, "Another", True, None),
        ]

    await eventually(told)


@pytest.mark.parametrize(
    ("more", "field", "said"),
    [
        ({"condition": "event.data.["}, "condition", "line 1"),
        ({"condition": '"a text"'}, "condition", "true or false"),
        ({"condition": ""}, "condition", ""),
        ({"source": "nobody"}, "source", "not an installed"),
        ({"events": []}, "events", ""),
        ({"events": ["has space"]}, "events.0", ""),
        ({"name": ""}, "name", ""),
        ({"target": {"integration_id": "nobody", "action": "x"}}, "target.integration_id", ""),
    ],
)
async def test_a_route_that_could_not_work_is_refused(
    gateway: Running, more: dict[str, Any], field: str, said: str
) -> None:
    key = await gateway.ready_chat()
    answer = await gateway.http.post("/api/routes", json=draft(key, **more))
    assert answer.status_code == 422, answer.text
    error = answer.json()["errors"][0]
    assert error["field"] == field
    assert said in error["message"]


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ({"action": "nothing"}, "target.action"),
        ({"transform": "{"}, "target.transform"),
        ({"transform": None}, "target.input.text"),
        ({"input": {"channel": 3}}, "target.input.channel"),
        ({"input": {"colour": "red"}}, "target.input.colour"),
    ],
)
async def test_its_target_is_checked(gateway: Running, target: dict[str, Any], field: str) -> None:
    key = await gateway.ready_chat()
    body = draft(key)
    body["target"] |= target
    answer = await gateway.http.post("/api/routes", json=body)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_integration_in_use_is_not_removed_unnoticed(gateway: Running) -> None:
    key = await gateway.ready_chat()
    route = (await gateway.http.post("/api/routes", json=draft(key))).json()
    refused = await gateway.http.delete(f"/api/marketplace/installed/{key}")
    assert refused.status_code == 409
    assert route["subscription_id"] in refused.json()["detail"]
    removed = await gateway.http.delete(
        f"/api/marketplace/installed/{key}", params={"routes": "disable"}
    )
    assert removed.status_code == 204
    where = f"/api/routes/{route['subscription_id']}"
    assert (await gateway.http.get(where)).json()["enabled"] is False
    enabled = await gateway.http.patch(where, json={"enabled": True})
    assert enabled.json()["errors"][0]["field"] == "target.integration_id"
    renamed = await gateway.http.patch(where, json={"name": "Left over"})
    assert renamed.status_code == 200


async def test_changes_at_once_neither_deadlock_nor_lose(gateway: Running) -> None:
    key = await gateway.ready_chat()
    route = (await gateway.http.post("/api/routes", json=draft(key))).json()
    where = f"/api/routes/{route['subscription_id']}"
    answers = await asyncio.gather(
        *(gateway.http.patch(where, json={"name": f"Name {n}"}) for n in range(6)),
        gateway.http.delete(f"/api/marketplace/installed/{key}", params={"routes": "disable"}),
        *(gateway.http.post("/api/routes", json=draft(key)) for _ in range(4)),
    )
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 409, 422}
    versions = [one.version for one in await states(gateway, route["subscription_id"])]
    assert versions == sorted(set(versions))


async def test_routes_are_paged(gateway: Running) -> None:
    key = await gateway.ready_chat()
    mine = [
        (await gateway.http.post("/api/routes", json=draft(key))).json()["subscription_id"]
        for _ in range(3)
    ]
    found: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await gateway.http.get("/api/routes", params=params)).json()
        found += [item["subscription_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [one for one in found if one in mine] == mine
    assert len(found) == len(set(found))


async def test_a_change_is_on_the_bus_when_it_is_answered(gateway: Running) -> None:
    key = await gateway.ready_chat()
    for _ in range(5):
        answer = await gateway.http.post("/api/routes", json=draft(key))
        route = answer.json()["subscription_id"]
        where = f"/api/routes/{route}"
        assert [one.version for one in await states(gateway, route)] == [1]
        await gateway.http.patch(where, json={"name": "Changed"})
        assert [one.version for one in await states(gateway, route)][-1] == 2
        await gateway.http.put(where, json=draft(key))
        assert [one.version for one in await states(gateway, route)][-1] == 3
        await gateway.http.delete(where)
        records = await gateway.records(SUBSCRIPTION)
        assert [value for k, value in records if k == route.encode()][-1] is None
