"""Kafka goes away and comes back; the listener says so in time and recovers by itself."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from jackfield_cli.local.kafka import Kafka as Broker
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.ports import free_ports
from jackfield_cli.local.process import await_ready, spawn, stop
from jackfield_common.settings import Settings
from jackfield_gateway.edge import Edge, EdgeSettings
from tests.integration.edge.listening import (
    SECRET,
    Answer,
    Listening,
    github_headers,
    listening,
    request,
)
from tests.platform import make_settings, until


class OwnBroker:
    """A broker that a test may kill."""

    def __init__(self, directory: Path) -> None:
        port, controller_port = free_ports(2)
        self._broker = Broker(directory, cache_directory(), port, controller_port, settings={})
        self._broker.prepare()
        self._log = directory / "kafka.log"
        self.bootstrap_servers = self._broker.bootstrap_servers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = spawn(self._broker.program(), output)
        await_ready(self._broker.program(), self._process, self._log)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)
        if what is signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            stop(self._broker.program(), self._process)


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Generator[OwnBroker]:
    own = OwnBroker(tmp_path_factory.mktemp("broker"))
    yield own
    own.stop()


@pytest.fixture
def broker(own_broker: OwnBroker) -> OwnBroker:
    """A broker that runs, whatever the test before did to it."""
    if not own_broker.runs:
        own_broker.start()
    return own_broker


@pytest.fixture
def settings(broker: OwnBroker, topic_prefix: str, tmp_path: Path) -> Settings:
    return make_settings(
        broker.bootstrap_servers,
        "postgresql://nobody@127.0.0.1:1/nothing",
        topic_prefix,
        tmp_path / "keys",
    )


async def post(running: Listening, integration: str, delivery: str) -> tuple[Answer, float]:
    """One delivery, and how many seconds its answer took."""
    body = b'{"delivery":"%s"}' % delivery.encode()
    started = time.monotonic()
    headers = github_headers(body, SECRET, delivery)
    answer = await running.send(request(f"/webhooks/{integration}", body, headers))
    return answer, time.monotonic() - started


async def accepted_again(running: Listening, integration: str) -> str:
    """Post until one is accepted; its delivery id."""
    async with asyncio.timeout(30):
        for attempt in range(1_000_000):
            answer, _ = await post(running, integration, f"again-{attempt}")
            if answer.status == 202:
                return f"again-{attempt}"
            await asyncio.sleep(0.1)
    raise AssertionError("unreachable")


async def test_a_broker_that_dies_and_one_that_hangs(broker: OwnBroker, settings: Settings) -> None:
    async with listening(settings) as running:
        integrations = [await running.install() for _ in range(4)]
        expected: set[str] = set()
        statuses: list[int] = []
        slowest = 0.0

        async def keep_posting(worker: int, until: asyncio.Event) -> None:
            nonlocal slowest
            number = 0
            while not until.is_set():
                delivery = f"w{worker}-{number}"
                answer, seconds = await post(
                    running, integrations[number % len(integrations)], delivery
                )
                slowest = max(slowest, seconds)
                statuses.append(answer.status)
                if answer.status == 202:
                    expected.add(delivery)
                else:
                    assert answer.status == 503
                    assert int(answer.headers["retry-after"]) >= 1
                    await asyncio.sleep(0.05)
                number += 1

        for outage in (signal.SIGKILL, signal.SIGSTOP):
            done = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for worker in range(8):
                    group.create_task(keep_posting(len(statuses) + worker, done))
                await asyncio.sleep(0.5)
                broker.signal(outage)
                del statuses[:]
                async with asyncio.timeout(10):
                    while 503 not in statuses:
                        await asyncio.sleep(0.05)
                assert not running.edge.stats().kafka
                if outage is signal.SIGKILL:
                    broker.start()
                else:
                    broker.signal(signal.SIGCONT)
                del statuses[:]
                async with asyncio.timeout(30):
                    while 202 not in statuses:
                        await asyncio.sleep(0.05)
                done.set()
            expected.add(await accepted_again(running, integrations[0]))

        assert slowest < 5
        found = {one.delivery_id for _, one in await running.deliveries(len(expected))}
        assert expected <= found
        assert running.edge.stats().outstanding_bytes == 0


async def test_with_a_spool_senders_never_notice(
    broker: OwnBroker, settings: Settings, tmp_path: Path
) -> None:
    async with listening(settings, spool_dir=tmp_path / "spool", publish_timeout=1) as running:
        integration = await running.install()
        sent: list[str] = []

        async def post_some(name: str) -> None:
            for number in range(20):
                delivery = f"{name}-{number:02d}"
                answer, seconds = await post(running, integration, delivery)
                assert answer.status == 202, delivery
                assert seconds < 5
                sent.append(delivery)

        await post_some("before")
        broker.signal(signal.SIGKILL)
        await post_some("away")
        assert running.edge.stats().spooled >= 19
        broker.start()
        await post_some("back")
        await until(lambda: running.edge.stats().spooled == 0)
        await post_some("after")
        assert running.edge.stats().spooled == 0

        found = [one.delivery_id for _, one in await running.deliveries(len(sent))]
        # one that was under way when Kafka died may be there twice, with the same id
        assert set(found) == set(sent)
        once = list(dict.fromkeys(found))
        assert once == sent


async def test_a_listener_that_starts_before_kafka(broker: OwnBroker, settings: Settings) -> None:
    async with listening(settings) as running:
        integration = await running.install()
        broker.signal(signal.SIGKILL)
        body = b"{}"
        late = Edge(
            running.kafka,
            running.integrations,
            running.manifests,
            running.keys,
            EdgeSettings(port=0),
            registry=CollectorRegistry(),
        )
        await late.start()
        try:
            first, running.edge = running.edge, late
            answer = await running.post(f"/webhooks/{integration}", body, github_headers(body))
            assert answer.status == 503
            assert "retry-after" in answer.headers
            broker.start()
            await accepted_again(running, integration)
            running.edge = first
        finally:
            await late.stop()


async def test_stopping_while_kafka_is_away_does_not_hang(
    broker: OwnBroker, settings: Settings
) -> None:
    async with listening(settings, drain=1, publish_timeout=1) as running:
        integration = await running.install()
        broker.signal(signal.SIGKILL)
        answer, _ = await post(running, integration, "lost")
        assert answer.status == 503
        started = time.monotonic()
        await running.edge.stop()
        assert time.monotonic() - started < 15
