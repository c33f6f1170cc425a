"""A token is asked about, given up, and verified across a change of keys."""

import asyncio
import base64
import json
import os
import stat
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from jackfield_common.events import JwksState, RevocationState
from jackfield_oauth.repository.keys import SigningKeys
from jackfield_oauth.repository.revocations import Revocations
from jackfield_oauth.service.clients import NewClient
from jackfield_oauth.service.revocations import RevokedTokens
from jackfield_oauth.service.signing_keys import KeyRing, Policy
from tests.integration.oauth.running import Running, running
from tests.platform import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _token(oauth: Running, made: NewClient) -> str:
    answer = await oauth.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(made.client.client_id, made.secret),
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def _introspect(oauth: Running, who: NewClient, token: str) -> dict[str, object]:
    answer = await oauth.http.post(
        "/oauth2/introspect", data={"token": token}, auth=(who.client.client_id, who.secret)
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_resource_server_learns_what_a_token_is_good_for(oauth: Running) -> None:
    made = await oauth.client("api")
    resource_server = await oauth.client("read_api", introspects=True)
    stranger = await oauth.client("api")
    elsewhere = await oauth.client("api", tenant="other", introspects=True)
    token = await _token(oauth, made)
    for who in (made, resource_server):
        told = await _introspect(oauth, who, token)
        assert told["active"] is True
        assert told["client_id"] == made.client.client_id
        assert told["scope"] == "api"
        assert told["tenant"] == "default"
        assert told["token_type"] == "Bearer"
    for who in (stranger, elsewhere):
        assert await _introspect(oauth, who, token) == {"active": False}
    for rubbish in ("x", "a.b.c", token[:-2], "é" * 10, "x" * 20_000):
        assert await _introspect(oauth, made, rubbish) == {"active": False}
    missing = await oauth.http.post(
        "/oauth2/introspect", auth=(made.client.client_id, made.secret), data={"x": "y"}
    )
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")
    unproven = await oauth.http.post("/oauth2/introspect", data={"token": token})
    assert (unproven.status_code, unproven.json()["error"]) == (401, "invalid_client")


async def test_a_token_that_we_did_not_sign_is_not_active(oauth: Running) -> None:
    made = await oauth.client("api")
    token = await _token(oauth, made)
    decoded = jwt.decode(token, _published(await oauth.http.get("/oauth2/jwks")))
    good_header, claims = decoded.header, decoded.claims
    stranger = ECKey.generate_key("P-256")
    public = (await oauth.http.get("/oauth2/jwks")).json()["keys"][0]
    confused = OctKey.import_key(json.dumps(public))
    forged = [
        jwt.encode(good_header, claims, stranger),
        jwt.encode({**good_header, "kid": "other"}, claims, stranger),
        jwt.encode({**good_header, "alg": "HS256"}, claims, confused),
        f"{_part({**good_header, 'alg': 'none'})}.{token.split('.')[1]}.",
        f"{token.split('.')[0]}.{_part({**claims, 'scope': 'sudo'})}.{token.split('.')[2]}",
    ]
    for one in forged:
        assert await _introspect(oauth, made, one) == {"active": False}
    ring = KeyRing(
        _policy(oauth), oauth.platform.keys, oauth.platform.outbox, SigningKeys(oauth.pool)
    )
    await ring.maintain()
    signer = ring.signer()
    mutations: list[tuple[dict[str, object], dict[str, object]]] = [
        ({"typ": "JWT"}, {}),
        ({}, {"iss": "http://127.0.0.1:1"}),
        ({}, {"exp": int(time.time()) - 1}),
        ({}, {"exp": "soon"}),
        ({}, {"client_id": None}),
    ]
    for header, changed in mutations:
        one = jwt.encode({**good_header, **header}, {**claims, **changed}, signer.key)
        assert await _introspect(oauth, made, one) == {"active": False}, (header, changed)
    whole = jwt.encode(good_header, claims, signer.key)
    assert (await _introspect(oauth, made, whole))["active"] is True


async def test_revoked_means_revoked_here_and_on_the_bus_within_a_second(oauth: Running) -> None:
    made, other = await oauth.client("api"), await oauth.client("api")
    token = await _token(oauth, made)
    jti = str(_claims(token)["jti"])
    async with oauth.following(RevocationState) as revocations:
        await until(lambda: revocations.get("heartbeat") is not None)
        foreign = await oauth.http.post(
            "/oauth2/revoke", data={"token": token}, auth=(other.client.client_id, other.secret)
        )
        assert (foreign.status_code, foreign.json()["error"]) == (400, "invalid_grant")
        assert (await _introspect(oauth, made, token))["active"] is True
        started = time.monotonic()
        for _ in range(2):
            answer = await oauth.http.post(
                "/oauth2/revoke",
                data={"token": token, "token_type_hint": "no_such_hint"},
                auth=(made.client.client_id, made.secret),
            )
            assert answer.status_code == 200
        assert await _introspect(oauth, made, token) == {"active": False}
        await until(lambda: revocations.get(jti) is not None)
        assert time.monotonic() - started < 2  # a second, and room for a busy machine
        first = revocations.get("heartbeat")
        assert first is not None
        await until(lambda: (revocations.get("heartbeat") or first).version >= first.version + 2)

        # When it would have expired anyway it is forgotten, everywhere.
        await oauth.pool.execute("UPDATE revoked_token SET expires_at = now() - interval '1 hour'")
        revoked = RevokedTokens(oauth.platform.outbox, Revocations(oauth.pool))
        assert await revoked.forget_expired() == 1
        await until(lambda: revocations.get(jti) is None)
    unknown = await oauth.http.post(
        "/oauth2/revoke", data={"token": "x"}, auth=(made.client.client_id, made.secret)
    )
    assert unknown.status_code == 200


async def test_keys_change_without_failing_a_live_token(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(
        kafka, database, topic_prefix, tmp_path / "keys", signing_key_notice_seconds=0
    ) as oauth:
        made = await oauth.client("api")
        old = await _token(oauth, made)
        ring = KeyRing(
            _policy(oauth), oauth.platform.keys, oauth.platform.outbox, SigningKeys(oauth.pool)
        )
        kid = await ring.rotate()
        async with oauth.following(JwksState) as published:
            await until(lambda: len((published.get("tokens") or _NO_KEYS).keys) == 2)
        await ring.maintain()
        assert ring.signer().kid == kid
        assert {str(key["kid"]) for key in ring.jwks()} == {_kid(old), kid}
        # Past the last token of the old key it is gone.
        await oauth.pool.execute(
            "UPDATE signing_key SET published_until = now() - interval '1 second' WHERE kid = $1",
            _kid(old),
        )
        await ring.maintain()
        assert [key["kid"] for key in ring.jwks()] == [kid]
    # Another process, another signature, the same keys.
    async with running(
        kafka, database, topic_prefix, tmp_path / "keys", signing_key_notice_seconds=0
    ) as again:
        assert _kid(await _token(again, made)) == kid
        assert await _introspect(again, made, old) == {"active": False}


async def test_a_key_is_known_before_it_signs(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(kafka, database, topic_prefix, tmp_path / "keys") as oauth:
        ring = KeyRing(
            _policy(oauth, notice=timedelta(hours=1)),
            oauth.platform.keys,
            oauth.platform.outbox,
            SigningKeys(oauth.pool),
        )
        await ring.maintain()
        before = ring.signer().kid
        announced = await ring.rotate()
        assert ring.signer().kid == before
        assert ring.find(announced) is not None
        # By schedule: the period is over, and one new key is made, however many processes look.
        due = KeyRing(
            _policy(oauth, period=timedelta(0)),
            oauth.platform.keys,
            oauth.platform.outbox,
            SigningKeys(oauth.pool),
        )
        await asyncio.gather(*(ring.maintain() for _ in range(4)))
        assert len(ring.jwks()) == 2
        await due.maintain()
        assert len(due.jwks()) == 2, "the announced key has not signed for its period yet"


async def test_the_client_file_is_made_once_and_obeyed(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    path = tmp_path / "local" / "client.json"
    async with running(
        kafka, database, topic_prefix, tmp_path / "keys", oauth_client_file=path
    ) as oauth:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        described = json.loads(path.read_text())
        data = {"grant_type": "client_credentials"}
        auth = (described["client_id"], described["client_secret"])
        answer = await oauth.http.post("/oauth2/token", data=data, auth=auth)
        assert answer.status_code == 200
        assert "sudo" not in answer.json()["scope"].split()
    # A secret that was changed in the file is the secret from then on.
    changed = {**described, "client_secret": "c" * 43}
    path.write_text(json.dumps(changed))
    async with running(
        kafka, database, topic_prefix, tmp_path / "keys", oauth_client_file=path
    ) as oauth:
        assert (await oauth.http.post("/oauth2/token", data=data, auth=auth)).status_code == 401
        auth = (changed["client_id"], changed["client_secret"])
        assert (await oauth.http.post("/oauth2/token", data=data, auth=auth)).status_code == 200


_NO_KEYS = JwksState(tenant="default", version=1, set="tokens", issuer="", keys=())  # pyright: ignore[reportArgumentType]


def _policy(oauth: Running, **more: timedelta) -> Policy:
    settings = oauth.settings
    return Policy(
        issuer=settings.issuer,
        audience=settings.audience,
        algorithm=settings.signing_algorithm,
        period=more.get("period", timedelta(days=30)),
        notice=more.get("notice", timedelta(seconds=settings.signing_key_notice_seconds)),
        token_lifetime=timedelta(seconds=settings.access_token_seconds),
    )


def _published(answer: httpx.Response) -> KeySet:
    return KeySet.import_key_set(answer.json())


def _kid(token: str) -> str:
    return str(_document(token.split(".")[0])["kid"])


def _claims(token: str) -> dict[str, object]:
    return _document(token.split(".")[1])


def _document(part: str) -> dict[str, object]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
