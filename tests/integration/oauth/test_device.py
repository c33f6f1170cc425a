"""A device without a keyboard is allowed by a person at another screen."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from jackfield_common.ids import DEFAULT_TENANT
from jackfield_oauth.models import Role
from jackfield_oauth.repository.people import People
from jackfield_oauth.service.clients import NewClient
from jackfield_oauth.service.passwords import Passwords
from jackfield_oauth.service.people import Membership
from tests.integration.oauth.person import Person
from tests.integration.oauth.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Scene:
    oauth: Running
    person: Person
    tv: NewClient

    async def start(self, **more: str) -> dict[str, Any]:
        answer = await self.oauth.http.post(
            "/oauth2/device_authorization",
            data={"client_id": self.tv.client.client_id, "scope": "openid api", **more},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def poll(self, device_code: str) -> httpx.Response:
        return await self.oauth.http.post(
            "/oauth2/token",
            data={
                "grant_type": GRANT,
                "device_code": device_code,
                "client_id": self.tv.client.client_id,
            },
        )

    async def answer(self, user_code: str, decision: str) -> httpx.Response:
        page = await self.person.browser.get("/device")
        consent = await self.person.submit(page, user_code=user_code)
        assert consent.status_code == 200, consent.text
        return await self.person.submit(consent, decision=decision)


@pytest_asyncio.fixture(loop_scope="module")
async def scene(oauth: Running) -> AsyncGenerator[Scene]:
    tv = await (await oauth.registry()).create(
        tenant=DEFAULT_TENANT,
        name="Television",
        scopes=["openid", "api", "sudo"],
        actor="test",
        public=True,
        devices=True,
    )
    person = Person(oauth.settings.issuer)
    membership = Membership(
        oauth.settings.issuer,
        oauth.platform.outbox,
        People(oauth.pool),
        await oauth.secrets(),
        Passwords(),
    )
    link = await membership.invite(
        tenant=DEFAULT_TENANT, role=Role.DEVELOPER, email=None, actor="test"
    )
    await person.join(link)
    yield Scene(oauth, person, tv)
    await person.close()


async def test_a_device_waits_is_allowed_and_goes_on(scene: Scene) -> None:
    given = await scene.start()
    assert given["verification_uri"] == scene.oauth.settings.issuer + "/device"
    assert given["expires_in"] == 600
    assert given["interval"] == 5
    waiting = await scene.poll(given["device_code"])
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
    hurried = await scene.poll(given["device_code"])
    assert hurried.json()["error"] == "slow_down"
    # Typed as people type it.
    typed = given["user_code"].lower().replace("-", " ")
    done = await scene.answer(typed, "allow")
    assert "goes on by itself" in done.text
    answers = await asyncio.gather(*(scene.poll(given["device_code"]) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 400, 400]


async def test_its_tokens_are_the_persons_and_end_when_the_code_is_replayed(scene: Scene) -> None:
    given = await scene.start()
    await scene.answer(given["user_code"], "allow")
    tokens = (await scene.poll(given["device_code"])).json()
    assert {"access_token", "refresh_token", "id_token"} <= set(tokens)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    assert (await scene.oauth.http.get("/oauth2/userinfo", headers=bearer)).status_code == 200
    assert (await scene.poll(given["device_code"])).json()["error"] == "invalid_grant"
    assert (await scene.oauth.http.get("/oauth2/userinfo", headers=bearer)).status_code == 401


async def test_refused_and_too_late(scene: Scene) -> None:
    refused = await scene.start()
    assert "refused" in (await scene.answer(refused["user_code"], "deny")).text
    assert (await scene.poll(refused["device_code"])).json()["error"] == "access_denied"
    late = await scene.start()
    await scene.oauth.pool.execute(
        "UPDATE device_authorization SET expires_at = now() WHERE client_id = $1",
        scene.tv.client.client_id,
    )
    assert (await scene.poll(late["device_code"])).json()["error"] == "expired_token"
    page = await scene.person.browser.get("/device", params={"user_code": late["user_code"]})
    assert late["user_code"] in page.text
    assert (await scene.person.submit(page, user_code=late["user_code"])).status_code == 400


async def test_codes_cannot_be_guessed_at_length(scene: Scene) -> None:
    given = await scene.start()
    page = await scene.person.browser.get("/device")
    statuses = [
        (await scene.person.submit(page, user_code=f"BBBB-BBB{letter}")).status_code
        for letter in "BCDFGHJKLM"
    ]
    assert set(statuses) == {400}
    right = await scene.person.submit(page, user_code=given["user_code"])
    assert right.status_code == 429


async def test_who_may_not_ask_is_told_so(scene: Scene) -> None:
    other = await scene.oauth.client("api")
    plain = await scene.oauth.http.post(
        "/oauth2/device_authorization",
        data={"scope": "api"},
        auth=(other.client.client_id, other.secret),
    )
    assert plain.json()["error"] == "unauthorized_client"
    for code in ("", "jf_dc_unknown"):
        answer = await scene.poll(code)
        assert answer.json()["error"] == ("invalid_request" if not code else "invalid_grant")
    beyond = await scene.oauth.http.post(
        "/oauth2/device_authorization",
        data={"client_id": scene.tv.client.client_id, "scope": "read_registry"},
    )
    assert beyond.json()["error"] == "invalid_scope"
    sudo = await scene.start(scope="api sudo")
    page = await scene.person.browser.get("/device")
    assert "administrators" in (await scene.person.submit(page, user_code=sudo["user_code"])).text


async def test_a_person_who_is_not_signed_in_comes_back_to_the_device(scene: Scene) -> None:
    given = await scene.start()
    fresh = Person(scene.oauth.settings.issuer)
    fresh.email = scene.person.email
    try:
        page = await fresh.browser.get("/device", params={"user_code": given["user_code"]})
        back = await fresh.sign_in(page)
        assert given["user_code"] in back.text
        forged = await fresh.browser.get("/sign-in")
        assert "Sign out" in forged.text
    finally:
        await fresh.close()
    stranger = Person(scene.oauth.settings.issuer)
    stranger.email = scene.person.email
    try:
        page = await stranger.browser.get("/sign-in")
        for then in ("https://evil.example/", "//evil.example", "/oauth2/authorize\n", "/device"):
            answer = await stranger.submit(
                page, email=stranger.email, password="correct horse battery staple", then=then
            )
            assert answer.headers["location"] == "/sign-in", then
    finally:
        await stranger.close()
