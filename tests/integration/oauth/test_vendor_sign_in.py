"""A user connects an account at a vendor; its tokens are kept, renewed once, and asked for again."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import pytest_asyncio

from jackfield_common.errors import ErrorKind
from jackfield_common.events import (
    ConnectionCompleted,
    ConnectionRequested,
    CredentialState,
    ManifestState,
    RefreshRequested,
)
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.sealing import Keys
from jackfield_common.state import ReadModel
from jackfield_common.topics import Service
from tests.integration.oauth.dump import Completions, every_record, every_row
from tests.integration.oauth.running import Running
from tests.integration.oauth.vendor import (
    CLIENT_ID,
    CLIENT_SECRET,
    Vendor,
    manifest_of,
    vendor_over_tls,
)
from tests.platform import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Scene:
    """The service, a vendor, and an integration on its way to it."""

    oauth: Running
    vendor: Vendor
    credentials: ReadModel[CredentialState]
    integration: IntegrationId
    connector: str
    completions: Completions

    async def declare(self, version: int = 1, **more: object) -> None:
        """Publish the connector's manifest; `more` are fields of its OAuth declaration."""
        manifest = manifest_of(self.vendor, self.connector, **more)
        state = ManifestState(tenant=DEFAULT_TENANT, version=version, manifest=manifest)
        await self.oauth.publisher.publish(state)

    async def configure(self, version: int = 1, **fields: str) -> ConnectionCompleted:
        """What the gateway does when the user typed client id and secret."""
        gateway = Keys.load(self.oauth.settings.keys_dir, Service.GATEWAY)
        typed = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **fields}
        before = len(await self.completed())
        await self.oauth.publisher.publish(
            ConnectionRequested(
                tenant=DEFAULT_TENANT,
                integration_id=self.integration,
                connector=self.connector,
                auth="oauth2",
                credential_version=version,
                sealed=gateway.seal(Service.OAUTH, "credentials", json.dumps(typed).encode()),
            )
        )
        return (await self.completed(before + 1))[before]

    async def connect(self) -> None:
        """Sign in at the vendor, from the link to the last page."""
        link = self.link(await self.configure())
        async with self.browser() as browser:
            back = await self.leave(browser, link)
            page = await browser.get(back)
        assert page.status_code == 200, page.text
        assert "Acme is connected" in page.text
        await self.credentials.wait_for(self.integration, 2, timeout=10)

    def link(self, completed: ConnectionCompleted) -> str:
        """The link, opened as only the gateway can."""
        assert completed.authorization is not None, completed
        gateway = Keys.load(self.oauth.settings.keys_dir, Service.GATEWAY)
        return gateway.open(completed.authorization).decode()

    async def leave(self, browser: httpx.AsyncClient, link: str) -> str:
        """Follow the link to the vendor, agree, and return where the vendor sends the browser."""
        left = await browser.get(link)
        assert left.status_code == 303, left.text
        parameters = dict(parse_qsl(urlsplit(left.headers["location"]).query))
        assert parameters["tenant"] == "x"
        assert parameters["scope"] == "repo"
        code = self.vendor.authorize(parameters)
        return f"{parameters['redirect_uri']}?code={code}&state={parameters['state']}"

    @asynccontextmanager
    async def browser(self) -> AsyncGenerator[httpx.AsyncClient]:
        """A browser: it keeps cookies."""
        async with httpx.AsyncClient(timeout=20) as browser:
            yield browser

    async def completed(self, count: int = 0) -> list[ConnectionCompleted]:
        """What became of the connection so far, at least `count`."""
        return await self.completions.of(self.integration, count)

    async def ask(self, version: int, times: int = 1) -> None:
        """What workers do that met AUTH."""
        requests = [
            RefreshRequested(
                tenant=DEFAULT_TENANT,
                integration_id=self.integration,
                credential_version=version,
            )
            for _ in range(times)
        ]
        await asyncio.gather(*(self.oauth.publisher.publish(one) for one in requests))

    def fields(self) -> Mapping[str, str]:
        """What a worker finds in the current credential."""
        state = self.credentials.get(self.integration)
        assert state is not None
        workers = Keys.load(self.oauth.settings.keys_dir, Service.CONNECTORS)
        signed = workers.verify(Service.OAUTH, state.token)
        opened = json.loads(workers.open_token(str(signed["jwe"])))
        assert opened["auth"] == "oauth2"
        return opened["fields"]


