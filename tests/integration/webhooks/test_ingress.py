"""Events that a tenant's own systems send straight into its public topic."""

import asyncio
import base64
import json
import re
import sys
from pathlib import Path

import pytest

from jackfield_common.ids import DEFAULT_TENANT, TenantId, derived_id
from jackfield_common.topics import events_in
from tests.integration.webhooks.running import OTHER_TENANT, PUSH, Bus, delivery
from tests.platform import until

Headers = list[tuple[str, bytes]]

BODY = json.dumps(PUSH).encode()


def binary(
    *, event_id: str = "e-1", event_type: str = "push", source: str = "/bridge", **more: str
) -> Headers:
    """A CloudEvent's attributes in binary mode."""
    attributes = {"specversion": "1.0", "id": event_id, "type": event_type, "source": source}
    return [
        ("content-type", b"application/json"),
        *((f"ce_{name}", value.encode()) for name, value in (attributes | more).items()),
    ]


async def send(
    world: Bus,
    headers: Headers,
    value: bytes | None = BODY,
    *,
    key: bytes | None = None,
    tenant: TenantId = DEFAULT_TENANT,
) -> None:
    """Send as an outside program does."""
    producer = world.kafka.producer()
    await producer.start()
    try:
        topic = world.kafka.naming.physical(events_in(tenant))
        await producer.send_and_wait(topic, value, key, headers=headers)
    finally:
        await producer.stop()


def processed_as(event_id: str, source: str = "/bridge") -> str:
    """The id under which an event is processed."""
    return derived_id("ingress", DEFAULT_TENANT, source, event_id)


@pytest.mark.parametrize("event_type", ["push", "forge.push"])
async def test_an_event_takes_the_same_way_as_a_webhook(running: Bus, event_type: str) -> None:
    forge, chat = await running.install("forge"), await running.install("chat")
    await running.route(
        chat,
        events=("push",),
        source=forge,
        condition="event.source == 'forge' && event.occurrence.ref == 'refs/heads/main'",
        transform="{'text': data.sender.login}",
    )
    webhook = delivery(forge)
    await running.publish(webhook)
    await running.outcome(webhook.id)
    await send(running, binary(event_type=event_type, integrationid=forge))
    await running.outcome(processed_as("e-1"))
    posted, sent = running.normalised()
    ignored = {"id", "at", "metadata"}
    assert posted.model_dump(exclude=ignored) == sent.model_dump(exclude=ignored)
    first, second = running.requested()
    assert first.input == second.input == {"text": "ada"}
    assert first.ordering == second.ordering == "acme/site"
    assert first.action_id != second.action_id


async def test_structured_mode_without_an_integration(running: Bus) -> None:
    chat = await running.install("chat")
    await running.route(chat, events=("com.acme.order.*",), transform="{'order': data.number}")
    document = {
        "specversion": "1.0",
        "id": "o-1",
        "type": "com.acme.order.placed",
        "source": "https://shop.example",
        "subject": "order 7",
        "time": "2026-01-02T03:04:05Z",
        "color": "red",
        "data": {"number": 7},
    }
    await send(
        running,
        [("content-type", b"application/cloudevents+json; charset=UTF-8")],
        json.dumps(document).encode(),
        key=b"\xff\x00 any key",
    )
    outcome = await running.outcome(processed_as("o-1", "https://shop.example"))
    assert outcome.status == "processed"
    assert outcome.integration_id == "https://shop.example"
    [event] = running.normalised()
    assert (event.event_type, event.source) == ("com.acme.order.placed", "https://shop.example")
    assert (event.declared, event.about, event.data) == (False, "order 7", {"number": 7})
    assert event.metadata["extensions"] == {"color": "red"}
    assert event.metadata["time"] == "2026-01-02T03:04:05+00:00"
    [action] = running.requested()
    assert action.input == {"order": 7}
    assert action.ordering == "order 7"


async def test_the_trace_goes_on(running: Bus) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = [*binary(), ("traceparent", f"00-{trace}-00f067aa0ba902b7-01".encode())]
    await send(running, headers)
    await running.outcome(processed_as("e-1"))
    [record] = running.out.records
    assert dict(record.headers)["traceparent"].decode().split("-")[1] == trace


