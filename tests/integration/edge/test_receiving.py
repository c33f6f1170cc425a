"""From the socket to the bus."""

import asyncio
import json

from jackfield_common.envelope import encode, tombstone
from jackfield_common.events.delivery import DeliveryVerified
from jackfield_common.events.integration import IntegrationState
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.topics import INTEGRATION, Service
from tests.integration.edge.listening import (
    SECRET,
    Listening,
    github_headers,
    request,
)
from tests.platform import until

BODY = json.dumps({"ref": "refs/heads/main", "text": 'quoted "ünïcode" \u2028'}).encode()


async def test_a_signed_delivery_is_on_the_bus_before_it_is_accepted(running: Listening) -> None:
    integration = await running.install()
    headers = github_headers(BODY) | {"Cookie": "secret=1", "X-Other": "not asked for"}

    answer = await running.post(f"/webhooks/{integration}?a=1", BODY, headers)

    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert "date" in answer.headers
    accepted = answer.json()
    [(record, delivery)] = await running.deliveries()
    assert accepted == {"status": "accepted", "eventId": delivery.id}
    assert delivery.integration_id == integration
    assert delivery.delivery_id == "d-1"
    assert delivery.raw_body() == BODY
    assert delivery.query == "a=1"
    assert delivery.path == f"/webhooks/{integration}"
    # the signature is proof and stays at the edge, although the manifest asks for it
    assert delivery.headers == {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/044aadd",
        "x-github-delivery": "d-1",
        "x-github-event": "push",
        "x-github-hook-id": "292430182",
    }
    # the record made without a model is the one the model would have made
    made = encode(delivery, Service.GATEWAY, running.kafka.naming)
    assert record.key == made.key
    assert DeliveryVerified.from_bytes(made.value or b"") == delivery
    sent = dict(record.headers)
    assert sent.pop("traceparent").startswith(b"00-")
    assert sent == dict(made.headers)


async def test_the_trace_of_the_sender_goes_on(running: Listening) -> None:
    integration = await running.install()
    trace = "0af7651916cd43dd8448eb211c80319c"
    await running.post(
        f"/webhooks/{integration}",
        BODY,
        github_headers(BODY)
        | {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "tracestate": "a=b"},
    )
    [(record, _)] = await running.deliveries()
    sent = dict(record.headers)
    assert sent["traceparent"].startswith(f"00-{trace}-".encode())
    assert b"b7ad6b7169203331" not in sent["traceparent"]
    assert sent["tracestate"] == b"a=b"


async def test_a_wrong_signature_is_refused_and_nothing_is_on_the_bus(running: Listening) -> None:
    integration = await running.install()
    before = await running.end_offsets()

    answer = await running.post(
        f"/webhooks/{integration}", BODY, github_headers(BODY, secret="another")
    )

    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in answer.headers
    problem = answer.json()
    assert problem["status"] == 401
    assert problem["type"] == "urn:jackfield:problem:unverified"
    assert "sha256" not in answer.body.decode().lower()
    assert await running.end_offsets() == before
    # the owner learns what was expected, the sender does not
    [refusal] = running.edge.refusals(integration)
    assert refusal.reason == "signature"
    assert "X-Hub-Signature-256" in refusal.expected
    assert running.edge.stats().refused == {"signature": 1}


async def test_what_is_not_there_cannot_be_told_from_what_is_disabled(running: Listening) -> None:
    disabled = await running.install(enabled=False)
    without_webhook = await running.install(None)
    paths = [
        f"/webhooks/{new_id()}",
        f"/webhooks/{disabled}",
        f"/webhooks/{without_webhook}",
        "/webhooks/",
        "/webhooks/a/b",
        "/health/live",
        "/metrics",
        "/",
    ]
    answers = [await running.post(path, BODY, github_headers(BODY)) for path in paths]
    known = await running.install()
    answers.append(await running.send(request(f"/webhooks/{known}", method="GET")))

    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    names = {tuple(answer.headers) for answer in answers}
    assert len(names) == 1


