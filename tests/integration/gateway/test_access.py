"""Who may call: API keys, access tokens, scopes."""

import time
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from jackfield_common.events.audit import AuditRecorded
from jackfield_common.events.credential import JwksState, RevocationState
from jackfield_common.events.message import now
from jackfield_common.ids import DEFAULT_TENANT, new_id
from tests.integration.gateway.running import API_KEY, Running, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

ISSUER = "https://auth.example.com"
AUDIENCE = "urn:jackfield:api"
KEY = ECKey.generate_key("P-256", parameters={"kid": "one", "use": "sig", "alg": "ES256"})
STRANGER = ECKey.generate_key("P-256", parameters={"kid": "one"})
LIST = "/api/marketplace/installed"


def claims(**changes: Any) -> dict[str, Any]:
    at = int(time.time())
    usual = {
        "iss": ISSUER,
        "sub": "client-1",
        "client_id": "client-1",
        "aud": AUDIENCE,
        "iat": at,
        "exp": at + 300,
        "jti": new_id(),
        "scope": "api",
        "tenant": "default",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def token(key: Any = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    head = {"alg": "ES256", "kid": "one", "typ": "at+jwt"} | (header or {})
    return jwt.encode(head, claims(**changes), key, algorithms=[head["alg"]])


async def ask(
    gateway: Running, credential: str | None, method: str = "GET", path: str = LIST, **more: Any
) -> Any:
    headers = {"Authorization": f"Bearer {credential}" if credential else ""}
    return await gateway.http.request(method, path, headers=headers, **more)


async def authorization_server(gateway: Running) -> None:
    """Speak as the authorization server does: its keys, and a sign of life."""
    at = int(time.time() * 1000)
    await gateway.publish(
        JwksState(
            tenant=DEFAULT_TENANT,
            version=at,
            set="tokens",
            issuer=ISSUER,
            audience=AUDIENCE,
            keys=(KEY.as_dict(private=False),),  # type: ignore[arg-type]
        )
    )
    await heartbeat(gateway)

    async def known() -> bool:
        return (await ask(gateway, token())).status_code == 200

    await eventually(known)


async def heartbeat(gateway: Running) -> None:
    await gateway.publish(
        RevocationState(tenant=DEFAULT_TENANT, version=int(time.time() * 1000), jti="heartbeat")
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {API_KEY}"},
        {"Authorization": f"bearer {API_KEY}"},
        {"X-API-Key": API_KEY, "Authorization": None},
    ],
)
async def test_the_bootstrap_key_opens(gateway: Running, headers: dict[str, str | None]) -> None:
    request = gateway.http.build_request("GET", LIST)
    for name, value in headers.items():
        if value is None:
            del request.headers[name]
        else:
            request.headers[name] = value
    assert (await gateway.http.send(request)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="jackfield"'),
        ({"Authorization": "Bearer wrong"}, "invalid_token"),
        ({"Authorization": "Bearer jf_" + "x" * 43}, "invalid_token"),
        ({"X-API-Key": "wrong"}, "invalid_token"),
        ({"Authorization": "Basic abc"}, "invalid_request"),
        ({"Authorization": "Bearer"}, "invalid_request"),
        ({"Authorization": f"Bearer {API_KEY}", "X-API-Key": API_KEY}, "invalid_request"),
    ],
)
async def test_everybody_else_is_refused(
    gateway: Running, headers: dict[str, str], challenge: str
) -> None:
    request = gateway.http.build_request("GET", LIST)
    request.headers.pop("Authorization", None)
    request.headers.update(headers)
    answer = await gateway.http.send(request)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert challenge in answer.headers["www-authenticate"]
    assert ("error" in answer.headers["www-authenticate"]) == bool(headers)
    assert answer.json()["type"] == "urn:jackfield:problem:unauthenticated"


async def test_keys_are_made_shown_once_and_revoked(gateway: Running) -> None:
    made = await gateway.http.post("/api/keys", json={"name": "Pipeline", "scopes": ["read_api"]})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key, key_id = made.json()["key"], made.json()["key_id"]
    assert (await ask(gateway, key)).status_code == 200
    async with gateway.platform.pool.acquire() as connection:
        rows = await connection.fetch("SELECT k::text AS text FROM api_key k")
    assert not any(key in row["text"] or key.encode().hex() in row["text"] for row in rows)
    listed = (await gateway.http.get("/api/keys")).json()["items"]
    assert [one["name"] for one in listed if one["key_id"] == key_id] == ["Pipeline"]
    assert key not in str(listed)

    refused = await ask(gateway, key, "POST", "/api/marketplace/install", json={})
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="api"' in refused.headers["www-authenticate"]

    async def told() -> bool:
        trail = await gateway.events(AuditRecorded)
        return [(one.operation, one.allowed) for one in trail if one.actor == f"key:{key_id}"] == [
            ("POST /api/marketplace/install", False)
        ]

    await eventually(told)
    assert (await gateway.http.delete(f"/api/keys/{key_id}")).status_code == 204
    assert (await ask(gateway, key)).status_code == 401
    assert (await gateway.http.delete(f"/api/keys/{key_id}")).status_code == 404


