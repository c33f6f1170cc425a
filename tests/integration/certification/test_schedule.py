"""Levels are earned again, or lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jackfield_certification.front_door import FrontDoor
from jackfield_certification.repository import Repository
from jackfield_certification.service.schedule import JITTER, Schedule, next_run
from jackfield_common.events.certification import Level, RunCompleted
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from tests.integration.certification.product import Product
from tests.integration.certification.shelf import manifest
from tests.platform import make_settings, pool_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def report(integration_id: str, level: Level, score: float) -> RunCompleted:
    return RunCompleted(
        tenant=DEFAULT_TENANT,
        run_id=f"run-{level}",
        integration_id=IntegrationId(integration_id),
        connector="shelf",
        connector_version="1.0.0",
        suites=(),
        complete=True,
        score=score,
        level=level,
        checks=(),
        started_at=NOW,
        finished_at=NOW,
    )


@given(st.floats(0.1, 1_000), st.floats(0, 1, exclude_max=True))
def test_the_next_run_is_near_its_time(hours: float, chance: float) -> None:
    due = next_run(NOW, hours, chance)
    assert due is not None
    share = (due - NOW) / timedelta(hours=hours)
    assert 1 - JITTER - 1e-3 <= share <= 1 + JITTER + 1e-3


def test_no_interval_means_no_next_run() -> None:
    assert next_run(NOW, 0, 0.5) is None


async def test_what_is_due_is_asked_for_once_and_a_lower_score_lowers_the_level(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = make_settings(kafka, database, topic_prefix, tmp_path / "keys")
    async with (
        pool_of(settings, "certification", "jackfield_common", "jackfield_certification") as pool,
        Product(manifest(), tmp_path, frozenset()) as product,
    ):
        repository = Repository(pool, "me")
        mine = product.install()

        def front_door() -> FrontDoor:
            return FrontDoor(product.url, product.api_key_file, product.webhook_url, patience=0.1)

        schedule = Schedule(repository, front_door, hours=24)

        async def earned(integration_id: str, level: Level, score: float) -> tuple[Level, int]:
            async with pool.acquire() as connection, connection.transaction():
                state = await repository.set_level(
                    connection, report(integration_id, level, score), NOW
                )
            return state.level, state.version

        assert await earned(mine, Level.GOLD, 96) == (Level.GOLD, 1)
        product.away = True
        assert await schedule.ask() == 0
        product.away = False
        await repository.set_due("shelf", NOW)
        assert await schedule.ask() == 1
        assert product.runs == [mine]
        assert await schedule.ask() == 0

        assert await earned(mine, Level.SILVER, 85) == (Level.SILVER, 2)
        product.installed.clear()
        assert await schedule.ask() == 0
        assert await schedule.ask() == 0
        assert product.runs == [mine]
