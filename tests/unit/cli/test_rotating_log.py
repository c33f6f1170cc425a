from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_cli.local.rotating_log import RotatingLog

LINES = st.lists(st.text("abc", max_size=30), max_size=60)


@given(LINES, st.integers(min_value=1, max_value=7))
def test_what_is_kept_is_the_end_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "service.log"
    log = RotatingLog(path, max_bytes=64, kept=2)
    written = b"".join(f"{line}\n".encode() for line in lines)
    for start in range(0, len(written), chunk):
        log.write(written[start : start + chunk])
    log.close()
    files = [path.with_name("service.log.2"), path.with_name("service.log.1"), path]
    contents = [file.read_bytes() for file in files if file.exists()]
    assert written.endswith(b"".join(contents))
    assert sum(map(len, contents)) >= min(len(written), 64)
    for older, _ in pairwise(contents):
        assert older.endswith(b"\n")
    assert not path.with_name("service.log.3").exists()


def test_a_file_is_not_much_larger_than_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    log = RotatingLog(path, max_bytes=1000, kept=1)
    for number in range(1000):
        log.write(f"line {number:04}\n".encode())
    log.close()
    assert path.stat().st_size <= 1010
    assert path.with_name("service.log.1").stat().st_size <= 1010


def test_a_new_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    for word in (b"first\n", b"second\n"):
        log = RotatingLog(path)
        log.write(word)
        log.close()
    assert path.read_bytes() == b"first\nsecond\n"


def test_a_full_disk_loses_lines_and_counts_them(tmp_path: Path) -> None:
    full = tmp_path / "full.log"
    full.symlink_to("/dev/full")
    log = RotatingLog(full)
    log.write(b"lost\n")
    log.close()
    assert log.lost_bytes == len(b"lost\n")
