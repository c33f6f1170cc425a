"""Runs as the service does them: a process of its own on real Kafka and PostgreSQL."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jackfield_certification.report import html
from jackfield_common import topics
from jackfield_common.certificates import verify
from jackfield_common.envelope import header
from jackfield_common.errors import ContractError
from jackfield_common.events.certification import Level, LevelState, RunCompleted, RunRequested
from jackfield_common.events.manifest import ManifestState
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.sealing import Keys, SealError
from jackfield_common.state import ReadModel
from jackfield_common.topics import Service
from tests.integration.certification.product import Product
from tests.integration.certification.shelf import manifest
from tests.platform import make_kafka, make_settings, publisher_of, until

pytestmark = [pytest.mark.timeout(100)]


@dataclass
class Deployment:
    """The certification service as a process, in front of the small product."""

    product: Product
    environment: dict[str, str]
    publisher: Publisher
    keys: Keys
    levels: ReadModel[LevelState]
    reports: dict[str, RunCompleted] = field(default_factory=dict[str, RunCompleted])
    process: asyncio.subprocess.Process | None = None
    log: Path = Path()

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "jackfield_certification",
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    async def stop(self, number: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        await self.process.wait()
        self.process = None

    async def request(self, integration_id: str, *suites: str, run_id: str = "") -> str:
        run_id = run_id or new_id()
        await self.publisher.publish(
            RunRequested(
                tenant=DEFAULT_TENANT,
                run_id=run_id,
                integration_id=IntegrationId(integration_id),
                connector="shelf",
                suites=suites,
            )
        )
        return run_id

    async def report(self, run_id: str, *, seconds: float = 60) -> RunCompleted:
        await until(lambda: run_id in self.reports, seconds=seconds)
        return self.reports[run_id]


@asynccontextmanager
async def deployed(
    kafka: str, database: str, prefix: str, directory: Path, **settings: str
) -> AsyncGenerator[Deployment]:
    keys = directory / "keys"
    common = make_settings(kafka, database, prefix, keys)
    ours = make_kafka(common, Service.CERTIFICATION)
    await ours.create_topics()
    connectors = make_kafka(common, Service.CONNECTORS)
    await connectors.create_topics()
    async with (
        Product(manifest(), directory, frozenset()) as product,
        publisher_of(ours) as publisher,
    ):
        await publisher.publish(
            ManifestState(tenant=DEFAULT_TENANT, version=1, manifest=manifest())
        )
        levels = ReadModel(ours, LevelState)
        await levels.start()
        deployment = Deployment(
            product,
            {
                "PATH": os.environ["PATH"],
                "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "JACKFIELD_POSTGRES_DSN": database,
                "JACKFIELD_TOPIC_PREFIX": prefix,
                "JACKFIELD_KEYS_DIR": str(keys),
                "JACKFIELD_API_URL": product.url,
                "JACKFIELD_API_KEY_FILE": str(product.api_key_file),
                "JACKFIELD_WEBHOOK_URL": product.url,
                "JACKFIELD_LEASE_SECONDS": "2",
                "JACKFIELD_PATIENCE_SECONDS": "2",
                **settings,
            },
            publisher,
            Keys.load(keys, Service.CERTIFICATION),
            levels,
            log=directory / "certification.log",
        )
        following = asyncio.create_task(_follow(ours, deployment))
        try:
            await deployment.start()
            yield deployment
        finally:
            if deployment.process is not None:
                await deployment.stop(signal.SIGTERM)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await levels.stop()


async def _follow(kafka: Kafka, deployment: Deployment) -> None:
    consumer = kafka.consumer(topics.RUN_COMPLETED)
    await consumer.start()
    try:
        async for record in consumer:
            assert record.value is not None
            assert header(record.headers, "ce_id") is not None
            with contextlib.suppress(ContractError):
                report = RunCompleted.from_bytes(record.value)
                assert report.run_id not in deployment.reports, "reported twice"
                deployment.reports[report.run_id] = report
    finally:
        await consumer.stop()


def checks(report: RunCompleted) -> dict[str, str]:
    return {check.name: check.outcome for check in report.checks}


async def test_a_run_is_reported_signed_and_leaves_no_twin(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(kafka, database, topic_prefix, tmp_path) as deployment:
        mine = deployment.product.install()
        report = await deployment.report(await deployment.request(mine, "basic_functionality"))
        assert (report.complete, report.score, report.level) == (True, 100.0, Level.PLATINUM)
        assert report.suites == ("basic_functionality",)
        assert len(report.manifest_digest) == 64
        verify(report, deployment.keys)
        for changed in ({"score": 99.0}, {"message": "fine"}, {"signature": None}):
            with pytest.raises(SealError):
                verify(report.model_copy(update=changed), deployment.keys)
        page = html(report)
        assert "create_item" in page
        assert "<script" not in page
        assert list(deployment.product.installed) == [mine]
        # Only a run of all suites says what the connector is worth.
        assert deployment.levels.get("shelf") is None

        # The same request again, as after a redelivery, is no second run.
        await deployment.request(mine, "basic_functionality", run_id=report.run_id)
        following = await deployment.report(await deployment.request(mine, "basic_functionality"))
        assert following.complete
        assert len(deployment.reports) == 2


async def test_what_cannot_be_run_is_reported_incomplete_and_with_the_reason(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(kafka, database, topic_prefix, tmp_path) as deployment:
        mine = deployment.product.install()
        unknown = await deployment.report(await deployment.request("nowhere"))
        assert "nowhere" in unknown.message
        no_suite = await deployment.report(await deployment.request(mine, "beauty"))
        assert "beauty" in no_suite.message
        deployment.product.away = True
        away = await deployment.report(await deployment.request(mine, "basic_functionality"))
        assert "away" in away.message
        for report in (unknown, no_suite, away):
            assert not report.complete
            assert report.level is Level.NONE
            verify(report, deployment.keys)
        assert set(checks(away).values()) == {"not_run"}


async def test_a_second_run_of_an_integration_waits_for_nobody_and_is_refused(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(kafka, database, topic_prefix, tmp_path) as deployment:
        mine = deployment.product.install()
        deployment.product.slow = 0.2
        first = await deployment.request(mine, "basic_functionality")
        await until(lambda: len(deployment.product.installed) > 1)
        second = await deployment.report(await deployment.request(mine, "basic_functionality"))
        assert not second.complete
        assert first in second.message
        deployment.product.slow = 0.0
        assert (await deployment.report(first)).complete


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_run_whose_process_ends_is_resumed_by_the_next(
    number: signal.Signals, kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(kafka, database, topic_prefix, tmp_path) as deployment:
        product = deployment.product
        mine = product.install()
        product.slow = 0.1
        run_id = await deployment.request(mine, "basic_functionality")
        await until(_some_checks_done(product))
        await deployment.stop(number)
        assert run_id not in deployment.reports
        tests_before = product.calls["test_connection"]
        await deployment.start()
        report = await deployment.report(run_id)
        assert report.complete
        assert report.score == 100.0
        # What was found before the end was not tried again.
        assert product.calls["test_connection"] - tests_before < tests_before + 2
        await until(lambda: list(product.installed) == [mine], seconds=60)


def _some_checks_done(product: Product) -> Callable[[], bool]:
    return lambda: product.calls["create_item"] > 0


async def test_a_run_that_keeps_dying_is_given_up_and_never_a_pass(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(
        kafka, database, topic_prefix, tmp_path, JACKFIELD_RUN_ATTEMPTS="1"
    ) as deployment:
        product = deployment.product
        mine = product.install()
        product.slow = 0.1
        run_id = await deployment.request(mine, "basic_functionality")
        await until(_some_checks_done(product))
        await deployment.stop(signal.SIGKILL)
        await deployment.start()
        report = await deployment.report(run_id)
        assert not report.complete
        assert report.level is Level.NONE
        assert "cut off" in report.message
        assert {"passed", "not_run"} == set(checks(report).values())
