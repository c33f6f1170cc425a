"""A person allows an app, the app gets tokens, and everything an attacker may try is refused."""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from jackfield_common.events import RevocationState
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_oauth.models import Role
from jackfield_oauth.repository.people import People
from jackfield_oauth.service.clients import NewClient
from jackfield_oauth.service.passwords import Passwords
from jackfield_oauth.service.people import Membership
from tests.integration.oauth.dump import every_record, every_row
from tests.integration.oauth.person import PASSWORD, Person, query_of
from tests.integration.oauth.running import Running
from tests.platform import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

REDIRECT = "https://app.example/callback?x=1"
NATIVE = "http://127.0.0.1/done"
SCOPE = "openid profile email api"


@dataclass
class Scene:
    oauth: Running
    person: Person
    app: NewClient
    phone: NewClient

    @property
    def issuer(self) -> str:
        return self.oauth.settings.issuer

    async def invite(self, role: Role = Role.OWNER) -> str:
        membership = Membership(
            self.issuer,
            self.oauth.platform.outbox,
            People(self.oauth.pool),
            await self.oauth.secrets(),
            Passwords(),
        )
        return await membership.invite(tenant=DEFAULT_TENANT, role=role, email=None, actor="test")

    def request(self, verifier: str, **changed: str | None) -> dict[str, str]:
        """An authorization request; `changed` replaces parameters, None leaves them out."""
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.app.client.client_id,
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": "opaque state/+",
            "nonce": "n-1",
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            **changed,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    async def authorize(self, **changed: str | None) -> httpx.Response:
        """Open the authorization endpoint in the person's browser."""
        return await self.person.browser.get(
            "/oauth2/authorize", params=self.request(VERIFIER, **changed)
        )

    async def code(self, **changed: str | None) -> str:
        """A code: with the person signed in, agreeing where they are asked."""
        page = await self.authorize(**changed)
        sent = (
            page.headers["location"] if page.status_code == 303 else await self.person.allow(page)
        )
        return query_of(sent)["code"]

    async def exchange(self, given: str, **changed: str | None) -> httpx.Response:
        """Exchange a code as the app does; `changed` replaces parameters, None leaves them out."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            **changed,
        }
        data = {name: value for name, value in form.items() if value is not None}
        if "client_id" in data:
            return await self.oauth.http.post("/oauth2/token", data=data)
        auth = (self.app.client.client_id, self.app.secret)
        return await self.oauth.http.post("/oauth2/token", data=data, auth=auth)

    async def refresh(self, token: str, **more: str) -> httpx.Response:
        return await self.oauth.http.post(
            "/oauth2/token",
            data={"grant_type": "refresh_token", "refresh_token": token, **more},
            auth=(self.app.client.client_id, self.app.secret),
        )

    async def tokens(self) -> dict[str, Any]:
        answer = await self.exchange(await self.code())
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def active(self, token: str) -> bool:
        answer = await self.oauth.http.post(
            "/oauth2/introspect",
            data={"token": token},
            auth=(self.app.client.client_id, self.app.secret),
        )
        return answer.json()["active"]


VERIFIER = secrets.token_urlsafe(48)


def challenge(verifier: str) -> str:
    return (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


@pytest_asyncio.fixture(loop_scope="module")
async def scene(oauth: Running) -> AsyncGenerator[Scene]:
    registry = await oauth.registry()
    app = await registry.create(
        tenant=DEFAULT_TENANT,
        name="An <b>app</b>",
        scopes=[*SCOPE.split(), "sudo"],
        actor="test",
        redirect_uris=[REDIRECT, "https://app.example/other"],
    )
    phone = await registry.create(
        tenant=DEFAULT_TENANT,
        name="Phone",
        scopes=SCOPE.split(),
        actor="test",
        redirect_uris=[NATIVE, "com.example.phone:/done"],
        public=True,
    )
    person = Person(oauth.settings.issuer)
    made = Scene(oauth, person, app, phone)
    await person.join(await made.invite())
    yield made
    await person.close()


async def test_authlibs_client_signs_a_person_in_from_the_first_page_to_userinfo(
    scene: Scene,
) -> None:
    session = OAuth2Session(
        scene.app.client.client_id,
        scene.app.secret,
        scope=SCOPE,
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
    )
    create = cast(Callable[..., tuple[str, str]], session.create_authorization_url)  # pyright: ignore[reportUnknownMemberType]
    url, state = create(
        scene.issuer + "/oauth2/authorize", code_verifier=VERIFIER, nonce="the nonce"
    )
    fresh = Person(scene.issuer)  # another browser, nobody signed in
    try:
        fresh.email = scene.person.email
        consent = await fresh.sign_in(await fresh.browser.get(url))
        assert "An &lt;b&gt;app&lt;/b&gt; would like to" in consent.text
        assert "see your e-mail address" in consent.text
        assert "https://app.example" in consent.headers["content-security-policy"]
        back = await fresh.allow(consent)
    finally:
        await fresh.close()
    assert back.startswith(REDIRECT + "&")
    assert query_of(back)["state"] == state
    assert query_of(back)["iss"] == scene.issuer

    fetch = cast(Callable[..., dict[str, Any]], session.fetch_token)  # pyright: ignore[reportUnknownMemberType]
    answer = await asyncio.to_thread(
        fetch,
        scene.issuer + "/oauth2/token",
        authorization_response=back,
        code_verifier=VERIFIER,
    )
    keys = KeySet.import_key_set((await scene.oauth.http.get("/oauth2/jwks")).json())
    id_token = jwt.decode(answer["id_token"], keys, algorithms=["ES256"]).claims
    access = jwt.decode(answer["access_token"], keys, algorithms=["ES256"]).claims
    assert id_token["iss"] == access["iss"] == scene.issuer
    assert id_token["aud"] == scene.app.client.client_id
    assert id_token["nonce"] == "the nonce"
    assert id_token["sub"] == access["sub"]
    assert id_token["email"] == scene.person.email
    assert (
        id_token["at_hash"]
        == base64.urlsafe_b64encode(hashlib.sha256(answer["access_token"].encode()).digest()[:16])
        .rstrip(b"=")
        .decode()
    )
    assert access["aud"] == "urn:jackfield:api"
    assert access["roles"] == ["owner"]
    assert access["client_id"] == scene.app.client.client_id
    get = cast(Callable[..., Any], session.get)  # pyright: ignore
    userinfo = await asyncio.to_thread(get, scene.issuer + "/oauth2/userinfo")
    assert userinfo.json() == {
        "sub": id_token["sub"],
        "name": "Ada",
        "email": scene.person.email,
        "email_verified": False,
    }
    renew = cast(Callable[..., dict[str, Any]], session.refresh_token)  # pyright: ignore[reportUnknownMemberType]
    renewed = await asyncio.to_thread(renew, scene.issuer + "/oauth2/token")
    assert renewed["refresh_token"] != answer["refresh_token"]
    assert renewed["access_token"] != answer["access_token"]


async def test_a_native_app_without_a_secret_on_any_loopback_port(scene: Scene) -> None:
    for redirect_uri in ("http://127.0.0.1:51000/done", "com.example.phone:/done"):
        changed = {"client_id": scene.phone.client.client_id, "redirect_uri": redirect_uri}
        code = await scene.code(**changed)
        answer = await scene.exchange(code, **changed)
        assert answer.status_code == 200, answer.text
        assert "refresh_token" in answer.json()


async def test_who_agreed_once_is_not_asked_again_unless_the_client_wants_it(
    scene: Scene,
) -> None:
    first = await scene.authorize(prompt="none")
    assert query_of(first.headers["location"])["error"] == "consent_required"
    await scene.code()
    again = await scene.authorize(prompt="none", scope="openid api")
    assert "code" in query_of(again.headers["location"])
    more = await scene.authorize(scope=SCOPE + " sudo")
    assert more.status_code == 200
    assert "act as any other user" in more.text
    asked = await scene.authorize(prompt="consent")
    assert asked.status_code == 200
    proven = await scene.authorize(prompt="login")
    assert 'action="/sign-in"' in proven.text
    home = await scene.person.sign_in(proven)
    assert home.status_code == 303
    assert "code" in query_of(home.headers["location"])
    old = await scene.authorize(max_age="0")
    assert 'action="/sign-in"' in old.text
    nobody = Person(scene.issuer)
    try:
        silent = await nobody.browser.get(
            "/oauth2/authorize", params=scene.request(VERIFIER, prompt="none")
        )
    finally:
        await nobody.close()
    assert query_of(silent.headers["location"])["error"] == "login_required"


async def test_a_request_sent_ahead_is_answered_once(scene: Scene) -> None:
    auth = (scene.app.client.client_id, scene.app.secret)
    sent = scene.request(VERIFIER, client_id=None, prompt="login consent")
    pushed = await scene.oauth.http.post("/oauth2/par", data=sent, auth=auth)
    assert pushed.status_code == 201, pushed.text
    reference = pushed.json()["request_uri"]
    asked = {"client_id": scene.app.client.client_id, "request_uri": reference}
    page = await scene.person.browser.get("/oauth2/authorize", params=asked)
    back = await scene.person.allow(await scene.person.sign_in(page))
    assert query_of(back)["state"] == "opaque state/+"
    assert (await scene.exchange(query_of(back)["code"])).status_code == 200
    for wrong in (
        asked,
        {**asked, "request_uri": reference + "x"},
        {**asked, "request_uri": "https://evil.example/request"},
    ):
        again = await scene.person.browser.get("/oauth2/authorize", params=wrong)
        assert again.status_code == 400


async def test_what_is_wrong_with_a_request_sent_ahead_is_told_at_once(scene: Scene) -> None:
    auth = (scene.app.client.client_id, scene.app.secret)
    wrong: list[tuple[dict[str, str | None], str]] = [
        ({"code_challenge": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"request_uri": "urn:x"}, "invalid_request"),
    ]
    for changed, error in wrong:
        sent = scene.request(VERIFIER, **{"client_id": None, **changed})
        answer = await scene.oauth.http.post("/oauth2/par", data=sent, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (400, error), changed
    unproven = await scene.oauth.http.post("/oauth2/par", data=scene.request(VERIFIER))
    assert (unproven.status_code, unproven.json()["error"]) == (401, "invalid_client")
    other = scene.request(VERIFIER, client_id=None)
    pushed = await scene.oauth.http.post("/oauth2/par", data=other, auth=auth)
    stolen = {
        "client_id": scene.phone.client.client_id,
        "request_uri": pushed.json()["request_uri"],
    }
    answer = await scene.person.browser.get("/oauth2/authorize", params=stolen)
    assert answer.status_code == 400


async def test_refusing_tells_the_client(scene: Scene) -> None:
    page = await scene.authorize()
    answer = await scene.person.submit(page, decision="deny")
    told = query_of(answer.headers["location"])
    assert told["error"] == "access_denied"
    assert told["state"] == "opaque state/+"
    assert told["iss"] == scene.issuer


SHOWN: list[dict[str, str | None]] = [
    {"client_id": "nobody"},
    {"client_id": None},
    {"client_id": "x" * 5000},
    {"redirect_uri": "https://evil.example/"},
    {"redirect_uri": REDIRECT + "&y=2"},
    {"redirect_uri": "https://app.example/callback"},
    {"redirect_uri": "https://app.example/callback?x=1#f"},
    {"redirect_uri": "https://APP.example/callback?x=1"},
    {"redirect_uri": "https://app.example:443/callback?x=1"},
    {"redirect_uri": "https://app.example@evil.example/callback?x=1"},
    {"redirect_uri": 'https://app.example/"\\<script>'},
    {"redirect_uri": "http://127.0.0.1:80@evil.example/done"},
    {"redirect_uri": None},
]

REDIRECTED: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": None}, "unsupported_response_type"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"scope": "everything"}, "invalid_scope"),
    ({"scope": "read_registry"}, "invalid_scope"),
    ({"prompt": "none login"}, "invalid_request"),
]


async def test_a_request_that_cannot_be_trusted_sends_nobody_anywhere(scene: Scene) -> None:
    for changed in SHOWN:
        page = await scene.authorize(**changed)
        assert page.status_code == 400, changed
        assert "location" not in page.headers
        assert "<script>" not in page.text
    twice = await scene.person.browser.get(
        "/oauth2/authorize?" + str(httpx.QueryParams(scene.request(VERIFIER))) + "&state=2"
    )
    assert twice.status_code == 400


async def test_errors_are_told_to_the_client_with_state_and_issuer(scene: Scene) -> None:
    for changed, error in REDIRECTED:
        page = await scene.authorize(**changed)
        assert page.status_code == 303, (changed, page.text)
        assert page.headers["location"].startswith(REDIRECT)
        told = query_of(page.headers["location"])
        assert told["error"] == error, changed
        assert told["state"] == "opaque state/+"
        assert told["iss"] == scene.issuer
        assert "code" not in told


EXCHANGES: list[tuple[dict[str, str | None], int, str]] = [
    ({"code_verifier": secrets.token_urlsafe(48)}, 400, "invalid_grant"),
    ({"code_verifier": None}, 400, "invalid_request"),
    ({"code_verifier": "short"}, 400, "invalid_request"),
    ({"redirect_uri": "https://app.example/other"}, 400, "invalid_grant"),
    ({"redirect_uri": None}, 400, "invalid_grant"),
    ({"code": "jf_ac_" + "x" * 43}, 400, "invalid_grant"),
    ({"code": None}, 400, "invalid_request"),
]


async def test_a_code_is_good_for_its_own_request_alone(scene: Scene) -> None:
    code = await scene.code()
    for changed, status, error in EXCHANGES:
        answer = await scene.exchange(code, **changed)
        assert (answer.status_code, answer.json()["error"]) == (status, error), changed
    other = await scene.exchange(code, client_id=scene.phone.client.client_id)
    assert other.json()["error"] == "invalid_grant"
    # None of that used the code up.
    assert (await scene.exchange(code)).status_code == 200


async def test_a_code_used_twice_ends_everything_that_came_of_it(scene: Scene) -> None:
    code = await scene.code()
    tokens = (await scene.exchange(code)).json()
    async with scene.oauth.following(RevocationState) as revocations:
        assert await scene.active(tokens["access_token"])
        assert (await scene.exchange(code)).json()["error"] == "invalid_grant"
        assert not await scene.active(tokens["access_token"])
        assert not await scene.active(tokens["refresh_token"])
        assert (await scene.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
        jti = jwt_claims(tokens["access_token"])["jti"]
        await until(lambda: revocations.get(str(jti)) is not None)


async def test_two_at_once_get_one_answer(scene: Scene) -> None:
    code = await scene.code()
    answers = await asyncio.gather(*(scene.exchange(code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_a_code_is_over_after_a_minute(scene: Scene) -> None:
    code = await scene.code()
    await scene.oauth.pool.execute(
        "UPDATE authorization_code SET expires_at = now() FROM access_grant g"
        " WHERE g.grant_id = authorization_code.grant_id AND client_id = $1",
        scene.app.client.client_id,
    )
    assert (await scene.exchange(code)).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_a_lost_answer_is_repeated(scene: Scene) -> None:
    first = (await scene.tokens())["refresh_token"]
    answers = await asyncio.gather(*(scene.refresh(first) for _ in range(3)))
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert first not in successors
    (second,) = successors
    narrowed = await scene.refresh(second, scope="api")
    assert narrowed.json()["scope"] == "api"
    assert jwt_claims(narrowed.json()["access_token"])["scope"] == "api"
    widened = await scene.refresh(narrowed.json()["refresh_token"], scope="api sudo")
    assert widened.json()["error"] == "invalid_scope"
    whole = await scene.refresh(narrowed.json()["refresh_token"])
    assert whole.json()["scope"] == SCOPE


async def test_a_stolen_refresh_token_ends_the_grant(scene: Scene) -> None:
    tokens = await scene.tokens()
    second = (await scene.refresh(tokens["refresh_token"])).json()
    third = (await scene.refresh(second["refresh_token"])).json()
    reused = await scene.refresh(tokens["refresh_token"])
    assert reused.json()["error"] == "invalid_grant"
    assert "revoked" in reused.json()["error_description"]
    for alive in (tokens, second, third):
        assert not await scene.active(alive["access_token"])
    assert (await scene.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_spent_token_is_reuse_once_the_grace_is_over(scene: Scene) -> None:
    tokens = await scene.tokens()
    second = (await scene.refresh(tokens["refresh_token"])).json()
    await scene.oauth.pool.execute(
        "UPDATE refresh_token SET used_at = now() - interval '31 s' FROM access_grant g"
        " WHERE g.grant_id = refresh_token.grant_id AND client_id = $1 AND used_at IS NOT NULL",
        scene.app.client.client_id,
    )
    assert (await scene.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await scene.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"


async def test_revoking_a_refresh_token_ends_its_access_tokens(scene: Scene) -> None:
    tokens = await scene.tokens()
    assert await scene.active(tokens["refresh_token"])
    answer = await scene.oauth.http.post(
        "/oauth2/revoke",
        data={"token": tokens["refresh_token"]},
        auth=(scene.app.client.client_id, scene.app.secret),
    )
    assert answer.status_code == 200
    assert not await scene.active(tokens["access_token"])
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    userinfo = await scene.oauth.http.get("/oauth2/userinfo", headers=bearer)
    assert userinfo.status_code == 401
    assert "invalid_token" in userinfo.headers["www-authenticate"]


async def test_a_disabled_person_can_go_nowhere(scene: Scene) -> None:
    tokens, code = await scene.tokens(), await scene.code()
    await scene.oauth.pool.execute(
        "UPDATE person SET disabled_at = now() WHERE email = $1", scene.person.email
    )
    assert (await scene.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await scene.exchange(code)).json()["error"] == "invalid_grant"
    assert "Sign in" in (await scene.authorize()).text


async def test_forms_of_other_sites_are_not_accepted(scene: Scene) -> None:
    page = await scene.authorize()
    parameters = scene.request(VERIFIER)
    where = "/oauth2/authorize?" + str(httpx.QueryParams(parameters))
    without = await scene.person.browser.post(where, data={"decision": "allow"})
    assert without.status_code == 403
    foreign = Person(scene.issuer)
    try:
        theirs = await foreign.browser.get("/sign-in")
        field = theirs.text.split('name="form_token" value="')[1].split('"')[0]
        crossed = await scene.person.browser.post(
            where, data={"decision": "allow", "form_token": field}
        )
    finally:
        await foreign.close()
    assert crossed.status_code == 403
    field = page.text.split('name="form_token" value="')[1].split('"')[0]
    elsewhere = await scene.person.browser.post(
        where,
        data={"decision": "allow", "form_token": field},
        headers={"origin": "https://evil.example"},
    )
    assert elsewhere.status_code == 403


async def test_unknown_people_and_wrong_passwords_look_the_same_and_are_locked_out(
    scene: Scene,
) -> None:
    stranger = Person(scene.issuer)
    try:
        page = await stranger.browser.get("/sign-in")
        answers: list[httpx.Response] = []
        for email in (scene.person.email, f"no-{scene.person.email}"):
            started = time.monotonic()
            answer = await stranger.submit(page, email=email, password="wrong")
            assert time.monotonic() - started < 5
            answers.append(answer)
        told = {answer.text.split("<form")[0] for answer in answers}
        assert {answer.status_code for answer in answers} == {401}
        assert len(told) == 1
        for _ in range(9):
            await stranger.submit(page, email=scene.person.email, password="wrong")
        locked = await stranger.submit(page, email=scene.person.email, password=PASSWORD)
        assert locked.status_code == 429
    finally:
        await stranger.close()


async def test_an_invitation_makes_one_person(scene: Scene) -> None:
    link = await scene.invite(Role.VIEWER)
    people = [Person(scene.issuer) for _ in range(2)]
    try:
        pages = [await person.browser.get(link) for person in people]
        weak = await people[0].submit(
            pages[0], email=f"b-{scene.person.email}", name="B", password="short"
        )
        assert weak.status_code == 400
        assert "at least 12" in weak.text or "12 to" in weak.text
        answers = await asyncio.gather(
            *(
                person.submit(page, email=f"{n}-{scene.person.email}", name="N", password=PASSWORD)
                for n, (person, page) in enumerate(zip(people, pages, strict=True))
            )
        )
        assert sorted(answer.status_code for answer in answers) == [303, 400]
        assert (await people[0].browser.get(link)).status_code == 404
        winner = people[0] if answers[0].status_code == 303 else people[1]
        refused = await winner.browser.get(
            "/oauth2/authorize", params=scene.request(VERIFIER, scope="openid sudo")
        )
        assert query_of(refused.headers["location"])["error"] == "invalid_scope"
    finally:
        for person in people:
            await person.close()


async def test_nothing_of_it_stands_anywhere_in_the_clear(scene: Scene) -> None:
    code = await scene.code()
    tokens = (await scene.exchange(code)).json()
    renewed = (await scene.refresh(tokens["refresh_token"])).json()
    session = next(iter(scene.person.browser.cookies.jar)).value
    hidden = [code, PASSWORD, scene.app.secret, session, VERIFIER]
    for answer in (tokens, renewed):
        hidden += [answer["access_token"], answer["refresh_token"]]
    everything = [part for record in await every_record(scene.oauth.kafka) for part in record]
    rows = await every_row(scene.oauth.pool)
    for secret in hidden:
        assert secret
        assert not any(secret.encode() in (part or b"") for part in everything)
        assert not any(secret in row or secret.encode().hex() in row for row in rows)


def jwt_claims(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
