"""What is malformed, unknown or gone is given up with its reason; the rest goes on."""

import base64

import pytest

from jackfield_common.envelope import encode
from tests.integration.webhooks.running import PUSH, Bus, delivery, forge
from tests.platform import until


@pytest.mark.parametrize(
    ("raw", "says"),
    [("{'a': 1}", "the body is not JSON"), ('{"a": NaN}', "line 1 column"), ("{", "EOF")],
)
async def test_malformed_json_is_dead_lettered_with_the_reason(
    running: Bus, raw: str, says: str
) -> None:
    integration = await running.install("forge")
    bad, good = delivery(integration, raw=raw, delivery_id="d"), delivery(integration)
    await running.publish(bad, good)
    outcome = await running.outcome(bad.id)
    assert outcome.status == "failed"
    assert says in (outcome.reason or "")
    assert (await running.outcome(good.id)).status == "processed"
    await until(lambda: len(running.dead_letters()) == 1)
    [letter] = running.dead_letters()
    assert says in letter.message
    assert base64.b64decode(letter.value or "") == bad.to_bytes()
    again = delivery(integration, delivery_id="d")
    await running.publish(again)
    assert (await running.outcome(again.id)).status == "processed", "a failed one is no duplicate"


async def test_a_delivery_of_an_uninstalled_integration_fails_at_once(running: Bus) -> None:
    integration = await running.install("forge")
    await running.uninstall(integration)
    late = delivery(integration)
    await running.publish(late)
    outcome = await running.outcome(late.id)
    assert outcome.status == "failed"
    assert "was removed" in (outcome.reason or "")


async def test_a_record_that_is_no_delivery_harms_nobody(running: Bus) -> None:
    integration = await running.install("forge")
    good = delivery(integration)
    record = encode(good, "gateway", running.kafka.naming)
    for value in (b"", b"\xff", b"null", b"{}", b'{"tenant":"default"}'):
        broken = type(record)(record.topic, record.key, value, record.headers)
        await running.publisher.send(broken)
    unreadable = type(record)(
        record.topic, record.key, record.value, [*record.headers, ("ce_lane", b"\xff\xfe")]
    )
    await running.publisher.send(unreadable)
    last = delivery(integration)
    await running.publish(last)
    assert (await running.outcome(last.id)).status == "processed"
    await until(lambda: len(running.dead_letters()) >= 5)


async def test_a_form_with_a_payload_is_read_as_its_json(running: Bus) -> None:
    await running.manifest(
        forge(webhook={"content_types": ["application/x-www-form-urlencoded"]}), version=2
    )
    integration = await running.install("forge")
    form = delivery(
        integration,
        raw="payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D",
        content_type="application/x-www-form-urlencoded",
    )
    await running.publish(form)
    await running.outcome(form.id)
    [event] = running.normalised()
    assert event.data == {"ref": PUSH["ref"]}
