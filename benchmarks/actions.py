"""Actions at a vendor on loopback: how many a second, and what one costs in processor time.

    python -m benchmarks.actions [--calls 6000] [--bus 6000]

Each way runs in a process of its own, 64 at once, against the same vendor process: bare aiohttp and bare
httpx as baselines, the engine (validation, limits, breaker, error map, output check), and the whole
service, from the requests on the bus to the results on the bus, with 64 integrations. Kafka and
PostgreSQL are those of JACKFIELD_KAFKA_BOOTSTRAP_SERVERS and JACKFIELD_POSTGRES_DSN, or real ones started
for the run.
"""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg
import httpx
import uvloop
from faststream.kafka import KafkaBroker
from pydantic import SecretStr

from benchmarks.machine import describe, percentile, table
from jackfield_cli.local.kafka import kafka_for_tests
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.postgres import postgres_for_tests
from jackfield_common.database import open_database
from jackfield_common.egress import Egress
from jackfield_common.events import ActionRequested, CredentialState, IntegrationState
from jackfield_common.ids import DEFAULT_TENANT, ActionId, IntegrationId, new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys, create_missing_keys
from jackfield_common.shell import Platform
from jackfield_common.topics import Service
from jackfield_connectors import catalog
from jackfield_connectors.app import MIGRATIONS, compose
from jackfield_connectors.engine import Engine
from jackfield_connectors.engine.credentials import Credential
from jackfield_connectors.engine.operations import Operations
from jackfield_connectors.engine.transport import Transport
from jackfield_connectors.settings import ConnectorsSettings

AT_ONCE: Final = 64
INTEGRATIONS: Final = 64
GIVEN: Final = {"repo": "octocat/hello", "issue_number": 7}
ISSUE: Final = json.dumps(
    {
        "number": 7,
        "title": "Found a bug",
        "state": "open",
        "html_url": "https://github.com/octocat/hello/issues/7",
        "body": "I'm having a problem with this. " * 20,
        "labels": [{"name": "bug", "color": "f29513"}],
    }
).encode()
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    % (len(ISSUE), ISSUE)
)
PUBLISHED: Final = """
SELECT (SELECT count(*) FROM action WHERE state = 'done') - (SELECT count(*) FROM outbox)
"""
WAYS: Final = ("aiohttp", "httpx", "engine", "bus")


@dataclass(frozen=True)
class Figures:
    """What one way did."""

    way: str
    calls: int
    seconds: float
    cpu_seconds: float
    times: list[float]

    def row(self) -> tuple[object, ...]:
        """A line of the table."""
        ordered = sorted(self.times)
        spread = (
            (f"{percentile(ordered, 0.5) * 1000:.1f}", f"{percentile(ordered, 0.99) * 1000:.1f}")
            if ordered
            else ("-", "-")
        )
        return (
            self.way,
            f"{self.calls / self.seconds:,.0f}",
            f"{self.cpu_seconds / self.calls * 1e6:,.0f}",
            *spread,
        )


class Vendor(asyncio.Protocol):
    """Answers every request with the same issue; as little as HTTP/1.1 keep-alive needs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """One answer for each head that ends in this piece; a GET has no body."""
        self._transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def serve_vendor() -> None:
    """Listen, say where, and serve until killed."""
    server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def many(calls: int, call: Callable[[int], Awaitable[object]]) -> list[float]:
    """So many calls, `AT_ONCE` at a time; how long each took."""
    numbers = iter(range(calls))
    times: list[float] = []

    async def worker() -> None:
        for number in numbers:
            began = time.perf_counter()
            await call(number)
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return times


async def measured(way: str, calls: int, call: Callable[[int], Awaitable[object]]) -> Figures:
    """Warm up, then measure."""
    await many(AT_ONCE * 4, call)
    began, cpu = time.perf_counter(), time.process_time()
    times = await many(calls, call)
    return Figures(way, calls, time.perf_counter() - began, time.process_time() - cpu, times)


async def bare_aiohttp(url: str, calls: int) -> Figures:
    """The client library alone."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def call(_number: int) -> object:
            async with session.get(f"{url}/repos/octocat/hello/issues/7") as response:
                return json.loads(await response.read())

        return await measured("bare aiohttp", calls, call)


