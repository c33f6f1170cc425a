"""Runs: queued durably, worked on under a lease, resumed after a crash, reported exactly once."""

import asyncio
import platform
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from jackfield_certification.emulator import RecordingError, VendorEmulator
from jackfield_certification.front_door import FrontDoor, FrontDoorAway, FrontDoorRefused
from jackfield_certification.models import Run
from jackfield_certification.repository import Repository
from jackfield_certification.scoring import awarded
from jackfield_certification.service.examiner import CutOff, Examiner, digest_of, result_of
from jackfield_certification.service.schedule import next_run
from jackfield_certification.settings import CertificationSettings
from jackfield_certification.suites import SUITES, PlannedCheck, Trial, plan
from jackfield_certification.twin import Twins, sweep
from jackfield_common.certificates import signed
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import Fenced
from jackfield_common.events.certification import Check, Level, RunCompleted, RunRequested
from jackfield_common.events.manifest import ManifestState
from jackfield_common.ids import derived_id
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.state import ReadModel

log = structlog.get_logger(__name__)

FINISHED: Final = Counter("jackfield_certification_runs_total", "Finished runs", ["complete"])
CHECKS: Final = Counter(
    "jackfield_certification_checks_total", "Results of checks", ["suite", "outcome"]
)
RUNNING: Final = Gauge("jackfield_certification_running", "Runs under way in this process")
DURATION: Final = Histogram(
    "jackfield_certification_seconds", "Time of a run", buckets=(1, 5, 15, 30, 60, 120, 300, 900)
)

_IDLE_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 30.0
_CLEAN_SECONDS: Final = 10.0


