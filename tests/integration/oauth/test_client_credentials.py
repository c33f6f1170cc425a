"""A program gets a token with its own credentials, and anybody can check it without asking."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any, cast

import pytest
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from jackfield_common.events import JwksState
from tests.integration.oauth.running import Running
from tests.platform import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "/oauth2/token"


def _basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_authlibs_client_gets_a_token_that_the_published_keys_verify(
    oauth: Running, method: str
) -> None:
    made = await oauth.client("api", "read_user")
    session = OAuth2Session(
        made.client.client_id, made.secret, token_endpoint_auth_method=method, scope="api"
    )
    fetch_token = cast(Callable[..., dict[str, Any]], session.fetch_token)  # pyright: ignore[reportUnknownMemberType]
    answer = await asyncio.to_thread(
        fetch_token, oauth.settings.issuer + TOKEN, grant_type="client_credentials"
    )
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == oauth.settings.access_token_seconds
    assert answer["scope"] == "api"

    # Offline, from the bus: what the gateway does.
    async with oauth.following(JwksState) as keys:
        await until(lambda: keys.get("tokens") is not None)
        published = keys.get("tokens")
    assert published is not None
    assert published.issuer == oauth.settings.issuer
    token = jwt.decode(
        answer["access_token"],
        KeySet.import_key_set({"keys": list(published.keys)}),  # pyright: ignore[reportArgumentType]
        algorithms=["ES256"],
    )
    assert token.header["typ"] == "at+jwt"
    claims = token.claims
    assert claims["iss"] == oauth.settings.issuer
    assert claims["sub"] == claims["client_id"] == made.client.client_id
    assert claims["aud"] == published.audience == "urn:jackfield:api"
    assert claims["exp"] - claims["iat"] == oauth.settings.access_token_seconds
    assert claims["scope"] == "api"
    assert claims["tenant"] == "default"
    assert len(claims["jti"]) >= 22

    # The endpoint says the same as the bus.
    served = (await oauth.http.get("/oauth2/jwks")).json()
    assert served == {"keys": [dict(key) for key in published.keys]}
    assert not any("d" in key for key in served["keys"])


async def test_without_a_scope_the_client_gets_all_of_its_own(oauth: Running) -> None:
    made = await oauth.client("read_api", "read_user")
    answer = await oauth.http.post(
        TOKEN,
        data={"grant_type": "client_credentials"},
        headers=_basic(made.client.client_id, made.secret),
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["scope"] == "read_api read_user"


REFUSED: list[tuple[str, dict[str, str], str | None, int, str]] = [
    ("no grant type", {}, "right", 400, "invalid_request"),
    ("unknown grant", {"grant_type": 'magic\x07"'}, "right", 400, "unsupported_grant_type"),
    ("wrong secret", {"grant_type": "client_credentials"}, "wrong", 401, "invalid_client"),
    ("unknown client", {"grant_type": "client_credentials"}, "unknown", 401, "invalid_client"),
    ("no client", {"grant_type": "client_credentials"}, None, 401, "invalid_client"),
    ("bearer", {"grant_type": "client_credentials"}, "bearer", 401, "invalid_client"),
    ("not base64", {"grant_type": "client_credentials"}, "garbage", 401, "invalid_client"),
    (
        "scope beyond the client's",
        {"grant_type": "client_credentials", "scope": "api sudo"},
        "right",
        400,
        "invalid_scope",
    ),
    (
        "scope that is none",
        {"grant_type": "client_credentials", "scope": "everything"},
        "right",
        400,
        "invalid_scope",
    ),
    (
        "two ways to authenticate",
        {"grant_type": "client_credentials", "client_secret": "x"},
        "right",
        400,
        "invalid_request",
    ),
    (
        "NUL",
        {"grant_type": "client_credentials", "client_id": "a\0b"},
        None,
        400,
        "invalid_request",
    ),
]


@pytest.fixture
def authorizations() -> dict[str, str]:
    return {
        "unknown": _basic("nobody", "x" * 43)["authorization"],
        "bearer": "Bearer abc",
        "garbage": "Basic ~~~~",
    }


async def test_refusals_are_those_of_the_rfc(
    oauth: Running, authorizations: dict[str, str]
) -> None:
    made = await oauth.client("api")
    authorizations["right"] = _basic(made.client.client_id, made.secret)["authorization"]
    authorizations["wrong"] = _basic(made.client.client_id, made.secret + "x")["authorization"]
    bodies: dict[str, object] = {}
    for name, form, who, status, error in REFUSED:
        headers = {} if who is None else {"authorization": authorizations[who]}
        answer = await oauth.http.post(TOKEN, data=form, headers=headers)
        assert (answer.status_code, answer.json().get("error")) == (status, error), name
        assert answer.headers["cache-control"] == "no-store", name
        assert ("www-authenticate" in answer.headers) == (status == 401), name
        description = answer.json()["error_description"]
        assert all(0x20 <= ord(one) <= 0x7E and one not in '"\\' for one in description), name
        bodies[name] = answer.json()
    assert bodies["wrong secret"] == bodies["unknown client"]


async def test_malformed_requests_are_answered_not_crashed_on(oauth: Running) -> None:
    made = await oauth.client("api")
    headers = _basic(made.client.client_id, made.secret)
    form = {"content-type": "application/x-www-form-urlencoded"}
    twice = await oauth.http.post(
        TOKEN,
        content=b"grant_type=client_credentials&grant_type=client_credentials",
        headers=headers | form,
    )
    assert twice.json()["error"] == "invalid_request"
    not_a_form = await oauth.http.post(TOKEN, json={"grant_type": "client_credentials"})
    assert not_a_form.json()["error"] == "invalid_request"
    not_utf8 = await oauth.http.post(TOKEN, content=b"grant_type=%ff%fe", headers=headers | form)
    assert not_utf8.json()["error"] == "invalid_request"
    too_large = await oauth.http.post(TOKEN, content=b"a=" + b"x" * 100_000, headers=form)
    assert too_large.status_code == 413
    assert too_large.headers["content-type"] == "application/problem+json"
    unknown = await oauth.http.get("/oauth2/nothing")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    wrong_method = await oauth.http.get(TOKEN)
    assert wrong_method.status_code == 405


async def test_metadata_names_every_endpoint(oauth: Running) -> None:
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
        document = (await oauth.http.get(path)).json()
        assert document["issuer"] == oauth.settings.issuer
        for name, address in document.items():
            if name.endswith(("_endpoint", "_uri")):
                assert address.startswith(oauth.settings.issuer)
                method = "GET" if name == "jwks_uri" else "POST"
                answer = await oauth.http.request(method, address)
                assert answer.status_code in (200, 400, 401), name