async def test_a_key_expires(gateway: Running) -> None:
    past = (now() - timedelta(seconds=1)).isoformat()
    refused = await gateway.http.post("/api/keys", json={"name": "Old", "expires_at": past})
    assert refused.json()["errors"][0]["field"] == "expires_at"
    for never in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        odd = await gateway.http.post("/api/keys", json={"name": "Odd", "expires_at": never})
        assert odd.status_code == 422, odd.text
    soon = (now() + timedelta(seconds=1)).isoformat()
    made = await gateway.http.post("/api/keys", json={"name": "Short", "expires_at": soon})
    key = made.json()["key"]
    assert (await ask(gateway, key)).status_code == 200

    async def expired() -> bool:
        return (await ask(gateway, key)).status_code == 401

    await eventually(expired)


async def test_a_token_of_our_authorization_server_opens(gateway: Running) -> None:
    await authorization_server(gateway)
    assert (await ask(gateway, token())).status_code == 200
    assert (await ask(gateway, token(aud=["other", AUDIENCE]))).status_code == 200
    body = {"template_name": "clock"}
    made = await ask(gateway, token(), "POST", "/api/marketplace/install", json=body)
    assert made.status_code == 201
    key = made.json()["integration_id"]
    mine = f"{LIST}/{key}"
    assert (await ask(gateway, token(tenant="another"), path=mine)).status_code == 404
    read = token(scope="openid read_api")
    assert (await ask(gateway, read, path=mine)).status_code == 200
    assert (await ask(gateway, read, "DELETE", mine)).status_code == 403
    assert (await ask(gateway, token(scope="openid"), path=mine)).status_code == 403
    assert (await ask(gateway, token(scope=None), path=mine)).status_code == 403


RSA = RSAKey.generate_key(2048, parameters={"kid": "one"})


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: token(STRANGER), "not signed"),
        (lambda: token(RSA, {"alg": "RS256"}), "not signed"),
        (lambda: token(OctKey.import_key("k" * 32), {"alg": "HS256"}), "not signed"),
        (lambda: token(header={"typ": "JWT"}), "typ"),
        (lambda: token(iss="https://evil.example"), "issuer"),
        (lambda: token(aud="urn:other"), "not meant"),
        (lambda: token(exp=int(time.time()) - 60), "expired"),
        (lambda: token(exp="never"), "expired"),
        (lambda: token(exp=None), "lacks exp"),
        (lambda: token(jti=None), "lacks jti"),
        (lambda: token(client_id=None), "lacks client_id"),
        (lambda: token(nbf=int(time.time()) + 600), "not valid yet"),
        (lambda: token(tenant="Not A Tenant"), "tenant"),
        (lambda: token(tenant=None), "tenant"),
        (lambda: token()[:-4] + "AAAA", "not signed"),
        (lambda: "a.b.c", "not signed"),
        (lambda: "..", "not signed"),
        (lambda: token(padding="x" * 9000), "too long"),
        (
            lambda: "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + token().split(".")[1] + ".",
            "not signed",
        ),
    ],
)
async def test_any_other_token_is_refused(gateway: Running, made: Any, why: str) -> None:
    await authorization_server(gateway)
    answer = await ask(gateway, made())
    assert answer.status_code == 401, answer.text
    assert why in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_revoked_token_is_refused_and_silence_is_not_trusted(gateway: Running) -> None:
    await authorization_server(gateway)
    jti = new_id()
    revoked = token(jti=jti)
    assert (await ask(gateway, revoked)).status_code == 200
    await gateway.publish(
        RevocationState(tenant=DEFAULT_TENANT, version=1, jti=jti, expires_at=time.time() + 300)
    )

    async def refused() -> bool:
        return (await ask(gateway, revoked)).status_code == 401

    await eventually(refused, seconds=2)

    async def silent() -> bool:
        answer = await ask(gateway, token())
        return answer.status_code == 503 and answer.headers["retry-after"] == "1"

    await eventually(silent, seconds=8)
    assert (await gateway.http.get(LIST)).status_code == 200  # keys need no feed
    await heartbeat(gateway)

    async def again() -> bool:
        return (await ask(gateway, token())).status_code == 200

    await eventually(again)
