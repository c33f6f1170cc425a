"""PostgreSQL goes away, or the process is killed in the middle: what may happen then, and what never."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from jackfield_common.database import Pool
from jackfield_common.errors import ErrorKind
from jackfield_common.events import (
    ConnectionRequested,
    CredentialState,
    ManifestState,
    RefreshRequested,
)
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.sealing import Keys
from jackfield_common.settings import Settings
from jackfield_common.state import ReadModel
from jackfield_common.topics import Service
from jackfield_oauth.app import MIGRATIONS
from tests.integration.oauth.dump import Completions
from tests.integration.oauth.running import free_port, running
from tests.integration.oauth.vendor import (
    CLIENT_ID,
    CLIENT_SECRET,
    Vendor,
    certificate,
    manifest_of,
    vendor_over_tls,
)
from tests.platform import make_kafka, make_settings, pool_of, publisher_of, until


class Proxy:
    """A way to PostgreSQL that can be cut."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self.port = free_port()
        self.dsn = urlunsplit(
            parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}")
        )
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def restore(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(*self._to)
        self._open |= {writer, inner_writer}
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            self._open -= {writer, inner_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def test_without_postgres_the_answer_is_503_and_all_is_well_afterwards(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    proxy = Proxy(database)
    await proxy.restore()
    async with running(kafka, proxy.dsn, topic_prefix, tmp_path / "keys") as oauth:
        made = await oauth.client("api")
        auth = (made.client.client_id, made.secret)
        form = {"grant_type": "client_credentials"}
        token = (await oauth.http.post("/oauth2/token", data=form, auth=auth)).json()[
            "access_token"
        ]
        await proxy.cut()
        for path, data in (
            ("/oauth2/token", form),
            ("/oauth2/introspect", {"token": token}),
            ("/oauth2/revoke", {"token": token}),
        ):
            async with asyncio.timeout(6):
                answer = await oauth.http.post(path, data=data, auth=auth)
            assert answer.status_code == 503, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "1"
        # What needs no database goes on.
        assert (await oauth.http.get("/oauth2/jwks")).status_code == 200
        await proxy.restore()
        async with asyncio.timeout(20):
            while (await oauth.http.post("/oauth2/token", data=form, auth=auth)).status_code != 200:
                await asyncio.sleep(0.05)
        told = await oauth.http.post("/oauth2/introspect", data={"token": token}, auth=auth)
        assert told.json()["active"] is True
        await proxy.cut()


class World:
    """Everything around a service that is a process of its own."""

    def __init__(self, settings: Settings, environment: dict[str, str], kafka: Kafka) -> None:
        self.settings = settings
        self.environment = environment
        self.kafka = kafka
        self.integration = IntegrationId(new_id())

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[asyncio.subprocess.Process]:
        """The service, ready; whatever is left of it at the end is killed."""
        ops = free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "jackfield_oauth",
            env={**self.environment, "JACKFIELD_OPS_PORT": str(ops)},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(60):
                while not await _ready(ops):
                    assert process.returncode is None, "the service ended"
                    await asyncio.sleep(0.05)
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def configure(self, publisher: Publisher, refresh_token: str) -> None:
        """Give the vault a connected credential."""
        gateway = Keys.load(self.settings.keys_dir, Service.GATEWAY)
        fields = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "access_token": "old",
            "refresh_token": refresh_token,
        }
        await publisher.publish(
            ConnectionRequested(
                tenant=DEFAULT_TENANT,
                integration_id=self.integration,
                connector="acme",
                auth="oauth2",
                credential_version=1,
                sealed=gateway.seal(Service.OAUTH, "x", json.dumps(fields).encode()),
            )
        )

    async def ask(self, publisher: Publisher) -> None:
        """What a worker does that met AUTH."""
        await publisher.publish(
            RefreshRequested(
                tenant=DEFAULT_TENANT, integration_id=self.integration, credential_version=1
            )
        )


async def _ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return b" 200 " in (await reader.read())[:20]
    except OSError:
        return False
    finally:
        writer.close()


@pytest.mark.parametrize("spent", [False, True], ids=["before the vendor acts", "after"])
async def test_killed_in_the_middle_of_a_renewal(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path, spent: bool
) -> None:
    settings = make_settings(kafka, database, topic_prefix, tmp_path / "keys")
    clients = make_kafka(settings, Service.GATEWAY)
    for owner in (Service.OAUTH, Service.GATEWAY, Service.CONNECTORS):
        await make_kafka(settings, owner).create_topics()
    port = free_port()
    environment = {
        **os.environ,
        "SSL_CERT_FILE": str(certificate(tmp_path)),
        "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "JACKFIELD_POSTGRES_DSN": database,
        "JACKFIELD_TOPIC_PREFIX": topic_prefix,
        "JACKFIELD_KEYS_DIR": str(settings.keys_dir),
        "JACKFIELD_EGRESS_ALLOW": "127.0.0.0/8",
        "JACKFIELD_OAUTH_PORT": str(port),
        "JACKFIELD_ISSUER": f"http://127.0.0.1:{port}",
    }
    world = World(settings, environment, clients)
    credentials = ReadModel(clients, CredentialState)
    completions = Completions()
    async with (
        vendor_over_tls(tmp_path) as vendor,
        publisher_of(clients) as publisher,
        pool_of(settings, Service.OAUTH.value, *MIGRATIONS) as pool,
    ):
        following = asyncio.create_task(completions.follow(clients))
        await credentials.start()
        try:
            vendor.refresh_tokens.add("vrt_first")
            await publisher.publish(
                ManifestState(
                    tenant=DEFAULT_TENANT, version=1, manifest=manifest_of(vendor, "acme")
                )
            )
            vendor.faults = ["hang-after" if spent else "hang"]
            async with world.process() as process:
                await world.configure(publisher, "vrt_first")
                await credentials.wait_for(world.integration, 1, timeout=20)
                await world.ask(publisher)
                await until(lambda: len(vendor.refreshes()) == 1)
                intent = await pool.fetchrow(
                    "SELECT spending_version, spending_until > now() AS held FROM credential"
                )
                assert intent is not None
                assert (intent["spending_version"], intent["held"]) == (1, True)
                process.send_signal(signal.SIGKILL)
                await process.wait()
            vendor.cut_hanging()
            await _after_the_restart(world, vendor, pool, credentials, completions, spent)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await credentials.stop()


async def _after_the_restart(
    world: World,
    vendor: Vendor,
    pool: Pool,
    credentials: ReadModel[CredentialState],
    completions: Completions,
    spent: bool,
) -> None:
    async with world.process():
        # Nobody spends the token while the first call may still be under way.
        async with asyncio.timeout(20):
            while not await pool.fetchval(
                "SELECT EXISTS (SELECT FROM credential WHERE spending_until > now())"
            ):
                await asyncio.sleep(0.05)
        assert len(vendor.refreshes()) == 1
        await pool.execute("UPDATE credential SET spending_until = now()")
        if spent:
            (lost,) = await completions.failed(world.integration, 1)
            assert lost.error is ErrorKind.AUTH
            assert "lost on its way" in lost.message
        else:
            await credentials.wait_for(world.integration, 2, timeout=20)
        # Once before the kill, once after it; never more.
        assert len(vendor.refreshes()) == 2
