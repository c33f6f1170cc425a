"""What a user types is kept sealed, handed to workers sealed, and never goes back in time."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from jackfield_common.events import (
    ConnectionRequested,
    CredentialState,
    SealedSecret,
)
from jackfield_common.ids import IntegrationId, TenantId, new_id
from jackfield_common.sealing import Keys
from jackfield_common.topics import OAUTH_DEAD, Service
from tests.integration.oauth.dump import Completions, every_record, every_row
from tests.integration.oauth.running import Running
from tests.platform import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TENANT = TenantId("default")
SECRET = "ghp_" + "s3cr3t" * 6


@pytest.fixture
def gateway_keys(oauth: Running) -> Keys:
    return Keys.load(oauth.settings.keys_dir, Service.GATEWAY)


def _request(
    keys: Keys,
    integration: str,
    version: int,
    fields: Mapping[str, object],
    *,
    tenant: str = "default",
) -> ConnectionRequested:
    return ConnectionRequested(
        tenant=TenantId(tenant),
        integration_id=IntegrationId(integration),
        connector="github",
        auth="bearer",
        credential_version=version,
        sealed=keys.seal(Service.OAUTH, "credentials", json.dumps(fields).encode()),
    )


def _delete(integration: str, version: int) -> ConnectionRequested:
    return ConnectionRequested(
        tenant=TENANT,
        integration_id=IntegrationId(integration),
        connector="github",
        auth="bearer",
        credential_version=version,
        delete=True,
    )


def _open(oauth: Running, state: CredentialState) -> dict[str, object]:
    """What a worker does: the vault's signature, then its own seal."""
    workers = Keys.load(oauth.settings.keys_dir, Service.CONNECTORS)
    signed = workers.verify(Service.OAUTH, state.token)
    assert signed["integration_id"] == state.integration_id
    assert signed["version"] == state.version
    assert signed["tenant"] == state.tenant
    return dict(json.loads(workers.open_token(str(signed["jwe"]))))


