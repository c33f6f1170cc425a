"""The certification service's composition root."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from jackfield_certification.front_door import FrontDoor
from jackfield_certification.repository import Repository
from jackfield_certification.service.runs import Runs
from jackfield_certification.service.schedule import Schedule
from jackfield_certification.settings import CertificationSettings
from jackfield_certification.subscribers import run_requested
from jackfield_common import topics
from jackfield_common.events.manifest import ManifestState
from jackfield_common.lanes import Lanes
from jackfield_common.shell import Platform, run
from jackfield_common.state import ReadModel
from jackfield_common.tasks import Tasks
from jackfield_common.topics import Service

MIGRATIONS = ("jackfield_common", "jackfield_common.lanes", "jackfield_certification")


@asynccontextmanager
async def compose(platform: Platform[CertificationSettings]) -> AsyncGenerator[None]:
    """Build the service on the platform; it works until this ends."""
    settings = platform.settings
    manifests = ReadModel(platform.kafka, ManifestState)
    repository = Repository(platform.pool, platform.instance)
    front_door = partial(
        FrontDoor,
        str(settings.api_url),
        settings.api_key_file,
        str(settings.webhook_url),
        patience=settings.patience_seconds,
    )
    runs = Runs(repository, platform.outbox, manifests, front_door, platform.keys, settings)
    schedule = Schedule(repository, front_door, settings.recertify_hours)
    lanes = Lanes(
        platform.kafka,
        platform.pool,
        platform.publisher,
        name="certification",
        topics=(topics.RUN_REQUESTED,),
        handle=partial(run_requested, runs=runs),
        dead=topics.CERTIFICATION_DEAD,
    )
    await manifests.start()
    platform.readiness.add("manifests", lambda: manifests.ready)

    async def work() -> None:
        # A manifest that was not read yet would look like a connector that does not exist.
        await manifests.wait_ready(timeout=3_600)
        await runs.work()

    tasks = Tasks()
    try:
        async with lanes:
            for number in range(settings.concurrent_runs):
                tasks.start(f"runs {number}", work)
            tasks.start("sweep", runs.sweep)
            tasks.start("schedule", schedule.work)
            yield
    finally:
        await tasks.stop()
        await manifests.stop()


def main() -> None:
    """Run the service; settings come from the environment."""
    run(
        Service.CERTIFICATION,
        CertificationSettings(),  # pyright: ignore[reportCallIssue] - read from the environment
        compose,
        migrations=MIGRATIONS,
    )
