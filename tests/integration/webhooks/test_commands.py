"""What owners ask of parked and dead work, through the bus."""

from jackfield_common.errors import ErrorKind
from jackfield_common.events import WebhooksCommand
from jackfield_common.ids import DEFAULT_TENANT
from tests.integration.webhooks.asking import ask, asking
from tests.integration.webhooks.running import PUSH, Bus, delivery, forge
from tests.platform import until


async def test_a_dead_delivery_is_listed_and_replayed_once_its_cause_is_gone(
    running: Bus,
) -> None:
    chat = await running.install("chat")
    integration = await running.install("forge")
    await running.route(chat)
    dead = delivery(integration, raw="{", delivery_id="d")
    fixable = delivery(integration, PUSH, event="x" * 600, delivery_id="e")
    await running.publish(dead, fixable)
    assert (await running.outcome(dead.id)).status == "failed"
    assert (await running.outcome(fixable.id)).status == "failed"
    await until(lambda: len(running.dead_letters()) == 2)
    async with asking(running) as questions:
        listed = await ask(
            running, questions, WebhooksCommand(tenant=DEFAULT_TENANT, verb="list", state="dead")
        )
        assert listed.success
        assert listed.data is not None
        works = listed.data["works"]
        assert isinstance(works, list)
        assert len(works) == 2
        await running.manifest(forge(webhook={"event_type": "body:kind"}), version=2)
        replayed = await ask(
            running,
            questions,
            WebhooksCommand(
                tenant=DEFAULT_TENANT, verb="replay", state="dead", kind=ErrorKind.INVALID
            ),
        )
        assert replayed.data == {"works": 2}
    await until(
        lambda: any(
            one.event_id == fixable.id and one.status == "processed" for one in running.outcomes()
        )
    )
    assert len(running.requested()) == 1