@pytest_asyncio.fixture(loop_scope="module")
async def scene(oauth: Running, completions: Completions) -> AsyncGenerator[Scene]:
    directory = Path(os.environ["SSL_CERT_FILE"]).parent
    async with (
        vendor_over_tls(directory) as vendor,
        oauth.following(CredentialState) as credentials,
    ):
        connector = f"acme_{secrets.token_hex(4)}"
        made = Scene(oauth, vendor, credentials, IntegrationId(new_id()), connector, completions)
        await made.declare()
        yield made


async def test_a_user_connects_an_account_and_workers_get_its_token_alone(scene: Scene) -> None:
    await scene.connect()
    fields = scene.fields()
    assert fields["access_token"] == scene.vendor.access_tokens[-1]
    assert fields["scope"] == "repo"
    assert "expires_at" in fields
    assert not {"refresh_token", "client_secret"} & set(fields)
    first, second = await scene.completed(2)
    assert (first.credential_version, second.credential_version) == (1, 2)
    assert second.success


async def test_the_answer_is_taken_once_and_only_from_the_browser_that_left(scene: Scene) -> None:
    link = scene.link(await scene.configure())
    async with scene.browser() as browser, scene.browser() as other:
        back = await scene.leave(browser, link)
        stolen = await other.get(back)
        assert stolen.status_code == 400
        guessed = await browser.get(back.replace("state=jf_st_", "state=jf_st_x"))
        assert guessed.status_code == 400
        # The wrong answer ended the cookie: as for a browser, start again.
        assert scene.vendor.seen == []
        back = await scene.leave(browser, link)
        assert (await browser.get(back)).status_code == 200
        again = await browser.get(back)
        assert again.status_code == 400
        assert (await browser.get(link)).status_code == 400
    assert len(scene.vendor.seen) == 1
    for header in ("content-security-policy", "referrer-policy", "x-frame-options"):
        assert header in again.headers


async def test_a_link_is_over_after_ten_minutes_or_with_the_next_one(scene: Scene) -> None:
    old = scene.link(await scene.configure())
    new = scene.link(await scene.configure(2))
    async with scene.browser() as browser:
        assert (await browser.get(old)).status_code == 400
        back = await scene.leave(browser, new)
        await scene.oauth.pool.execute(
            "UPDATE sign_in SET expires_at = now() WHERE integration_id = $1", scene.integration
        )
        assert (await browser.get(back)).status_code == 400
        assert (await browser.get(new)).status_code == 400
    assert scene.vendor.seen == []


async def test_what_the_vendor_refuses_is_said_to_the_user_and_no_script_runs(
    scene: Scene,
) -> None:
    link = scene.link(await scene.configure())
    async with scene.browser() as browser:
        back = await scene.leave(browser, link)
        state = dict(parse_qsl(urlsplit(back).query))["state"]
        page = await browser.get(
            f"{back.split('?')[0]}?state={state}&error=access_denied<script>alert(1)</script>"
        )
        assert page.status_code == 400
        assert "Acme refused: access_denied" in page.text
        assert "<script" not in page.text
        wrong_code = await scene.leave(browser, scene.link(await scene.configure(2)))
        page = await browser.get(wrong_code.replace("code=", "code=x"))
        assert page.status_code == 400
        assert "invalid_grant" in page.text


async def test_fifty_workers_ask_and_the_vendor_is_asked_once(scene: Scene) -> None:
    await scene.connect()
    await scene.ask(2, times=50)
    answers = await asyncio.gather(
        *(scene.credentials.wait_for(scene.integration, 3, timeout=20) for _ in range(50))
    )
    assert {one.version for one in answers} == {3}
    assert scene.fields()["access_token"] == scene.vendor.access_tokens[-1]
    await scene.ask(2)
    await scene.ask(3)
    await scene.credentials.wait_for(scene.integration, 4, timeout=20)
    assert len(scene.vendor.refreshes()) == 2


async def test_it_is_renewed_before_it_expires_without_being_asked(scene: Scene) -> None:
    scene.vendor.lifetime = 4
    await scene.connect()
    scene.vendor.lifetime = 3600
    await scene.credentials.wait_for(scene.integration, 3, timeout=30)
    assert len(scene.vendor.refreshes()) == 1


