"""What a suite is made of: planned checks, and the trial that they work in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from jackfield_certification.emulator import Call, VendorEmulator
from jackfield_certification.evidence import Evidence
from jackfield_certification.front_door import FrontDoor
from jackfield_certification.twin import Twins
from jackfield_common.connector.auth import Auth
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import JackfieldError

Against = Literal["emulator", "specification", "sdk", "live"]


class CheckFailed(JackfieldError):
    """The connector does not do what the check asks; the text says what it did instead."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a check works with: the emulated vendor at one end, the front door at the other."""

    manifest: Manifest
    vendor: VendorEmulator
    front_door: FrontDoor
    twins: Twins

    @property
    def evidence(self) -> Evidence:
        """What this check has seen."""
        return self.front_door.evidence

    def calls_since(self, mark: int) -> tuple[Call, ...]:
        """The vendor's calls after a mark, kept as evidence."""
        calls = self.vendor.calls.since(mark)
        for call in calls:
            self.evidence.add_call(call)
        return calls

    def test_settings(self, kind: str) -> Mapping[str, JsonValue]:
        """The settings that the connection test was recorded with, best under this kind of sign-in."""
        tests = [one for one in self.vendor.routes.of(self.manifest.test) if one.succeeds]
        tests.sort(key=lambda one: one.auth != kind)
        return tests[0].config if tests else {}

    def auth(self, kind: str) -> Auth:
        """A way to sign in, by its kind."""
        return next(auth for auth in self.manifest.auth if auth.kind == kind)


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One named check. `run` returns what it found in a sentence, or raises CheckFailed.

    `inapplicable` is why the check does not apply to this connector; then it is not run and not scored.
    `reason` says what it is for. `against` is what stands at the other side.
    """

    suite: str
    name: str
    weight: float
    reason: str
    run: Callable[[Trial], Awaitable[str]]
    against: Against = "emulator"
    inapplicable: str | None = None
