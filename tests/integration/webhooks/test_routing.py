"""From a verified delivery to a normalised event and the actions that routes ask for."""

import re

from jackfield_common.ids import IntegrationId, new_id
from tests.integration.webhooks.running import (
    OTHER_TENANT,
    PUSH,
    Bus,
    delivery,
    integration,
    service,
)
from tests.platform import until


async def test_a_push_becomes_an_event_and_an_action(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat", version=7)
    route = await running.route(
        chat,
        events=("push",),
        condition="event.occurrence.ref == 'refs/heads/main'",
        transform="{'text': occurrence.actor & ' pushed to ' & data.repository.full_name}",
        given={"channel": "dev", "text": "overlaid"},
    )
    pushed = delivery(forge, delivery_id="d-1")
    await running.publish(pushed)
    outcome = await running.outcome(pushed.id)

    [event] = running.normalised()
    assert (event.event_type, event.canonical_type, event.declared) == ("push", "push", True)
    assert (event.source, event.about, event.integration_id) == ("forge", "acme/site", forge)
    assert event.data == PUSH
    assert event.occurrence is not None
    assert event.occurrence.actor == "ada"
    assert event.metadata["delivery_id"] == "d-1"
    assert event.metadata["accepted_as"] == pushed.id

    [action] = running.requested()
    assert action.integration_id == chat
    assert (action.connector, action.action) == ("chat", "send_message")
    assert action.input == {"channel": "dev", "text": "ada pushed to acme/site"}
    assert action.integration_version == 7
    assert action.ordering == "acme/site"
    assert (action.cause, action.subscription_id) == (event.id, route)
    assert action.caused_at == pushed.at

    assert outcome.status == "processed"
    assert outcome.actions == (action.action_id,)
    assert outcome.matched == (route,)
    assert outcome.duration_ms is not None


async def test_every_matching_route_gets_it_and_no_other(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    another = await running.install("forge")
    theirs = await running.install("chat", tenant=OTHER_TENANT)
    matching = {
        await running.route(chat, name="everything"),
        await running.route(chat, events=("nothing", "merge_*"), name="by canonical type"),
        await running.route(chat, events=("pull_request.*",), source=forge, name="by type"),
        await running.route(chat, condition="event.occurrence.state == 'merged'"),
    }
    await running.route(chat, events=("pull_request",), name="the exact type only")
    await running.route(chat, condition="event.source == 'elsewhere'")
    await running.route(chat, source=another, name="another integration's")
    await running.route(chat, enabled=False, name="switched off")
    await running.route(theirs, tenant=OTHER_TENANT, name="another tenant's")
    closed = delivery(
        forge,
        {
            "action": "closed",
            "number": 7,
            "pull_request": {"title": "Fix", "state": "closed"},
            "repository": {"full_name": "acme/site"},
        },
        event="pull_request",
    )
    await running.publish(closed)
    outcome = await running.outcome(closed.id)
    assert set(outcome.matched) == matching
    assert len(running.requested()) == len(matching)
    assert outcome.event_type == "pull_request.closed"


async def test_a_failing_route_fails_alone(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    gone = await running.install("chat")
    await running.uninstall(gone)
    theirs = await running.install("chat", tenant=OTHER_TENANT)
    good = await running.route(chat, name="good")
    bad = {
        await running.route(chat, condition="event.data.missing == 1", name="condition"),
        await running.route(chat, transform="{'a': data.ref + 1}", name="transformation"),
        await running.route(chat, transform="($f := function($x){$f($x)}; $f(1))", name="slow"),
        await running.route(gone, name="target gone"),
        await running.route(theirs, name="target of another tenant"),
        await running.route(chat, action="no_such_action", name="no such action"),
    }
    pushed = delivery(forge, delivery_id="d-2")
    await running.publish(pushed)
    outcome = await running.outcome(pushed.id)
    assert outcome.status == "processed"
    assert outcome.matched == (good,)
    assert set(re.findall(r"'subscription_id': '(\w+)'", str(outcome.detail))) == bad
    await until(lambda: len(running.dead_letters()) == len(bad))
    letters = running.dead_letters()
    assert {letter.source_topic for letter in letters} == {"webhooks.delivery.verified.v1"}
    assert any("more than 50 ms" in letter.message for letter in letters)
    assert any("was removed" in letter.message for letter in letters)
    assert len(running.requested()) == 1


async def test_an_event_that_a_route_failed_on_is_routed_again_when_it_is_sent_again(
    running: Bus,
) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    await running.route(chat, name="good")
    await running.route(chat, condition="event.data.missing == 1", name="bad")
    first, second = delivery(forge, delivery_id="d-3"), delivery(forge, delivery_id="d-3")
    await running.publish(first, second)
    assert (await running.outcome(first.id)).status == "processed"
    assert (await running.outcome(second.id)).status == "processed"
    assert len({request.action_id for request in running.requested()}) == 1


async def test_a_delivery_waits_for_its_integration(world: Bus) -> None:
    forge = IntegrationId(new_id())
    waiting = delivery(forge)
    async with service(world):
        await world.publish(waiting)
        other = await world.install("forge")
        beside = delivery(other)
        await world.publish(beside)
        await world.outcome(beside.id)
        assert not [one for one in world.outcomes() if one.event_id == waiting.id]
        await world.publish(integration(forge, "forge"))
        assert (await world.outcome(waiting.id)).status == "processed"


async def test_the_target_orders_where_it_says_so(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    await running.route(chat, action="post_in_order", given={"channel": "dev"})
    pushed = delivery(forge)
    await running.publish(pushed)
    await running.outcome(pushed.id)
    [action] = running.requested()
    assert action.ordering == "dev"


async def test_a_type_that_nobody_declared_arrives_marked(running: Bus) -> None:
    forge = await running.install("forge")
    new, without = delivery(forge, event="sponsorship"), delivery(forge, event="")
    await running.publish(new, without)
    await running.outcome(new.id)
    await running.outcome(without.id)
    assert {(event.event_type, event.declared) for event in running.normalised()} == {
        ("sponsorship", False),
        ("unknown", False),
    }


async def test_deliveries_of_one_repository_stay_in_order(running: Bus) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    await running.route(chat, transform="{'n': data.n}")
    sent = [
        delivery(forge, {"n": number, "repository": {"full_name": f"acme/{number % 3}"}})
        for number in range(60)
    ]
    await running.publish(*sent)
    await until(lambda: len(running.outcomes()) == len(sent))
    for repository in range(3):
        seen = [
            request.input["n"]
            for request in running.requested()
            if request.ordering == f"acme/{repository}"
        ]
        assert seen == [number for number in range(60) if number % 3 == repository]
