"""Past deliveries: searched, read, explained, routed again, and run through changed routes."""

from typing import Any, cast

import pytest

from jackfield_common.errors import ErrorKind
from jackfield_common.events import HistoryCommand, HistorySelection, SubscriptionState, Target
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, SubscriptionId
from tests.integration.webhooks.asking import ask, asking
from tests.integration.webhooks.running import OTHER_TENANT, PUSH, Bus, delivery, service
from tests.integration.webhooks.test_ingress import binary, processed_as, send
from tests.platform import until


async def history(world: Bus, verb: str, **more: Any) -> dict[str, Any]:
    """The data of a successful answer; `more` are fields of the selection and of the command."""
    selection = {key: more.pop(key) for key in HistorySelection.model_fields if key in more}
    command = HistoryCommand.model_validate(
        {"tenant": DEFAULT_TENANT, "verb": verb, "selection": selection, **more}
    )
    async with asking(world) as questions:
        answer = await ask(world, questions, command)
    assert answer.success, answer.message
    return cast(dict[str, Any], answer.data)


async def pushes(world: Bus, forge: IntegrationId, count: int) -> list[str]:
    """Some pushes to different branches, processed; the ids they were accepted under."""
    sent = [
        delivery(forge, {**PUSH, "ref": f"refs/heads/{number}"}, delivery_id=f"d-{number}")
        for number in range(count)
    ]
    await world.publish(*sent)
    for one in sent:
        await world.outcome(one.id)
    return [one.id for one in sent]


async def test_deliveries_are_found_by_what_they_are(running: Bus) -> None:
    forge, another = await running.install("forge"), await running.install("forge")
    ids = await pushes(running, forge, 5)
    bad = delivery(another, raw="{", delivery_id="bad")
    await running.publish(bad)
    await running.outcome(bad.id)
    await send(running, binary(event_type="com.acme_order.placed"))
    await running.outcome(processed_as("e-1"))

    async def found(**selection: Any) -> list[str]:
        data = await history(running, "search", **selection)
        return [one["event_id"] for one in data["deliveries"]]

    everything = await found()
    assert set(everything) == {*ids, bad.id, processed_as("e-1")}
    assert set(await found(integration_id=forge)) == set(ids)
    assert await found(delivery_id="d-3") == [ids[3]]
    assert await found(status="failed") == [bad.id]
    assert await found(types=("com.acme_*",)) == [processed_as("e-1")]
    assert await found(types=("com%",)) == []
    assert await found(fields={"ref": "refs/heads/2", "actor": "ada"}) == [ids[2]]
    assert await found(condition="event.data.ref.endsWith('/4')") == [ids[4]]
    assert await found(event_ids=(ids[0], "nothing")) == [ids[0]]
    first = await history(running, "search", limit=4)
    rest = await history(running, "search", limit=4, cursor=first["cursor"])
    pages = [one["event_id"] for page in (first, rest) for one in page["deliveries"]]
    assert pages == everything
    assert rest["cursor"] is None


async def test_a_delivery_is_read_with_its_headers_and_body(running: Bus) -> None:
    forge = await running.install("forge")
    [event_id] = await pushes(running, forge, 1)
    data = await history(running, "read", event_ids=(event_id,))
    assert data["record"]["headers"] == {"x-forge-event": "push"}
    assert '"refs/heads/0"' in data["record"]["body"]
    assert data["delivery"]["occurrence"]["actor"] == "ada"


