"""Limits, allow lists and trusted proxies, as a sender meets them."""

import asyncio

from jackfield_common.settings import Settings
from tests.integration.edge.listening import Listening, github_headers, listening

BODY = b'{"ref":"refs/heads/main"}'


async def test_an_integration_has_a_limit_of_its_own(settings: Settings) -> None:
    async with listening(settings, integration_rate=0.5, integration_burst=3) as running:
        busy, quiet = await running.install(), await running.install()
        answers = [
            await running.post(f"/webhooks/{busy}", BODY, github_headers(BODY)) for _ in range(5)
        ]
        assert [answer.status for answer in answers] == [202, 202, 202, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        answer = await running.post(f"/webhooks/{quiet}", BODY, github_headers(BODY))
        assert answer.status == 202
        assert running.edge.stats().refused == {"integration_limit": 2}


async def test_a_source_has_a_limit_over_all_integrations(settings: Settings) -> None:
    async with listening(
        settings, source_rate=0.5, source_burst=3, trusted_proxies=("127.0.0.0/8",)
    ) as running:
        integrations = [await running.install() for _ in range(4)]
        statuses: list[int] = []
        for integration in integrations:
            headers = github_headers(BODY) | {"X-Forwarded-For": "6.6.6.6, 203.0.113.5"}
            answer = await running.post(f"/webhooks/{integration}", BODY, headers)
            statuses.append(answer.status)
        assert statuses == [202, 202, 202, 429]
        assert running.edge.stats().rate_limited_ips == 1
        # what stands before the last hop was written by the sender and counts for nothing
        headers = github_headers(BODY) | {"X-Forwarded-For": "203.0.113.5, 203.0.113.6"}
        answer = await running.post(f"/webhooks/{integrations[0]}", BODY, headers)
        assert answer.status == 202


async def test_who_guesses_learns_nothing_after_a_while_and_others_are_let_in(
    settings: Settings,
) -> None:
    async with listening(settings, refusal_rate=0.1, refusal_burst=3) as running:
        integration = await running.install()
        wrong = github_headers(BODY, secret="guess")
        known = [
            (await running.post(f"/webhooks/{integration}", BODY, wrong)).status for _ in range(3)
        ]
        assert known == [401, 401, 401]
        guessed = await running.post(f"/webhooks/{integration}", BODY, wrong)
        unknown = await running.post("/webhooks/nothing", BODY, wrong)
        assert guessed.status == unknown.status == 429
        assert guessed.body == unknown.body
        # the same address may be a proxy, or a vendor with one wrong secret among many
        answer = await running.post(f"/webhooks/{integration}", BODY, github_headers(BODY))
        assert answer.status == 202


async def test_only_networks_on_the_list_of_the_integration_may_send(settings: Settings) -> None:
    async with listening(settings, trusted_proxies=("127.0.0.1/32",)) as running:
        listed = await running.install(config={"webhook_allow": ["203.0.113.0/24"]})
        for address, status in (("203.0.113.9", 202), ("198.51.100.1", 403)):
            headers = github_headers(BODY) | {"X-Forwarded-For": address}
            answer = await running.post(f"/webhooks/{listed}", BODY, headers)
            assert answer.status == status, address
        broken = await running.install(config={"webhook_allow": ["everywhere"]})
        answer = await running.post(f"/webhooks/{broken}", BODY, github_headers(BODY))
        assert answer.status == 401, "a list that cannot be read lets nobody in"


async def test_deep_documents_and_encoded_bodies_are_refused(settings: Settings) -> None:
    async with listening(settings, max_json_depth=16) as running:
        integration = await running.install()
        path = f"/webhooks/{integration}"
        deep = b"[" * 17 + b"]" * 17
        assert (await running.post(path, deep, github_headers(deep))).status == 422
        flat = b"[" * 16 + b"]" * 16
        assert (await running.post(path, flat, github_headers(flat))).status == 202
        # large enough to be looked at beside the loop
        large = b'{"a":[' + b"[]," * 200_000 + b"1]}"
        assert (await running.post(path, large, github_headers(large))).status == 202
        large_and_deep = b'{"a":[' + b"[]," * 200_000 + deep + b"]}"
        answer = await running.post(path, large_and_deep, github_headers(large_and_deep))
        assert answer.status == 422
        headers = github_headers(BODY) | {"Content-Encoding": "gzip"}
        assert (await running.post(path, BODY, headers)).status == 415


async def test_bodies_that_escape_badly_still_fit_on_the_bus(running: Listening) -> None:
    integration = await running.install()
    # each byte takes six as JSON text: four thirds as base64
    body = b"\x01" * (20 * 1024 * 1024)
    async with asyncio.timeout(30):
        answer = await running.post(f"/webhooks/{integration}", body, github_headers(body))
    assert answer.status == 202
    [(_, delivery)] = await running.deliveries()
    assert delivery.body is None
    assert delivery.raw_body() == body
