"""The emulated vendor, spoken to over real sockets."""

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest

from jackfield_certification.emulator import RecordingError, VendorEmulator, invent
from jackfield_certification.emulator.faults import (
    Drift,
    ExpiredToken,
    Faults,
    HalfBody,
    Reset,
    Stall,
    Status,
    plan_from_text,
)
from jackfield_common.connector.auth import ApiKey, Basic, Bearer, KeyHeaders, SecretUrl
from jackfield_common.connector.fields import secret, text
from jackfield_common.connector.manifest import Manifest
from tests.integration.certification.shelf import document, manifest


async def signed_in(vendor: VendorEmulator) -> dict[str, str]:
    credential = invent(vendor.manifest.auth[0], vendor.address)
    vendor.door.admit(credential)
    return {"Authorization": f"Bearer {credential.fields['token']}"}


async def test_it_answers_as_recorded_and_remembers_how_the_request_differed() -> None:
    async with VendorEmulator(manifest()) as vendor, aiohttp.ClientSession() as client:
        headers = await signed_in(vendor)
        url = f"{vendor.base_url()}/shelves/a%2Fb/items"
        async with client.post(url, json={"title": "Notes"}, headers=headers) as answer:
            assert answer.status == 201
            assert await answer.json() == {"id": 7, "title": "Notes"}
        async with client.post(url, json={"name": "Notes"}, headers=headers) as answer:
            assert answer.status == 201
        exact, other = vendor.calls.since()
        assert exact.differences == ()
        assert exact.recording == "a new item"
        assert other.differences == ("body.name is not in the recording", "body.title is missing")


async def test_strangers_unknown_routes_and_spent_budgets_are_refused() -> None:
    async with VendorEmulator(manifest()) as vendor, aiohttp.ClientSession() as client:
        headers = await signed_in(vendor)
        me = f"{vendor.base_url()}/me"
        statuses: list[int] = []
        for url, given in ((me, {}), (me, headers), (f"{vendor.base_url()}/nobody", headers)):
            async with client.get(url, headers=given) as answer:
                statuses.append(answer.status)
        vendor.limits.set_budget(1, 60)
        for _ in range(2):
            async with client.get(me, headers=headers) as answer:
                statuses.append(answer.status)
        vendor.door.expel("bearer")
        async with client.get(me, headers=headers) as answer:
            statuses.append(answer.status)
        assert statuses == [401, 200, 404, 200, 429, 401]
        assert vendor.limits.exceeded == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Status(503), 503),
        (ExpiredToken(), 401),
        (Reset(), aiohttp.ClientOSError),
        (HalfBody(), aiohttp.ClientPayloadError),
        (Stall(30), TimeoutError),
    ],
)
async def test_faults_are_acted_out_on_the_wire(fault: Any, outcome: int | type[Exception]) -> None:
    timeout = aiohttp.ClientTimeout(total=0.5)
    async with (
        VendorEmulator(manifest()) as vendor,
        aiohttp.ClientSession(timeout=timeout) as client,
    ):
        headers = await signed_in(vendor)
        # For every request: the client repeats a GET by itself when a connection breaks.
        vendor.faults.plan(fault)

        async def call() -> int:
            async with client.get(f"{vendor.base_url()}/me", headers=headers) as answer:
                await answer.read()
                return answer.status

        if isinstance(outcome, int):
            assert await call() == outcome
        else:
            with pytest.raises(outcome):
                await call()
        vendor.faults.clear()
        assert await call() == 200


async def test_a_drifted_answer_has_other_types() -> None:
    async with VendorEmulator(manifest()) as vendor, aiohttp.ClientSession() as client:
        headers = await signed_in(vendor)
        vendor.faults.plan(Drift())
        async with client.get(f"{vendor.base_url()}/me", headers=headers) as answer:
            assert await answer.json() == {"user": {"value": "ada"}}


async def test_retry_after_and_headers_of_the_budget_are_sent() -> None:
    async with VendorEmulator(manifest()) as vendor, aiohttp.ClientSession() as client:
        headers = await signed_in(vendor)
        vendor.faults.plan(Status(429, retry_after="7"), times=1)
        async with client.get(f"{vendor.base_url()}/me", headers=headers) as answer:
            assert answer.headers["Retry-After"] == "7"
            assert int(answer.headers["X-Remaining"]) > 0