async def test_explain_says_of_every_route_why(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    routes = {
        await running.route(chat, transform="{'text': data.ref}"): "matched",
        await running.route(chat, enabled=False): "switched off",
        await running.route(chat, source=chat): "another source",
        await running.route(chat, events=("tag",)): "another type",
        await running.route(chat, condition="event.data.ref == 'x'"): "condition false",
        await running.route(chat, condition="event.data.missing == 1"): "failed",
    }
    [event_id] = await pushes(running, forge, 1)
    data = await history(running, "explain", event_ids=(event_id,))
    assert {one["subscription_id"]: one["verdict"] for one in data["routes"]} == routes
    by_verdict = {one["verdict"]: one for one in data["routes"]}
    assert by_verdict["matched"]["input"] == {"text": "refs/heads/0"}
    assert "Key not found" in by_verdict["failed"]["message"]
    assert data["event"]["event_type"] == "push"


async def test_what_is_replayed_asks_for_new_actions(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    first = await running.route(chat, name="first", transform="{'ref': data.ref}")
    ids = await pushes(running, forge, 3)
    await running.route(chat, name="later")
    command = HistoryCommand(
        tenant=DEFAULT_TENANT,
        verb="replay",
        selection=HistorySelection(condition="event.data.ref != 'refs/heads/1'"),
        routes=(first,),
    )
    # the same command twice is the same replay
    await running.publish(command, command)
    await until(lambda: len(running.actions.records) >= 3 + 4)
    replayed = running.requested()[3:]
    assert {request.subscription_id for request in replayed} == {first}
    refs = {str(request.input["ref"]) for request in replayed}
    assert refs == {"refs/heads/0", "refs/heads/2"}
    assert len({request.action_id for request in replayed}) == 2
    assert not {one.action_id for one in replayed} & {
        one.action_id for one in running.requested()[:3]
    }
    originals = {event.id for event in running.normalised()[:3]}
    assert {str(event.metadata["replay_of"]) for event in running.normalised()[3:]} <= originals
    # a copy from the vendor is a duplicate as before
    copy = delivery(forge, delivery_id="d-0")
    await running.publish(copy)
    assert (await running.outcome(copy.id)).status == "duplicate"
    assert (await history(running, "replay", event_ids=(ids[1],)))["replayed"] == [ids[1]]


async def test_a_changed_route_is_tried_on_past_events_before_it_is_saved(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    saved = await running.route(chat, condition="event.data.ref == 'refs/heads/0'")
    ids = await pushes(running, forge, 2)
    changed = SubscriptionState(
        tenant=DEFAULT_TENANT,
        version=2,
        subscription_id=saved,
        name="changed",
        condition="event.data.ref == 'refs/heads/1'",
        target=Target(integration_id=chat, action="send_message", transform="{'ref': data.ref}"),
    )
    asked_before = len(running.requested())
    data = await history(running, "preview", route=changed)
    by_id = {one["event_id"]: one for one in data["events"]}
    assert by_id[ids[0]]["before"] == {"verdict": "matched", "input": {}}
    assert by_id[ids[0]]["after"] == {"verdict": "condition false"}
    assert by_id[ids[1]]["after"] == {"verdict": "matched", "input": {"ref": "refs/heads/1"}}
    assert all(one["changed"] for one in data["events"])
    new = changed.model_copy(update={"subscription_id": SubscriptionId("new")})
    data = await history(running, "preview", route=new, event_ids=(ids[0],))
    assert data["events"][0]["before"] == {"verdict": "no such route"}
    assert len(running.requested()) == asked_before


@pytest.mark.parametrize(
    ("command", "says", "kind"),
    [
        ({"verb": "read"}, "takes the id of one", ErrorKind.NOT_FOUND),
        ({"verb": "explain", "selection": {"event_ids": ["x"]}}, "id of one", ErrorKind.NOT_FOUND),
        ({"verb": "replay"}, "nothing is selected", ErrorKind.INVALID),
        ({"verb": "preview"}, "needs the route", ErrorKind.INVALID),
        ({"verb": "search", "cursor": "made up"}, "not given out here", ErrorKind.INVALID),
        (
            {"verb": "search", "selection": {"condition": "event."}},
            "CEL at line 1, column 7",
            ErrorKind.INVALID,
        ),
    ],
)
async def test_what_cannot_be_answered_says_why(
    running: Bus, command: dict[str, Any], says: str, kind: ErrorKind
) -> None:
    asked = HistoryCommand.model_validate({"tenant": DEFAULT_TENANT, **command})
    async with asking(running) as questions:
        answer = await ask(running, questions, asked)
    assert not answer.success
    assert says in answer.message
    assert answer.error is kind


async def test_a_tenant_sees_its_own_history_alone(running: Bus) -> None:
    forge = await running.install("forge")
    ids = await pushes(running, forge, 1)
    theirs = HistoryCommand(
        tenant=OTHER_TENANT, verb="search", selection=HistorySelection(event_ids=tuple(ids))
    )
    async with asking(running) as questions:
        answer = await ask(running, questions, theirs)
    assert answer.data == {"deliveries": [], "cursor": None, "unreadable": 0}


async def test_history_is_kept_for_so_many_days(
    world: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jackfield_webhooks.app._FORGET_SECONDS", 0.1)
    forge = await world.install("forge")
    async with service(world) as platform:
        await pushes(world, forge, 3)
        await platform.pool.execute(
            "UPDATE history SET accepted_at = now() - interval '31 days' WHERE delivery_id = 'd-1'"
        )
        left: list[str] = ["d-0", "d-1", "d-2"]
        while left != ["d-0", "d-2"]:
            rows = await platform.pool.fetch("SELECT delivery_id FROM history ORDER BY 1")
            left = [row["delivery_id"] for row in rows]
