"""Signing in at a vendor: links, renewed credentials, and what was taken back."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from jackfield_common.errors import ErrorKind
from jackfield_common.events.credential import ConnectionCompleted, ConnectionRequested
from jackfield_common.events.integration import IntegrationState, SealedSecret
from jackfield_common.events.question import Answer
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from jackfield_common.sealing import Keys
from jackfield_common.topics import CONNECTION_REQUESTED, Service
from tests.integration.gateway.running import Running, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINK = "https://auth.example.com/oauth2/connect/jf_si_ticket"
CLIENT = {"client_id": "id", "client_secret": "secret"}


@asynccontextmanager
async def vault(
    gateway: Running, reply: Callable[[ConnectionRequested], Answer | None]
) -> AsyncGenerator[None]:
    """Stands where the vault does: answers the questions of connection requests."""
    consumer = gateway.kafka.consumer(CONNECTION_REQUESTED, group_id=None)
    await consumer.start()

    async def answer() -> None:
        async for record in consumer:
            assert record.value is not None
            request = ConnectionRequested.from_bytes(record.value)
            if request.question is not None and (told := reply(request)) is not None:
                await gateway.publish(told)

    task = asyncio.create_task(answer())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


def sealed_link(gateway: Running) -> SealedSecret:
    keys = Keys.load(gateway.settings.keys_dir, Service.OAUTH)
    return keys.seal(Service.GATEWAY, "authorization", LINK.encode())


def answered(request: ConnectionRequested, *, success: bool, **more: object) -> Answer:
    assert request.question is not None
    return Answer.model_validate(
        {
            "tenant": request.tenant,
            "correlation_id": request.question.correlation_id,
            "instance": request.question.instance,
            "success": success,
            **more,
        }
    )


async def completed(gateway: Running, key: str, **more: object) -> None:
    await gateway.publish(
        ConnectionCompleted.model_validate(
            {"tenant": DEFAULT_TENANT, "integration_id": IntegrationId(key), **more}
        )
    )


async def status(gateway: Running, key: str) -> tuple[str, int]:
    shown = (await gateway.http.get(f"/api/marketplace/installed/{key}")).json()
    return shown["credential_status"], shown["credential_version"]


async def calendar(gateway: Running) -> str:
    key = str((await gateway.install("calendar"))["integration_id"])
    assert (await gateway.configure(key, credentials={**CLIENT})).status_code == 200
    return key


async def test_a_user_is_led_to_the_vendor_and_back(gateway: Running) -> None:
    key = await calendar(gateway)
    await completed(
        gateway,
        key,
        credential_version=1,
        success=True,
        message="Sign in at the vendor to connect it.",
        authorization=sealed_link(gateway),
    )

    async def asked() -> bool:
        return await status(gateway, key) == ("sign_in", 1)

    await eventually(asked)
    shown = (await gateway.http.get(f"/api/marketplace/installed/{key}")).json()
    assert any("/authorize" in warning for warning in shown["warnings"])
    refused = await gateway.http.post(f"/api/marketplace/installed/{key}/test")
    assert refused.status_code == 409

    seen: list[ConnectionRequested] = []

    def reply(request: ConnectionRequested) -> Answer:
        seen.append(request)
        link = sealed_link(gateway).model_dump(mode="json")
        return answered(request, success=True, data={"authorization": link})

    async with vault(gateway, reply):
        answer = await gateway.http.post(
            f"/api/marketplace/installed/{key}/authorize",
            json={"return_to": "https://console.example.com/done"},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["url"] == LINK
    [request] = seen
    assert (request.authorize, request.return_to) == (True, "https://console.example.com/done")
    assert request.sealed is None

    await completed(gateway, key, credential_version=2, success=True, message="New tokens.")

    async def connected() -> bool:
        states = [s for s in await gateway.events(IntegrationState) if s.integration_id == key]
        return await status(gateway, key) == ("stored", 2) and states[-1].credential_version == 2

    await eventually(connected)
    assert (await gateway.http.post(f"/api/marketplace/installed/{key}/test")).status_code == 200


async def test_what_the_vendor_took_back_is_asked_for_again(gateway: Running) -> None:
    key = await calendar(gateway)
    await completed(gateway, key, credential_version=2, success=True)
    await completed(
        gateway,
        key,
        credential_version=2,
        success=False,
        error=ErrorKind.AUTH,
        message="Reconnect: the grant was revoked.",
    )

    async def lost() -> bool:
        return await status(gateway, key) == ("reconnect", 2)

    await eventually(lost)
    # What is told late, or twice, changes nothing.
    await completed(gateway, key, credential_version=1, success=True, message="late")
    await completed(gateway, key, credential_version=2, success=True, message="twice")
    await completed(
        gateway, key, credential_version=2, success=True, authorization=sealed_link(gateway)
    )
    await completed(gateway, key, credential_version=3, success=True, message="signed in again")

    async def found() -> bool:
        return await status(gateway, key) == ("stored", 3)

    await eventually(found)


async def test_nothing_to_sign_in_with_is_said(gateway: Running) -> None:
    key = str((await gateway.install("calendar"))["integration_id"])
    where = f"/api/marketplace/installed/{key}/authorize"
    assert (await gateway.http.post(where, json={})).status_code == 409
    chat = await gateway.ready_chat()
    other = await gateway.http.post(f"/api/marketplace/installed/{chat}/authorize", json={})
    assert other.status_code == 409
    await gateway.configure(key, credentials={**CLIENT})

    def reply(request: ConnectionRequested) -> Answer:
        return answered(request, success=False, message="there is no OAuth client")

    async with vault(gateway, reply):
        answer = await gateway.http.post(where, json={})
    assert (answer.status_code, answer.json()["detail"]) == (409, "there is no OAuth client")


@pytest.mark.parametrize(
    "address", ["http://example.com", "javascript:alert(1)", "https://u:p@example.com", "there"]
)
async def test_a_browser_is_not_sent_anywhere(gateway: Running, address: str) -> None:
    key = await calendar(gateway)
    answer = await gateway.http.post(
        f"/api/marketplace/installed/{key}/authorize", json={"return_to": address}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "return_to"