async def test_a_recorded_budget_does_not_hide_the_live_one() -> None:
    connector = document()
    connector["exchanges"][0]["response"]["headers"] = {"x-remaining": "4999", "x-other": "kept"}
    async with (
        VendorEmulator(Manifest.model_validate(connector)) as vendor,
        aiohttp.ClientSession() as client,
    ):
        headers = await signed_in(vendor)
        vendor.limits.set_budget(3, 60)
        async with client.get(f"{vendor.base_url()}/me", headers=headers) as answer:
            assert answer.headers.getall("X-Remaining") == ["2"]
            assert answer.headers["X-Other"] == "kept"


@pytest.mark.parametrize(
    "auth",
    [
        Bearer(),
        ApiKey(name="X-Key"),
        ApiKey(name="key", place="query"),
        KeyHeaders(
            headers={"X-One": "one", "X-Two": "two"},
            fields=(secret("one", "1"), secret("two", "2")),
        ),
        Basic(),
        Basic(fields=(secret("key", "Key"),)),
        SecretUrl(),
        Bearer(fields=(secret("token", "Token"), text("account", "Account"))),
    ],
)
async def test_each_way_to_sign_in_is_told_from_a_stranger(auth: Any) -> None:
    connector = document()
    connector["auth"] = [auth.model_dump(mode="json")]
    async with VendorEmulator(Manifest.model_validate(connector)) as vendor:
        credential = invent(auth, vendor.address)
        vendor.door.admit(credential)
        assert credential.secrets
        fields = credential.fields
        url, headers = f"{vendor.base_url()}/me", dict[str, str]()
        match auth:
            case Bearer():
                headers["Authorization"] = f"Bearer {fields['token']}"
            case ApiKey(place="header"):
                headers["X-Key"] = fields["api_key"]
            case ApiKey():
                url += f"?key={fields['api_key']}"
            case KeyHeaders():
                headers |= {"X-One": fields["one"], "X-Two": fields["two"]}
            case Basic():
                user, password = (*(fields[one.name] for one in auth.fields), "")[:2]
                pair = base64.b64encode(f"{user}:{password}".encode()).decode()
                headers["Authorization"] = f"Basic {pair}"
            case _:
                url = fields["webhook_url"]
        async with aiohttp.ClientSession() as client:
            async with client.get(url, headers=headers):
                pass
            async with client.get(f"{vendor.address}/v1/me"):
                pass
        known, stranger = vendor.calls.since()
        assert known.sign_in == auth.kind
        assert stranger.sign_in is None


def test_an_exchange_that_cannot_be_read_is_named() -> None:
    connector = document()
    connector["exchanges"][0]["response"] = {"status": "fine"}
    with pytest.raises(RecordingError, match=r"who am I.*status"):
        VendorEmulator(Manifest.model_validate(connector))


@pytest.mark.parametrize(
    "spelling",
    ["5xx:10%", "429=7:3", "latency=0.2:100%", "stall=5:1", "half:1", "reset:5%", "drift:2"],
)
def test_faults_can_be_written_on_a_command_line(spelling: str) -> None:
    faults = Faults()
    plan_from_text(faults, spelling)
    assert any(faults.take(None) for _ in range(200))


@pytest.mark.parametrize(
    "spelling", ["", "5xx", "5xx:0", "5xx:0%", "5xx:101%", "latency:1", "latency=x:1", "boom:1"]
)
def test_a_fault_that_means_nothing_is_refused(spelling: str) -> None:
    with pytest.raises(ValueError, match=r"share|request|fault|seconds"):
        plan_from_text(Faults(), spelling)


def test_the_same_seed_meets_the_same_faults() -> None:
    def met(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.plan(Status(500), share=0.3)
        return [faults.take(None) is not None for _ in range(100)]

    assert met(1) == met(1)
    assert met(1) != met(2)
    assert 10 < sum(met(1)) < 60


async def test_waiting_for_calls_ends_when_they_are_there_or_time_is_up() -> None:
    async with VendorEmulator(manifest()) as vendor, aiohttp.ClientSession() as client:
        headers = await signed_in(vendor)
        assert await vendor.calls.wait_for(1, 0, 0.01) == ()
        waiting = asyncio.create_task(vendor.calls.wait_for(1, 0, 5))
        async with client.get(f"{vendor.base_url()}/me", headers=headers) as answer:
            assert json.loads(await answer.read()) == {"user": "ada"}
        assert len(await waiting) == 1
