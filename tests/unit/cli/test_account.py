import os
from pathlib import Path

import pytest

from jackfield_cli.local.account import can_enter
from jackfield_cli.local.process import Account

STRANGER = Account(uid=54_321, gid=54_321)


@pytest.mark.parametrize(
    ("mode", "enters"), [(0o755, True), (0o711, True), (0o750, False), (0o700, False)]
)
def test_a_stranger_enters_what_is_open_to_others(tmp_path: Path, mode: int, enters: bool) -> None:
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o711)
    place = tmp_path / "closed"
    inner = place / "inner"
    inner.mkdir(parents=True, mode=0o755)
    place.chmod(mode)
    assert can_enter(STRANGER, inner) is enters


def test_an_owner_enters_what_is_closed_to_others(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir(mode=0o700)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o711)
    assert can_enter(Account(os.getuid(), os.getgid()), place)
    assert not can_enter(STRANGER, place)