async def test_a_worker_can_open_what_the_user_typed_and_nobody_else(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    integration = new_id()
    fields = {"token": SECRET, "note": "ü"}
    async with oauth.following(CredentialState) as credentials:
        await oauth.publisher.publish(_request(gateway_keys, integration, 1, fields))
        state = await credentials.wait_for(integration, 1, timeout=20)
    assert _open(oauth, state) == {"auth": "bearer", "fields": fields}
    (completed,) = await completions.of(integration, 1)
    assert completed.success
    assert completed.credential_version == 1


async def test_a_redelivered_or_older_request_changes_nothing(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    integration = new_id()
    first = _request(gateway_keys, integration, 1, {"token": "first"})
    second = _request(gateway_keys, integration, 2, {"token": "second"})
    async with oauth.following(CredentialState) as credentials:
        for request in (first, first, second, first, second):
            await oauth.publisher.publish(request)
        completed = await completions.of(integration, 5)
        state = await credentials.wait_for(integration, 2, timeout=20)
        assert state.version == 2
    assert all(one.success for one in completed)
    assert [one.credential_version for one in completed] == [1, 1, 2, 2, 2]
    published = [key for key, _ in await every_record(oauth.kafka, CredentialState.topic)]
    assert published.count(integration.encode()) == 2


async def test_deleting_removes_it_everywhere_and_it_stays_removed(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    integration = new_id()
    request = _request(gateway_keys, integration, 3, {"token": SECRET})
    async with oauth.following(CredentialState) as credentials:
        await oauth.publisher.publish(request)
        await credentials.wait_for(integration, 3, timeout=20)
        await oauth.publisher.publish(_delete(integration, 3))
        await until(lambda: credentials.get(integration) is None)
        await oauth.publisher.publish(request)  # the old request once more
        completed = await completions.of(integration, 3)
        assert all(one.success for one in completed)
        row = await oauth.pool.fetchrow(
            "SELECT sealed, version FROM credential WHERE integration_id = $1", integration
        )
        assert row is not None
        assert (row["sealed"], row["version"]) == (None, 3)
        # Given anew, it is kept anew, above what was deleted.
        await oauth.publisher.publish(_request(gateway_keys, integration, 4, {"token": "new"}))
        state = await credentials.wait_for(integration, 4, timeout=20)
        assert _open(oauth, state)["fields"] == {"token": "new"}


async def test_what_cannot_be_kept_is_refused_with_a_reason(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    good = _request(gateway_keys, "x", 1, {"token": SECRET}).sealed
    assert good is not None
    head, _, tail = good.jwe.partition(".")
    broken = {
        "other key": gateway_keys.seal(Service.CONNECTORS, "x", b'{"token":"x"}'),
        "changed": good.model_copy(update={"jwe": f"{head}.{tail[:-4]}AAAA"}),
        "no JWE at all": SealedSecret(label="x", kid="none", jwe="nonsense"),
        "not JSON": gateway_keys.seal(Service.OAUTH, "x", b"\xff\x00"),
        "not an object": gateway_keys.seal(Service.OAUTH, "x", b"[1]"),
        "nothing": None,
    }
    for name, sealed in broken.items():
        integration = new_id()
        request = _request(gateway_keys, integration, 1, {}).model_copy(update={"sealed": sealed})
        await oauth.publisher.publish(request)
        (completed,) = await completions.of(integration, 1)
        assert not completed.success, name
        assert "again" in completed.message, name
        assert SECRET not in completed.message
        # And the right one, afterwards, under the same version, is kept.
        await oauth.publisher.publish(_request(gateway_keys, integration, 1, {"token": "y"}))
        assert (await completions.of(integration, 2))[-1].success, name


async def test_another_tenant_cannot_replace_it(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    integration = new_id()
    async with oauth.following(CredentialState) as credentials:
        await oauth.publisher.publish(_request(gateway_keys, integration, 1, {"token": "mine"}))
        await credentials.wait_for(integration, 1, timeout=20)
        foreign = _request(gateway_keys, integration, 2, {"token": "yours"}, tenant="other")
        await oauth.publisher.publish(foreign)
        completed = await completions.of(integration, 2)
        assert not completed[-1].success
        state = credentials.get(integration)
    assert state is not None
    assert _open(oauth, state)["fields"] == {"token": "mine"}


async def test_what_is_no_request_becomes_a_dead_letter_and_blocks_nobody(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    integration = new_id()
    producer = oauth.kafka.producer()
    await producer.start()
    try:
        name = oauth.kafka.naming.physical(ConnectionRequested.topic)
        await producer.send_and_wait(name, value=b"{", key=integration.encode())
    finally:
        await producer.stop()
    await oauth.publisher.publish(_request(gateway_keys, integration, 1, {"token": "x"}))
    assert (await completions.of(integration, 1))[0].success
    async with asyncio.timeout(20):
        while not await every_record(oauth.kafka, OAUTH_DEAD):
            await asyncio.sleep(0.05)


async def test_no_secret_can_be_read_from_any_topic_or_table(
    oauth: Running, gateway_keys: Keys, completions: Completions
) -> None:
    integration = new_id()
    async with oauth.following(CredentialState) as credentials:
        await oauth.publisher.publish(_request(gateway_keys, integration, 1, {"token": SECRET}))
        await credentials.wait_for(integration, 1, timeout=20)
    client = await oauth.client("api")
    answer = await oauth.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(client.client.client_id, client.secret),
    )
    token = answer.json()["access_token"]
    secrets = [SECRET, client.secret, token]
    everything = [
        part for record in await every_record(oauth.kafka) for part in record if part is not None
    ]
    rows = await every_row(oauth.pool)
    assert len(everything) > 5
    assert len(rows) > 5
    for secret in secrets:
        assert not any(secret.encode() in part for part in everything)
        assert not any(secret in row or secret.encode().hex() in row for row in rows)