class Runs:
    """Accepts runs and works on them."""

    def __init__(
        self,
        repository: Repository,
        outbox: Outbox,
        manifests: ReadModel[ManifestState],
        front_door: Callable[[], FrontDoor],
        keys: Keys,
        settings: CertificationSettings,
    ) -> None:
        self._repository = repository
        self._outbox = outbox
        self._manifests = manifests
        self._front_door = front_door
        self._keys = keys
        self._settings = settings
        self._woken = asyncio.Event()

    async def accept(self, event: RunRequested) -> None:
        """Queue a run; one that cannot be carried out is reported at once, incomplete and with the reason."""
        unknown = [suite for suite in event.suites if suite not in SUITES]
        async with self._outbox.transaction() as connection:
            reason = (
                f"there is no suite {unknown[0]!r}: there are {', '.join(SUITES)}"
                if unknown
                else None
            )
            if reason is None:
                other = await self._repository.add_run(connection, event)
                if other is None:
                    self._woken.set()
                    return
                reason = f"run {other} of this integration is under way: wait for it"
            report = signed(_refused(event, reason), self._keys)
            if await self._repository.add_refused(connection, event, report.model_dump_json()):
                await self._outbox.put(connection, report)

    async def work(self) -> None:
        """Work on queued runs until cancelled; what is under way then is given back."""
        while True:
            self._woken.clear()
            run = await self._repository.claim(self._settings.lease_seconds)
            if run is None:
                try:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    continue
                continue
            with RUNNING.track_inprogress(), DURATION.time():
                await self._hold(run)

    async def sweep(self) -> None:
        """Remove, until cancelled, the twins that dead processes left, and old reports."""
        while True:
            names = await self._repository.stray_twins()
            if names:
                try:
                    async with self._front_door() as front_door:
                        await sweep(front_door, names, _TwinLog(self._repository, ""))
                except (FrontDoorAway, FrontDoorRefused) as error:
                    log.warning("twins_not_swept", twins=len(names), error=str(error))
            await self._repository.drop_old(self._settings.retention_days)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _hold(self, run: Run) -> None:
        """Work on a run while its lease is renewed; cancelled or fenced, let go of it."""
        work = asyncio.create_task(self._carry_out(run), name=f"run {run.run_id}")
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=self._settings.lease_seconds / 3)
                if not work.done():
                    await self._repository.renew(run.run_id, self._settings.lease_seconds)
            await work
        except Fenced as fenced:
            log.warning("run_lost", run_id=run.run_id, error=str(fenced))
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait({work})
            await self._repository.give_back(run.run_id)
            raise
        finally:
            work.cancel()
            await asyncio.wait({work})

    async def _carry_out(self, run: Run) -> None:
        state = self._manifests.get(run.connector)
        if state is None:
            await self._report(run, None, [], f"there is no connector {run.connector}")
            return
        manifest = state.manifest
        try:
            planned = plan(manifest, run.suites)
        except RecordingError as error:
            await self._report(run, manifest, [], f"the connector's fixtures: {error}")
            return
        await self._repository.begin(run.run_id, digest_of(manifest))
        if run.attempt > self._settings.run_attempts:
            await self._report(
                run, manifest, planned, f"given up after {run.attempt - 1} attempts were cut off"
            )
            return
        try:
            await self._examine(run, manifest, planned)
        except CutOff as error:
            await self._report(run, manifest, planned, str(error))
        else:
            await self._report(run, manifest, planned, "")

    async def _examine(self, run: Run, manifest: Manifest, planned: list[PlannedCheck]) -> None:
        settings = self._settings
        vendor = VendorEmulator(
            manifest, host=settings.emulator_host, name=settings.emulator_name or None
        )
        async with vendor, self._front_door() as front_door:
            try:
                subject = await front_door.installed(run.integration_id)
            except FrontDoorRefused as refused:
                raise CutOff(
                    f"the integration {run.integration_id} cannot be looked up: {refused}"
                ) from None
            except FrontDoorAway as error:
                raise CutOff(f"the front door is away: {error}") from None
            twins = Twins(
                manifest,
                vendor,
                front_door,
                _TwinLog(self._repository, run.run_id),
                subject.config,
            )

            async def keep(position: int, check: Check) -> None:
                await self._repository.add_finding(run.run_id, position, check)

            if run.attempt > 1:
                await self._sweep_after_crash(run, front_door)
            examiner = Examiner(
                Trial(manifest, vendor, front_door, twins), settings.check_seconds, keep
            )
            known = {(one.suite, one.name) for one in await self._repository.findings(run.run_id)}
            try:
                await examiner.examine(planned, known)
            finally:
                await _to_the_end(twins.remove_all())

    async def _sweep_after_crash(self, run: Run, front_door: FrontDoor) -> None:
        names = await self._repository.twins_of(run.run_id)
        try:
            await sweep(front_door, names, _TwinLog(self._repository, run.run_id))
        except (FrontDoorAway, FrontDoorRefused) as error:
            log.warning("twins_not_swept", twins=len(names), error=str(error))

    async def _report(
        self, run: Run, manifest: Manifest | None, planned: list[PlannedCheck], cut_off: str
    ) -> None:
        found = await self._repository.findings(run.run_id)
        by_name = {(check.suite, check.name): check for check in found}
        checks = tuple(
            by_name.get((one.suite, one.name)) or result_of(one, "not_run", cut_off)
            for one in planned
        )
        missing = any(check.outcome == "not_run" for check in checks)
        complete = bool(checks) and not missing and not cut_off
        score, level, held_down = awarded(checks, complete=complete)
        report = RunCompleted(
            id=derived_id("run", run.run_id),
            tenant=run.tenant,
            run_id=run.run_id,
            integration_id=run.integration_id,
            connector=run.connector,
            connector_version=manifest.version if manifest is not None else "",
            suites=run.suites or tuple(SUITES),
            complete=complete,
            score=score,
            level=level,
            checks=checks,
            started_at=run.started_at,
            finished_at=datetime.now(UTC),
            message=cut_off or held_down,
            manifest_digest=digest_of(manifest) if manifest is not None else "",
            environment={
                "certification": version("jackfield-certification"),
                "python": platform.python_version(),
                "attempts": run.attempt,
            },
        )
        report = signed(report, self._keys)
        async with self._outbox.transaction() as connection:
            await self._repository.hold(connection, run.run_id)
            await self._repository.finish(connection, report)
            await self._outbox.put(connection, report)
            if complete and set(report.suites) == set(SUITES):
                hours = self._settings.recertify_hours
                due_at = next_run(report.finished_at, hours, random.random())  # noqa: S311 - no secret
                state = await self._repository.set_level(connection, report, due_at)
                await self._outbox.put(connection, state)
        FINISHED.labels(str(complete).lower()).inc()
        for check in checks:
            CHECKS.labels(check.suite, check.outcome).inc()
        log.info(
            "run_finished", run_id=run.run_id, complete=complete, score=score, level=level.value
        )


class _TwinLog:
    def __init__(self, repository: Repository, run_id: str) -> None:
        self._repository = repository
        self._run_id = run_id

    async def announce(self, name: str) -> None:
        await self._repository.announce_twin(self._run_id, name)

    async def removed(self, name: str) -> None:
        await self._repository.forget_twin(name)


async def _to_the_end(cleaning: Coroutine[None, None, None]) -> None:
    """Let a clean-up finish although its task is cancelled, within a bound; the sweep does the rest."""
    task = asyncio.ensure_future(cleaning)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_CLEAN_SECONDS)
        task.cancel()
        raise


def _refused(event: RunRequested, reason: str) -> RunCompleted:
    now = datetime.now(UTC)
    return RunCompleted(
        id=derived_id("run", event.run_id),
        tenant=event.tenant,
        run_id=event.run_id,
        integration_id=event.integration_id,
        connector=event.connector,
        connector_version="",
        suites=event.suites or tuple(SUITES),
        complete=False,
        score=0,
        level=Level.NONE,
        checks=(),
        started_at=now,
        finished_at=now,
        message=reason,
    )