@pytest.mark.parametrize(
    ("rotating", "fault", "reconnects"),
    [
        (False, "drop", False),
        (False, "drop-after", False),
        (False, "503", False),
        (True, "drop", False),
        (True, "drop-after", True),
    ],
)
async def test_a_lost_answer_is_repeated_where_the_vendor_allows_it(
    scene: Scene, rotating: bool, fault: str, reconnects: bool
) -> None:
    scene.vendor.rotating = rotating
    await scene.connect()
    scene.vendor.faults = [fault]  # pyright: ignore[reportAttributeAccessIssue]
    await scene.ask(2)
    last = (await scene.completed(3))[-1]
    assert len(scene.vendor.refreshes()) == 2
    if not reconnects:
        assert last.success
        assert last.credential_version == 3
        return
    assert not last.success
    assert last.error is ErrorKind.AUTH
    assert "lost on its way" in last.message
    # Nothing is tried again by itself; the user signs in again, with what is kept.
    await scene.ask(2)
    await scene.oauth.publisher.publish(
        ConnectionRequested(
            tenant=DEFAULT_TENANT,
            integration_id=scene.integration,
            connector=scene.connector,
            auth="oauth2",
            credential_version=2,
            authorize=True,
            return_to="https://jackfield.example/done",
        )
    )
    link = scene.link((await scene.completed(4))[-1])
    async with scene.browser() as browser:
        home = await browser.get(await scene.leave(browser, link))
    assert home.status_code == 303
    assert home.headers["location"] == "https://jackfield.example/done"
    await scene.credentials.wait_for(scene.integration, 3, timeout=10)
    assert len(scene.vendor.refreshes()) == 2


async def test_a_grant_taken_back_asks_for_reconnection(scene: Scene) -> None:
    await scene.connect()
    scene.vendor.refresh_tokens.clear()
    await scene.ask(2)
    last = (await scene.completed(3))[-1]
    assert (last.success, last.error) == (False, ErrorKind.AUTH)
    assert "invalid_grant" in last.message
    assert "Token was revoked" in last.message


async def test_a_vendor_without_people_gives_a_token_at_once(scene: Scene) -> None:
    await scene.declare(2, grant="client_credentials")
    completed = await scene.configure()
    assert completed.authorization is None
    await scene.credentials.wait_for(scene.integration, 2, timeout=20)
    assert scene.fields()["access_token"] == scene.vendor.access_tokens[-1]
    await scene.ask(2)
    await scene.credentials.wait_for(scene.integration, 3, timeout=20)
    assert [one["grant_type"] for one in scene.vendor.seen] == ["client_credentials"] * 2


async def test_a_vendor_that_answers_with_a_form_and_without_an_expiry(scene: Scene) -> None:
    scene.vendor.as_form, scene.vendor.lifetime = True, None
    await scene.connect()
    assert scene.fields()["access_token"] == scene.vendor.access_tokens[-1]
    assert "expires_at" not in scene.fields()


async def test_what_the_user_typed_since_is_not_overwritten_by_a_renewal(scene: Scene) -> None:
    await scene.connect()
    scene.vendor.faults = ["hang"]
    await scene.ask(2)
    await until(lambda: len(scene.vendor.refreshes()) == 1)
    typed = asyncio.create_task(scene.configure(5, access_token="typed", refresh_token="typed"))
    await scene.credentials.wait_for(scene.integration, 5, timeout=20)
    scene.vendor.answering.set()
    assert (await typed).success
    await until(lambda: len(scene.vendor.access_tokens) == 2)
    # What is next in the lane of renewals is done when this one is.
    await scene.ask(5)
    last = (await scene.completed(4))[-1]
    assert "invalid_grant" in last.message
    assert scene.fields()["access_token"] == "typed"
    row = await scene.oauth.pool.fetchrow(
        "SELECT version, state FROM credential WHERE integration_id = $1", scene.integration
    )
    assert row is not None
    assert (row["version"], row["state"]) == (5, "reconnect")


async def test_none_of_it_stands_anywhere_in_the_clear(scene: Scene) -> None:
    link = scene.link(await scene.configure())
    await scene.connect()
    await scene.ask(2)
    await scene.credentials.wait_for(scene.integration, 3, timeout=20)
    hidden = [CLIENT_SECRET, *scene.vendor.issued, link.rsplit("/", 1)[-1]]
    assert len(hidden) >= 5
    texts = [*await every_record(scene.oauth.kafka), *await every_row(scene.oauth.pool)]
    parts = [part for text in texts for part in (text if isinstance(text, tuple) else (text,))]
    for secret in hidden:
        for part in parts:
            content = part.encode() if isinstance(part, str) else part or b""
            assert secret.encode() not in content
            assert secret.encode().hex().encode() not in content
