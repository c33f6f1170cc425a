"""What the outcomes of checks are worth."""

from collections.abc import Iterable, Sequence
from typing import Final

from jackfield_common.events.certification import Check, Level

SUITES: Final = (
    "basic_functionality",
    "reliability",
    "security",
    "performance",
    "webhook_functionality",
)

_FROM: Final = (
    (100.0, Level.PLATINUM),
    (95.0, Level.GOLD),
    (80.0, Level.SILVER),
    (60.0, Level.BRONZE),
)


def score_of(checks: Iterable[Check]) -> float:
    """The passed share of the weight of all checks that apply, in percent; 0 where none applies.

    A check that was not run counts as much as one that failed: nothing passes by being skipped.
    """
    passed = total = 0.0
    for check in checks:
        if check.outcome == "not_applicable":
            continue
        total += check.weight
        if check.outcome == "passed":
            passed += check.weight
    if not total:
        return 0.0
    # Rounded down, so that 99.96 is not sold as 100.
    return 100.0 if passed == total else min(99.9, int(passed / total * 1_000) / 10)


def level_of(score: float) -> Level:
    """The level that a score in percent is worth by itself."""
    return next((level for least, level in _FROM if score >= least), Level.NONE)


def awarded(checks: Sequence[Check], *, complete: bool) -> tuple[float, Level, str]:
    """Score, level, and what holds the level down, if anything does.

    A run that was cut off has no level. Above Bronze, what is expected of the connector must come from
    the vendor (a document, a specification, an SDK, the live vendor): a connector cannot certify itself.
    """
    score = score_of(checks)
    if not complete:
        return score, Level.NONE, "the run is incomplete, so there is no level"
    level = level_of(score)
    if level in (Level.NONE, Level.BRONZE):
        return score, level, ""
    own_word = [check.name for check in checks if _is_ground(check) and check.against == "emulator"]
    if own_word:
        shown = ", ".join(own_word[:5]) + (", …" if len(own_word) > 5 else "")
        return (
            score,
            Level.BRONZE,
            f"held at bronze: {len(own_word)} checks rest on the connector's own word rather than on"
            f" a document of the vendor: {shown}",
        )
    return score, level, ""


def _is_ground(check: Check) -> bool:
    """Whether the check says that requests or webhooks look as the vendor wants them."""
    return check.outcome == "passed" and check.name.partition(":")[0] in (
        "action",
        "test_connection",
        "parse",
    )
