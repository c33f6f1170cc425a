"""Carries out the checks of a plan, one after another, and writes down what each found."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import structlog

from jackfield_certification.emulator import NoSyntheticValue
from jackfield_certification.evidence import Evidence
from jackfield_certification.front_door import FrontDoorAway, FrontDoorRefused, NoResult
from jackfield_certification.suites import CheckFailed, PlannedCheck, Trial
from jackfield_certification.twin import TwinFailed
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import JackfieldError
from jackfield_common.events.certification import Check

log = structlog.get_logger(__name__)


class CutOff(JackfieldError):
    """The run cannot go on: something that it needs, other than the connector, is away."""


@dataclass(frozen=True, slots=True)
class Examiner:
    """Runs planned checks within `check_seconds` each.

    `keep` is called with the position and the result of each check before the next one begins. A
    platform that gives no result for a connection test within `probe_seconds` is taken for down.
    """

    trial: Trial
    check_seconds: float
    keep: Callable[[int, Check], Awaitable[None]]
    probe_seconds: float = 15.0

    async def examine(
        self, planned: list[PlannedCheck], known: Collection[tuple[str, str]]
    ) -> None:
        """Run what is not `known` yet. Raises CutOff when the product's front door is away."""
        for position, check in enumerate(planned):
            if (check.suite, check.name) in known:
                continue
            found = await self.run(check)
            await self.keep(position, found)

    async def run(self, planned: PlannedCheck) -> Check:
        """One check. Raises CutOff when it could not be judged."""
        if planned.inapplicable is not None:
            return result_of(planned, "not_applicable", planned.inapplicable)
        front_door = self.trial.front_door
        fresh = Evidence()
        fresh.hide(front_door.evidence.hidden)
        front_door.evidence = fresh
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.check_seconds):
                message = await planned.run(self.trial)
            outcome = "passed"
        except FrontDoorAway as error:
            raise CutOff(f"the front door is away: {error}") from None
        except (CheckFailed, TwinFailed, NoSyntheticValue) as error:
            outcome, message = "failed", str(error)
        except FrontDoorRefused as refused:
            if refused.status >= 500 or refused.status in (401, 403, 429):
                raise CutOff(f"the front door cannot serve the run: {refused}") from None
            outcome, message = "failed", f"the API refuses: {refused}"
        except NoResult as error:
            await self._expect_a_working_platform(str(error))
            outcome, message = "failed", str(error)
        except TimeoutError:
            await self._expect_a_working_platform(f"{planned.name} took too long")
            outcome, message = "failed", f"not done within {self.check_seconds:g} s"
        finally:
            self.trial.vendor.healthy()
        log.info("check", suite=planned.suite, check=planned.name, outcome=outcome)
        return Check(
            suite=planned.suite,
            name=planned.name,
            weight=planned.weight,
            outcome=outcome,
            message=message,
            against=planned.against,
            duration_ms=round((time.monotonic() - started) * 1_000, 1),
            evidence=fresh.items(),
        )

    async def _expect_a_working_platform(self, symptom: str) -> None:
        """Tell a connector that hangs from a platform that does not work: try something else.

        A twin of its own does the connection test against a healthy vendor. When that has no result
        either, nothing can be said about the connector. Raises CutOff.
        """
        self.trial.vendor.healthy()
        try:
            auth = self.trial.manifest.auth[0]
            twin = await self.trial.twins.ready(auth, self.trial.test_settings(auth.kind))
            await self.trial.front_door.test(twin.integration_id, seconds=self.probe_seconds)
        except (NoResult, FrontDoorAway, TwinFailed) as error:
            raise CutOff(f"{symptom}; the connection test has no result either: {error}") from None


def result_of(planned: PlannedCheck, outcome: str, message: str) -> Check:
    """The result of a check that did not run."""
    return Check.model_validate(
        {
            "suite": planned.suite,
            "name": planned.name,
            "weight": planned.weight,
            "outcome": outcome,
            "message": message,
            "against": planned.against,
        }
    )


def digest_of(manifest: Manifest) -> str:
    """SHA-256 of a manifest: what a report speaks of."""
    return hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
