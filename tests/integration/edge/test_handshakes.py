"""Vendors ask whether an address is ours; what they are answered, and what that must not open."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web

from jackfield_common.connector.handshake import Condition, Handshake
from jackfield_common.connector.verification import (
    Hmac,
    SnsCertificate,
    StaticToken,
    Verify,
    Window,
)
from jackfield_common.connector.webhook import Webhook
from jackfield_common.settings import Settings
from tests.integration.edge.listening import SECRET, Answer, Listening, listening, request
from tests.oracles.vendors import NOW, TOPIC, sns, zoom

URL_VALIDATION = Condition(place="body:event", equals="endpoint.url_validation")


def webhook(verify: Verify, *handshakes: Handshake, types: str = "application/json") -> Webhook:
    return Webhook(
        verify=verify,
        handshakes=handshakes,
        event_type="'test'",
        content_types=(types,),
        setup=("Enter {url}",),
    )


DROPBOX = webhook(
    Hmac(header="X-Dropbox-Signature"),
    Handshake(
        method="GET", when=(Condition(place="query:challenge"),), verified=False,
        text="{query:challenge}",
    ),
)  # fmt: skip
GRAPH = webhook(
    StaticToken(place="body:value.*.clientState"),
    Handshake(
        when=(Condition(place="query:validationToken"),),
        verified=False,
        text="{query:validationToken}",
    ),
)
TRELLO = webhook(Hmac(header="X-Trello-Webhook"), Handshake(method="HEAD", verified=False))
SLACK = webhook(
    Hmac(
        header="X-Slack-Signature",
        prefix="v0=",
        content="v0:{timestamp}:{body}",
        window=Window(timestamp="header:X-Slack-Request-Timestamp"),
    ),
    Handshake(
        when=(Condition(place="body:type", equals="url_verification"),),
        json_fields={"challenge": "{body:challenge}"},
    ),
)
ZOOM = webhook(
    Hmac(
        header="x-zm-signature",
        prefix="v0=",
        content="v0:{timestamp}:{body}",
        window=Window(timestamp="header:x-zm-request-timestamp"),
    ),
    Handshake(
        when=(URL_VALIDATION,),
        json_fields={
            "plainToken": "{body:payload.plainToken}",
            "encryptedToken": "{hmac:body:payload.plainToken}",
        },
    ),
)
EVENT_GRID = webhook(
    StaticToken(place="query:code"),
    Handshake(
        when=(Condition(place="header:aeg-event-type", equals="SubscriptionValidation"),),
        json_fields={"validationResponse": "{body:0.data.validationCode}"},
    ),
)
ASANA = webhook(
    Hmac(header="X-Hook-Signature"),
    Handshake(
        when=(Condition(place="header:X-Hook-Secret"),),
        verified=False,
        delivers="header:X-Hook-Secret",
        headers={"X-Hook-Secret": "{header:X-Hook-Secret}"},
    ),
)


async def get(running: Listening, target: str, method: str = "GET") -> Answer:
    client = await running.connect()
    await client.send(request(target, method=method))
    return await client.answer(head_only=method == "HEAD")


async def test_a_challenge_in_the_query_is_echoed_as_text(running: Listening) -> None:
    dropbox = await running.install(DROPBOX)
    answer = await get(running, f"/webhooks/{dropbox}?challenge=abc%20123")
    assert (answer.status, answer.body) == (200, b"abc 123")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await get(running, f"/webhooks/{dropbox}")).status == 404
    assert (await get(running, f"/webhooks/{dropbox}?challenge=x", "DELETE")).status == 404
    too_long = await get(running, f"/webhooks/{dropbox}?challenge={'x' * 5000}")
    assert too_long.status == 400
    assert running.edge.stats().handshakes == 1


async def test_a_validation_token_is_answered_before_anything_is_verified(
    running: Listening,
) -> None:
    graph = await running.install(GRAPH)
    path = f"/webhooks/{graph}?validationToken=Validation%3A+Testing+client+application"
    answer = await running.post(path, b"", {"Content-Type": "text/plain; charset=utf-8"})
    assert (answer.status, answer.body) == (200, b"Validation: Testing client application")
    # and it opens nothing: notifications are verified as ever
    item = {"clientState": SECRET, "resource": "me/messages"}
    body = json.dumps({"value": [item]}).encode()
    assert (await running.post(f"/webhooks/{graph}", body, {})).status == 202
    other = json.dumps({"value": [item, {**item, "clientState": "guessed"}]}).encode()
    assert (await running.post(f"/webhooks/{graph}", other, {})).status == 401
    [(_, delivery)] = await running.deliveries()
    assert SECRET not in (delivery.body or "")
    assert json.loads(delivery.body or "")["value"] == [
        {"clientState": "[removed]", "resource": "me/messages"}
    ]


async def test_a_head_request_is_answered_where_the_vendor_sends_one(running: Listening) -> None:
    trello = await running.install(TRELLO)
    assert (await get(running, f"/webhooks/{trello}", "HEAD")).status == 200
    assert (await get(running, f"/webhooks/{trello}")).status == 404


async def test_a_signed_challenge_must_be_signed(running: Listening) -> None:
    slack = await running.install(SLACK)
    body = b'{"type":"url_verification","challenge":"3eZbrw1aB"}'
    timestamp = str(int(running.clock()))
    content = b"v0:" + timestamp.encode() + b":" + body
    signature = "v0=" + hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
    signed = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}
    answer = await running.post(f"/webhooks/{slack}", body, signed)
    assert (answer.status, answer.json()) == (200, {"challenge": "3eZbrw1aB"})
    assert (await running.post(f"/webhooks/{slack}", body, {})).status == 401
    assert running.edge.stats().accepted == 0


async def test_an_answer_can_be_signed_with_the_secret(running: Listening) -> None:
    integration = await running.install(ZOOM)
    body = b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event":"endpoint.url_validation"}'
    sent = zoom({"webhook_secret": SECRET}, body, running.clock())
    answer = await running.post(f"/webhooks/{integration}", body, dict(sent.headers))
    assert answer.json() == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.new(
            SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256
        ).hexdigest(),
    }


async def test_a_code_in_the_body_is_sent_back_and_the_token_stays_here(
    running: Listening,
) -> None:
    grid = await running.install(EVENT_GRID, {"webhook_secret": "c0de"})
    headers = {"aeg-event-type": "SubscriptionValidation"}
    body = b'[{"data":{"validationCode":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}}]'
    answer = await running.post(f"/webhooks/{grid}?code=c0de", body, headers)
    assert answer.json() == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
    assert (await running.post(f"/webhooks/{grid}?code=wrong", body, headers)).status == 401
    delivered = await running.post(f"/webhooks/{grid}?a=1&code=c0de", b"[]", {})
    assert delivered.status == 202
    [(_, delivery)] = await running.deliveries()
    assert delivery.query == "a=1"


async def test_a_delivered_secret_is_stored_before_it_is_answered(settings: Settings) -> None:
    taken: list[tuple[str, str, str]] = []
    async with listening(settings) as running:
        asana = await running.install(ASANA, {})

        async def take(integration: str, field: str, value: str) -> None:
            taken.append((integration, field, value))
            state = running.integrations.get(integration)
            assert state is not None
            sealed = running.seal({field: value})
            await running.publish(
                state.model_copy(update={"version": 2, "webhook_secrets": sealed})
            )

        headers = {
            "X-Hook-Secret": "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
        }
        refused = await running.post(f"/webhooks/{asana}", b"", headers)
        assert refused.status == 401, "nobody is there to store it"

        running.edge.take_secrets(take)
        answer = await running.post(f"/webhooks/{asana}", b"", headers)
        assert answer.status == 200
        assert answer.headers["X-Hook-Secret"] == headers["X-Hook-Secret"]
        assert taken == [(asana, "webhook_secret", headers["X-Hook-Secret"])]
        body = b'{"events":[]}'
        signature = hmac.new(headers["X-Hook-Secret"].encode(), body, hashlib.sha256)
        signed = {"X-Hook-Signature": signature.hexdigest()}
        assert (await running.post(f"/webhooks/{asana}", body, signed)).status == 202
        # nobody can put another one in its place
        again = await running.post(f"/webhooks/{asana}", b"", {"X-Hook-Secret": "mine"})
        assert again.status == 401
        assert len(taken) == 1


@pytest.fixture
async def fetched() -> AsyncGenerator[tuple[str, list[str]]]:
    """A server that notes what is fetched from it."""
    seen: list[str] = []

    async def note(asked: web.Request) -> web.Response:
        seen.append(asked.path_qs)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/{path:.*}", note)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


async def test_only_the_vendors_own_address_is_confirmed(
    running: Listening, fetched: tuple[str, list[str]]
) -> None:
    origin, seen = fetched
    confirm = Handshake(
        when=(Condition(place="body:Type", equals="SubscriptionConfirmation"),),
        confirms="body:SubscribeURL",
        hosts=(".amazonaws.com",),
    )
    verify = StaticToken(header="X-Token")
    integration = await running.install(webhook(verify, confirm))
    for url in (
        f"{origin}/confirm",
        "http://sns.eu-central-1.amazonaws.com/",
        "https://amazonaws.com.example.com/",
        "https://user@sns.amazonaws.com/",
    ):
        body = json.dumps({"Type": "SubscriptionConfirmation", "SubscribeURL": url}).encode()
        answer = await running.post(f"/webhooks/{integration}", body, {"X-Token": SECRET})
        assert answer.status in (400, 503), url
    assert seen == []


async def test_messages_of_another_topic_fetch_nothing(running: Listening) -> None:
    plain = webhook(SnsCertificate(), types="text/plain")
    integration = await running.install(plain, {"topic_arn": TOPIC})
    sent = sns({"topic_arn": TOPIC + "-other"}, b"{}", NOW)
    async with asyncio.timeout(2):
        answer = await running.post(f"/webhooks/{integration}", sent.body, dict(sent.headers))
    assert answer.status == 401