async def test_the_same_event_twice_is_processed_once(running: Bus) -> None:
    chat = await running.install("chat")
    await running.route(chat)
    await send(running, binary())
    await running.outcome(processed_as("e-1"))
    await send(running, binary())
    await send(running, binary(event_id="e-2"))
    await running.outcome(processed_as("e-2"))
    assert len({action.action_id for action in running.requested()}) == 2
    assert [one.status for one in running.outcomes()] == ["processed", "processed"]


async def test_the_tenant_is_the_topics(running: Bus) -> None:
    chat = await running.install("chat")
    await running.route(chat)
    await send(running, binary(event_id="theirs", tenant=DEFAULT_TENANT), tenant=OTHER_TENANT)
    await send(running, binary(event_id="ours"))
    await running.outcome(processed_as("ours"))
    await until(lambda: len(running.outcomes()) == 2)
    assert {one.tenant for one in running.outcomes()} == {DEFAULT_TENANT, OTHER_TENANT}
    assert len(running.requested()) == 1


@pytest.mark.parametrize(
    ("headers", "value", "says"),
    [
        (binary()[1:-1], b"{}", "attribute source is missing"),
        ([("ce_id", b"\xff")], b"{}", "not UTF-8"),
        (binary(time="yesterday"), b"{}", "not RFC 3339"),
        (binary(), b"{", "data: the body is not JSON"),
        (binary(), b'{"a": NaN}', "data: the body is not JSON"),
        (binary(event_type="x" * 600), b"{}", "event_type"),
        (binary(source="s" * 2_000), b"{}", "source is longer"),
        (binary(integrationid="nobody"), b"{}", "no integration of the tenant default"),
        ([("content-type", b"application/cloudevents+json")], b"[]", "not a JSON object"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "batched"),
        ([], None, "is missing"),
    ],
)
async def test_what_is_malformed_goes_to_the_dead_letters(
    running: Bus, headers: Headers, value: bytes | None, says: str
) -> None:
    await send(running, headers, value, key=b"k")
    await send(running, binary(event_id="after"), key=b"k")
    await running.outcome(processed_as("after"))
    await until(lambda: len(running.refusals()) == 1)
    [letter] = running.refusals()
    assert says in letter.message
    assert letter.tenant == DEFAULT_TENANT
    assert letter.source_topic == "tenant.default.events.in.v1"
    assert (None if letter.value is None else base64.b64decode(letter.value)) == value
    assert [(name, base64.b64decode(text)) for name, text in letter.headers] == headers
    assert base64.b64decode(letter.record_key or "") == b"k"


async def test_another_tenants_integration_cannot_be_named(running: Bus) -> None:
    theirs = await running.install("forge", tenant=OTHER_TENANT)
    await send(running, binary(integrationid=theirs))
    await until(lambda: len(running.refusals()) == 1)
    assert "no integration of the tenant default" in running.refusals()[0].message


def examples(language: str) -> list[str]:
    """The code blocks of the documentation."""
    text = (Path(__file__).parents[3] / "docs" / "events" / "ingress.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


async def test_the_python_example_of_the_documentation(running: Bus) -> None:
    program, identify = examples("python")
    sent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": running.settings.kafka_bootstrap_servers,
            "JACKFIELD_TOPIC_PREFIX": running.settings.topic_prefix,
        },
    )
    assert await sent.wait() == 0
    names: dict[str, str] = {}
    exec(identify, names)  # noqa: S102 - our own documentation
    assert (await running.outcome(names["event_id"])).status == "processed"


async def test_the_kcat_examples_of_the_documentation(running: Bus) -> None:
    forge = await running.install("forge")
    binary_mode, structured_mode = examples("sh")
    headers = [
        (name, value.replace('"$INTEGRATION"', forge).encode())
        for name, value in re.findall(r"-H (\S+?)=(\S+)", binary_mode)
    ]
    await send(running, headers, BODY, key=b"acme/site")
    await running.outcome(processed_as("push-1"))
    headers = [
        (name, value.encode()) for name, value in re.findall(r"-H (\S+?)=(\S+)", structured_mode)
    ]
    [document] = re.findall(r"echo '(.*?)'", structured_mode)
    await send(running, headers, document.encode())
    await running.outcome(processed_as("order-7-placed", "https://shop.example"))