async def test_without_a_secret_everything_is_refused(running: Listening) -> None:
    integration = await running.install(secrets={})
    signed_with_nothing = github_headers(BODY, secret="")
    answer = await running.post(f"/webhooks/{integration}", BODY, signed_with_nothing)
    assert answer.status == 401
    assert running.edge.stats().refused == {"unconfigured": 1}

    empty = await running.install(secrets={"webhook_secret": ""})
    answer = await running.post(f"/webhooks/{empty}", BODY, signed_with_nothing)
    assert answer.status == 401


async def test_secrets_are_rotated_while_it_runs(running: Listening) -> None:
    integration = await running.install(secrets={"webhook_secret": ("new", "old")})
    path = f"/webhooks/{integration}"
    for secret in ("new", "old"):
        answer = await running.post(path, BODY, github_headers(BODY, secret))
        assert answer.status == 202, secret

    state = running.integrations.get(integration)
    assert state is not None
    await running.publish(
        state.model_copy(
            update={"version": 2, "webhook_secrets": running.seal({"webhook_secret": "new"})}
        )
    )
    assert (await running.post(path, BODY, github_headers(BODY, "new"))).status == 202
    assert (await running.post(path, BODY, github_headers(BODY, "old"))).status == 401


async def test_an_uninstalled_integration_is_gone(running: Listening) -> None:
    integration = await running.install()
    path = f"/webhooks/{integration}"
    assert (await running.post(path, BODY, github_headers(BODY))).status == 202
    await running.publisher.send(tombstone(INTEGRATION, integration, 2, running.kafka.naming))
    await until(lambda: running.integrations.get(integration) is None)
    assert (await running.post(path, BODY, github_headers(BODY))).status == 404


async def test_a_path_of_its_own(running: Listening) -> None:
    integration = await running.install(config={"webhook_path": "/team/builds"})
    async with asyncio.timeout(10):
        while True:
            answer = await running.post("/webhooks/team/builds", BODY, github_headers(BODY))
            if answer.status == 202:
                break
            await asyncio.sleep(0.05)
    [(_, delivery)] = await running.deliveries()
    assert delivery.integration_id == integration
    assert delivery.path == "/webhooks/team/builds"


async def test_malformed_json_is_accepted_when_the_sender_is_proven(running: Listening) -> None:
    integration = await running.install()
    body = b'{"cut off'
    answer = await running.post(f"/webhooks/{integration}", body, github_headers(body))
    assert answer.status == 202
    [(_, delivery)] = await running.deliveries()
    assert delivery.raw_body() == body


async def test_bytes_that_are_no_text_arrive_as_they_were(running: Listening) -> None:
    integration = await running.install()
    body = bytes(range(256))
    answer = await running.post(f"/webhooks/{integration}", body, github_headers(body))
    assert answer.status == 202
    [(_, delivery)] = await running.deliveries()
    assert delivery.body is None
    assert delivery.raw_body() == body


async def test_a_content_type_that_is_not_declared(running: Listening) -> None:
    integration = await running.install()
    headers = github_headers(BODY) | {"Content-Type": "text/xml"}
    assert (await running.post(f"/webhooks/{integration}", BODY, headers)).status == 415
    headers["Content-Type"] = "application/json; charset=utf-8"
    assert (await running.post(f"/webhooks/{integration}", BODY, headers)).status == 202


async def test_nothing_is_accepted_before_the_integrations_are_known(running: Listening) -> None:
    # a state whose connector's manifest did not arrive yet is like an unknown one, not an error
    state = IntegrationState(
        tenant=DEFAULT_TENANT,
        version=1,
        integration_id=IntegrationId(new_id()),
        template="nothing",
        connector="nothing",
        name="nothing",
        webhook_secrets=running.seal({"webhook_secret": SECRET}),
    )
    await running.publish(state)
    answer = await running.post(f"/webhooks/{state.integration_id}", BODY, github_headers(BODY))
    assert answer.status == 404
