"""The suites: what is checked of a connector, by category."""

from collections.abc import Callable, Iterator
from typing import Final

from jackfield_certification.suites import basic, performance, reliability, security, webhooks
from jackfield_certification.suites.plan import CheckFailed, PlannedCheck, Trial
from jackfield_common.connector.manifest import Manifest

__all__ = ["SUITES", "CheckFailed", "PlannedCheck", "Trial", "plan"]

SUITES: Final[dict[str, Callable[[Manifest], Iterator[PlannedCheck]]]] = {
    basic.SUITE: basic.checks,
    reliability.SUITE: reliability.checks,
    security.SUITE: security.checks,
    performance.SUITE: performance.checks,
    webhooks.SUITE: webhooks.checks,
}


def plan(manifest: Manifest, suites: tuple[str, ...]) -> list[PlannedCheck]:
    """The checks of the named suites, of all when none is named; in a fixed order.

    Raises KeyError for a suite that does not exist, RecordingError for a manifest that cannot be read.
    """
    return [check for name in suites or tuple(SUITES) for check in SUITES[name](manifest)]
