import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_certification.scoring import awarded, level_of, score_of
from jackfield_common.events.certification import Check, Level


def check(outcome: str, *, weight: float = 1, name: str = "c", against: str = "emulator") -> Check:
    return Check.model_validate(
        {
            "suite": "s",
            "name": name,
            "weight": weight,
            "outcome": outcome,
            "message": "",
            "against": against,
        }
    )


CHECKS = st.lists(
    st.builds(
        check,
        st.sampled_from(["passed", "failed", "not_applicable", "not_run"]),
        weight=st.floats(0.5, 5),
    ),
    max_size=30,
)


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (100, Level.PLATINUM),
        (99.9, Level.GOLD),
        (95, Level.GOLD),
        (94.9, Level.SILVER),
        (80, Level.SILVER),
        (79.9, Level.BRONZE),
        (60, Level.BRONZE),
        (59.9, Level.NONE),
        (0, Level.NONE),
    ],
)
def test_levels_begin_where_they_say(score: float, level: Level) -> None:
    assert level_of(score) is level


@given(CHECKS)
def test_a_hundred_percent_means_that_everything_that_applies_passed(checks: list[Check]) -> None:
    applies = [one for one in checks if one.outcome != "not_applicable"]
    all_passed = bool(applies) and all(one.outcome == "passed" for one in applies)
    assert (score_of(checks) == 100.0) == all_passed


@given(CHECKS)
def test_skipping_never_raises_a_score(checks: list[Check]) -> None:
    skipped = [
        one.model_copy(update={"outcome": "not_run"}) if one.outcome == "passed" else one
        for one in checks
    ]
    assert score_of(skipped) <= score_of(checks)


@given(CHECKS)
def test_an_incomplete_run_has_no_level(checks: list[Check]) -> None:
    assert awarded(checks, complete=False)[1] is Level.NONE


def test_a_hair_below_everything_is_not_everything() -> None:
    checks = [check("passed", weight=9_999), check("failed")]
    assert score_of(checks) == 99.9


def test_the_connectors_own_word_is_worth_bronze_at_most() -> None:
    own = [check("passed", name="action:do"), check("passed")]
    assert awarded(own, complete=True)[1] is Level.BRONZE
    documented = [check("passed", name="action:do", against="specification"), check("passed")]
    assert awarded(documented, complete=True)[1] is Level.PLATINUM
