"""A signed push becomes a message, an event sent straight into Kafka takes the same way, and nothing
that was accepted is lost whichever process is killed."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncGenerator, Iterator

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.e2e.product import Line, Product, Vendor, arrives, connect, product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SERVICES = ("gateway", "webhooks", "connectors", "oauth", "certification")


@pytest.fixture(scope="module")
def running() -> Iterator[Product]:
    with product() as one:
        yield one


@pytest.fixture
async def api(running: Product) -> AsyncGenerator[httpx.AsyncClient]:
    async with running.api() as client:
        yield client


@pytest.fixture
async def vendor() -> AsyncGenerator[Vendor]:
    one = Vendor()
    runner = await one.start()
    yield one
    await runner.cleanup()


@pytest.fixture
async def line(api: httpx.AsyncClient, vendor: Vendor) -> Line:
    return await connect(api, vendor)


async def post(line: Line, sha: str, **how: str) -> httpx.Response:
    body, headers = line.push(sha, **how)
    async with httpx.AsyncClient(timeout=15) as client:
        return await client.post(line.source["webhook_url"], content=body, headers=headers)


async def test_a_signed_push_becomes_a_message_and_its_fate_can_be_read(
    line: Line, vendor: Vendor, api: httpx.AsyncClient
) -> None:
    sha = secrets.token_hex(20)
    answer = await post(line, sha)
    assert answer.status_code == 202
    event_id = answer.json()["eventId"]
    await arrives(vendor, sha)
    async with asyncio.timeout(20):
        while (found := await api.get(f"/api/events/{event_id}")).status_code == 404:
            await asyncio.sleep(0.1)
    assert found.json()["status"] == "processed"


async def test_the_same_delivery_twice_is_one_message(line: Line, vendor: Vendor) -> None:
    sha, after = secrets.token_hex(20), secrets.token_hex(20)
    assert (await post(line, sha)).status_code == 202
    await arrives(vendor, sha)
    assert (await post(line, sha)).status_code == 202
    assert (await post(line, after)).status_code == 202
    await arrives(vendor, after)
    await asyncio.sleep(0.5)
    assert len(vendor.arrived[sha]) == 1


async def test_a_wrong_signature_is_refused_and_nothing_is_on_the_bus(
    line: Line, vendor: Vendor, running: Product
) -> None:
    before = await end_offsets(running, "webhooks.delivery.verified.v1")
    sha = secrets.token_hex(20)
    answer = await post(line, sha, secret="another")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert line.secret not in answer.text
    assert await end_offsets(running, "webhooks.delivery.verified.v1") == before
    assert sha not in vendor.arrived


async def test_an_unknown_integration_is_a_404_problem(line: Line) -> None:
    address = line.source["webhook_url"].rpartition("/")[0] + "/" + "a" * 26
    body, headers = line.push("0" * 40)
    async with httpx.AsyncClient() as client:
        answer = await client.post(address, content=body, headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_event_sent_straight_into_kafka_takes_the_same_way(
    line: Line, vendor: Vendor, running: Product
) -> None:
    sha = secrets.token_hex(20)
    body, _ = line.push(sha)
    await send(
        running,
        body,
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", secrets.token_hex(8).encode()),
            ("ce_source", b"/build-system"),
            ("ce_type", b"push"),
            ("ce_integrationid", line.source["integration_id"].encode()),
            ("content-type", b"application/json"),
        ],
    )
    await arrives(vendor, sha)


async def test_what_is_malformed_there_goes_to_the_dead_letters_with_the_reason(
    running: Product,
) -> None:
    mark = secrets.token_hex(8)
    await send(running, f"not json {mark}".encode(), [("ce_id", mark.encode())])
    letter = await first_record_with(running, "tenant.default.events.dead.v1", mark)
    assert "specversion" in letter["message"]


async def test_an_action_is_called_with_its_result(
    line: Line, vendor: Vendor, api: httpx.AsyncClient
) -> None:
    text, key = secrets.token_hex(8), secrets.token_hex(8)
    address = (
        f"/api/marketplace/installed/{line.target['integration_id']}/actions/send_message?wait=20"
    )
    answers = [
        await api.post(address, json={"input": {"text": text}}, headers={"Idempotency-Key": key})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["success"] is True
    first, second = (answer.json() for answer in answers)
    assert {name: second[name] for name in ("action_id", "success", "message", "data")} == {
        name: first[name] for name in ("action_id", "success", "message", "data")
    }
    assert len(vendor.arrived[text]) == 1


@pytest.mark.parametrize("service", SERVICES)
async def test_kill_9_of_a_service_under_load_loses_nothing(
    running: Product, line: Line, vendor: Vendor, service: str
) -> None:
    """The sender does as a vendor does: what got no 2xx is sent again."""
    shas = [secrets.token_hex(20) for _ in range(60)]

    async def deliver(sha: str) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    if (await post(line, sha)).status_code == 202:
                        return
                except httpx.HTTPError:
                    pass  # the gateway is being restarted
                await asyncio.sleep(0.3)

    tasks: list[asyncio.Task[None]] = []
    for number, sha in enumerate(shas):
        if number == 20:
            running.kill(service)
        tasks.append(asyncio.create_task(deliver(sha)))
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)
    unknown: set[str] = set()
    missing: list[str] = []
    try:
        async with asyncio.timeout(60):
            while missing := vendor.waits_for(shas):
                if service == "connectors" and len(missing) <= len(unknown):
                    break
                unknown = await outcome_unknown(running, set(missing))
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"{len(missing)} of {len(shas)} accepted pushes never arrived")
    assert all(len(vendor.arrived[sha]) == 1 for sha in shas if sha in vendor.arrived)


async def outcome_unknown(running: Product, shas: set[str]) -> set[str]:
    """Of these, the ones whose call was cut off: not to be repeated without asking their owner."""
    texts = await values(running, "connectors.action.dead.v1")
    return {sha for sha in shas if any(sha in text for text in texts)}


async def send(running: Product, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=running.access()["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"]
    )
    await producer.start()
    try:
        await producer.send_and_wait(
            "tenant.default.events.in.v1", value=value, key=b"any", headers=headers
        )
    finally:
        await producer.stop()


async def end_offsets(running: Product, topic: str) -> int:
    consumer, partitions = await assigned(running, topic)
    try:
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()


async def values(running: Product, topic: str) -> list[str]:
    """Every record of a topic as text, with the original record of a dead letter decoded."""
    consumer, partitions = await assigned(running, topic)
    found: list[str] = []
    try:
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(20):
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        letter = json.loads(record.value or b"{}")
                        original = base64.b64decode(letter.get("value") or "")
                        found.append(json.dumps(letter) + original.decode("utf-8", "replace"))
    finally:
        await consumer.stop()
    return found


async def first_record_with(running: Product, topic: str, mark: str) -> dict[str, str]:
    async with asyncio.timeout(30):
        while True:
            for text in await values(running, topic):
                if mark in text:
                    letter: dict[str, str] = json.JSONDecoder().raw_decode(text)[0]
                    return letter
            await asyncio.sleep(0.2)


async def assigned(running: Product, topic: str) -> tuple[AIOKafkaConsumer, list[TopicPartition]]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=running.access()["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
        auto_offset_reset="earliest",
        group_id=None,
    )
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(12)]
    consumer.assign(partitions)
    return consumer, partitions
