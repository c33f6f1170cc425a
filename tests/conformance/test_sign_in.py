"""The credential is where the vendor looks for it, and nowhere else."""

import base64
from contextlib import suppress

import pytest

from jackfield_common.connector.auth import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    KeyHeaders,
    NoAuth,
    OAuth2,
    SecretUrl,
)
from jackfield_common.connector.manifest import ActionManifest
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.discovery import Loaded
from jackfield_connectors.engine import Unfitting
from tests.conformance.driver import (
    CONNECTORS,
    Driver,
    canary,
    first_exchange,
    prefix,
    usable_auth,
)
from tests.conformance.player import Seen, answering, playing, steps_of


def _cases() -> list[tuple[Loaded, ActionManifest, Auth]]:
    """For each kind of sign-in of each connector the first action that works with it."""
    cases: list[tuple[Loaded, ActionManifest, Auth]] = []
    for loaded in CONNECTORS:
        for auth in loaded.manifest.auth:
            for action in loaded.manifest.actions:
                if auth in usable_auth(loaded, action):
                    cases.append((loaded, action, auth))
                    break
    return cases


every_sign_in = pytest.mark.parametrize(
    ("loaded", "action", "auth"),
    [pytest.param(*one, id=f"{one[0].connector.slug}-{one[2].kind}") for one in _cases()],
)


def _proof(auth: Auth) -> dict[str, str]:
    """The headers that have to arrive."""
    match auth:
        case NoAuth():
            return {}
        case SecretUrl():
            return {
                name.lower(): value.replace("{user}", canary("user"))
                for name, value in auth.headers.items()
            }
        case Bearer():
            return {"authorization": f"{auth.prefix} {canary(auth.fields[0].name)}".strip()}
        case OAuth2():
            return {"authorization": f"{auth.prefix} {canary('access_token')}"}
        case ApiKey():
            if auth.place != "header":
                return {}
            return {auth.name.lower(): auth.prefix + canary(auth.fields[0].name)}
        case KeyHeaders():
            return {header.lower(): canary(field) for header, field in auth.headers.items()}
        case Basic():
            values = [canary(field.name) for field in auth.fields[:2]]
            pair = ":".join(values if len(values) == 2 else [*values, ""]).encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


@every_sign_in
async def test_the_credential_arrives(loaded: Loaded, action: ActionManifest, auth: Auth) -> None:
    seen = await _performed(loaded, action, auth)
    for name, value in _proof(auth).items():
        assert seen.headers.get(name) == value
    if isinstance(auth, ApiKey) and auth.place == "query":
        assert dict(seen.query)[auth.name] == auth.prefix + canary(auth.fields[0].name)
    others = {name: value for name, value in seen.headers.items() if name not in _proof(auth)}
    assert "canary" not in str(others)
    assert b"canary" not in seen.body


@every_sign_in
async def test_a_refused_credential_is_a_failure_of_its_own_kind(
    loaded: Loaded, action: ActionManifest, auth: Auth
) -> None:
    exchange = first_exchange(loaded, action.name, auth.kind) or first_exchange(loaded, action.name)
    assert exchange is not None
    driver = Driver.make()
    try:
        async with playing(
            answering([{"status": 401, "body": {"message": "Bad credentials"}}], str),
            prefix(loaded.manifest, auth),
        ) as player:
            with pytest.raises(Failure) as failed:
                await driver.perform(
                    loaded,
                    action.name,
                    exchange.input,
                    player,
                    auth=auth.kind,
                    config=exchange.config,
                )
    finally:
        await driver.transport.close()
    assert failed.value.kind in (ErrorKind.AUTH, ErrorKind.FORBIDDEN)
    assert "canary" not in str(failed.value)


async def _performed(loaded: Loaded, action: ActionManifest, auth: Auth) -> Seen:
    exchange = first_exchange(loaded, action.name, auth.kind) or first_exchange(loaded, action.name)
    assert exchange is not None
    driver = Driver.make()
    try:
        async with playing(
            answering([step.response for step in steps_of(exchange)], str),
            prefix(loaded.manifest, auth),
        ) as player:
            # the recorded answer may be that of another kind of credential
            with suppress(Unfitting):
                await driver.perform(
                    loaded,
                    action.name,
                    exchange.input,
                    player,
                    auth=auth.kind,
                    config=exchange.config,
                )
    finally:
        await driver.transport.close()
    return player.seen[0]