async def bare_httpx(url: str, calls: int) -> Figures:
    """The other client library alone."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(limits=limits) as client:

        async def call(_number: int) -> object:
            return (await client.get(f"{url}/repos/octocat/hello/issues/7")).json()

        return await measured("bare httpx", calls, call)


def _integration(number: int, url: str) -> IntegrationState:
    return IntegrationState(
        tenant=DEFAULT_TENANT,
        version=1,
        integration_id=IntegrationId(f"bench-{number}"),
        template="github",
        connector="github",
        name="bench",
        config={"base_url": url},
        credential_version=1,
    )


async def engine(url: str, calls: int) -> Figures:
    """The engine, without the bus."""
    loaded = catalog.load().connectors["github"]
    operation = Operations(loaded.manifest, loaded.connector).find("get_issue")
    transport = Transport(Egress(("127.0.0.0/8",)), connections=AT_ONCE)
    runs = Engine(transport)
    integrations = [_integration(number, url) for number in range(INTEGRATIONS)]
    credential = Credential("bearer", {"token": "t"}, 1)

    async def call(number: int) -> object:
        prepared = runs.prepare(
            operation,
            integrations[number % INTEGRATIONS],
            credential,
            GIVEN,  # pyright: ignore[reportArgumentType]
            "key",
            lambda: None,
        )
        return await runs.perform(prepared)

    try:
        return await measured("engine", calls, call)
    finally:
        await transport.close()


@asynccontextmanager
async def _platform(settings: ConnectorsSettings) -> AsyncGenerator[Platform[ConnectorsSettings]]:
    async with AsyncExitStack() as stack:
        for owner in (Service.GATEWAY, Service.OAUTH, Service.CONNECTORS):
            await Kafka(settings, owner, "bench").create_topics()
        kafka = Kafka(settings, Service.CONNECTORS, "bench")
        publisher = Publisher(kafka)
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        pool = await open_database(settings, Service.CONNECTORS.value, MIGRATIONS)
        stack.push_async_callback(pool.close)
        outbox = Outbox(pool, kafka)
        platform = Platform(
            settings=settings,
            service=Service.CONNECTORS,
            instance="bench",
            kafka=kafka,
            publisher=publisher,
            keys=Keys.load(settings.keys_dir, Service.CONNECTORS),
            database=pool,
            relay=outbox,
            broker=KafkaBroker(settings.kafka_bootstrap_servers, logger=None),  # pyright: ignore[reportUnknownArgumentType]
        )
        stack.push_async_callback(platform.tasks.stop)
        platform.tasks.start("outbox", outbox.run)
        yield platform


async def _publish(platform: Platform[ConnectorsSettings], url: str, calls: int) -> None:
    """Integrations, their credentials, and everything that is asked of them."""
    vault = Keys.load(platform.settings.keys_dir, Service.OAUTH)
    content = json.dumps({"auth": "bearer", "fields": {"token": "t"}}).encode()
    for number in range(INTEGRATIONS):
        integration = _integration(number, url)
        token = vault.sign(
            {
                "integration_id": integration.integration_id,
                "version": 1,
                "tenant": DEFAULT_TENANT,
                "jwe": vault.seal(Service.CONNECTORS, "credential", content).jwe,
            }
        )
        await platform.publisher.publish(integration)
        await platform.publisher.publish(
            CredentialState(
                tenant=DEFAULT_TENANT,
                version=1,
                integration_id=integration.integration_id,
                token=token,
            )
        )

    async def ask(number: int) -> None:
        await platform.publisher.publish(
            ActionRequested(
                tenant=DEFAULT_TENANT,
                action_id=ActionId(new_id()),
                integration_id=IntegrationId(f"bench-{number % INTEGRATIONS}"),
                connector="github",
                action="get_issue",
                input=GIVEN,  # pyright: ignore[reportArgumentType]
                ordering=str(number % 1024),
                integration_version=1,
            )
        )

    await many(calls, ask)


async def bus(url: str, calls: int) -> Figures:
    """The whole service, reading a backlog."""
    with tempfile.TemporaryDirectory() as keys:
        create_missing_keys(Path(keys))
        settings = ConnectorsSettings(
            kafka_bootstrap_servers=os.environ["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
            postgres_dsn=SecretStr(os.environ["JACKFIELD_POSTGRES_DSN"]),
            topic_prefix=f"bench-{secrets.token_hex(4)}.",
            keys_dir=Path(keys),
            egress_allow=("127.0.0.0/8",),
        )
        async with _platform(settings) as platform:
            await _publish(platform, url, calls)
            began, cpu = time.perf_counter(), time.process_time()
            async with compose(platform):
                while await platform.pool.fetchval(PUBLISHED) < calls:
                    await asyncio.sleep(0.1)
                took, used = time.perf_counter() - began, time.process_time() - cpu
            wrong = await platform.pool.fetchval(
                "SELECT count(*) FROM action WHERE error IS NOT NULL"
            )
            assert wrong == 0, f"{wrong} actions failed"
    return Figures("whole service", calls, took, used, [])


RUN: Final[dict[str, Callable[[str, int], Awaitable[Figures]]]] = {
    "aiohttp": bare_aiohttp,
    "httpx": bare_httpx,
    "engine": engine,
    "bus": bus,
}


async def run_way(way: str, url: str, calls: int) -> None:
    """One way, in this process; its figures as JSON on the output."""
    figures = await RUN[way](url, calls)
    print(json.dumps(figures.__dict__))


def _own_process(*arguments: str, environment: dict[str, str]) -> Figures:
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "benchmarks.actions", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def _servers(stack: ExitStack) -> tuple[str, str]:
    """Kafka and an administrator's DSN: the environment's, or real ones for this run."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jackfield-bench-")))
    directory.chmod(0o711)
    kafka = os.environ.get("JACKFIELD_KAFKA_BOOTSTRAP_SERVERS") or stack.enter_context(
        kafka_for_tests(directory, cache_directory())
    )
    dsn = os.environ.get("JACKFIELD_POSTGRES_DSN") or stack.enter_context(
        postgres_for_tests(directory)
    )
    return kafka, dsn


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def main() -> None:
    """Measure every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=6_000)
    parser.add_argument("--bus", type=int, default=6_000)
    parser.add_argument("--vendor", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.vendor:
        uvloop.run(serve_vendor())
        return
    if given.way:
        uvloop.run(run_way(given.way, given.url, given.calls))
        return
    with ExitStack() as stack:
        vendor = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.actions", "--vendor"],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(vendor.kill)
        assert vendor.stdout is not None
        url = f"http://127.0.0.1:{int(vendor.stdout.readline())}"
        kafka, admin = _servers(stack)
        name = f"bench_{secrets.token_hex(6)}"
        asyncio.run(_execute(admin, f'CREATE DATABASE "{name}"'))
        stack.callback(lambda: asyncio.run(_execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')))
        environment = {
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "JACKFIELD_POSTGRES_DSN": urlunsplit(urlsplit(admin)._replace(path=f"/{name}")),
        }
        rows: list[tuple[object, ...]] = []
        for way in WAYS:
            calls = given.bus if way == "bus" else given.calls
            figures = _own_process(
                "--way", way, "--url", url, "--calls", str(calls), environment=environment
            )
            rows.append(figures.row())
    print(describe())
    print()
    print(table(("way", "calls/s", "CPU µs a call", "p50 ms", "p99 ms"), rows))


if __name__ == "__main__":
    main()
