from pathlib import Path

from jackfield_cli.commands.logs import Tail
from jackfield_cli.local.rotating_log import RotatingLog


def test_following_a_log_across_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    log = RotatingLog(path, max_bytes=40, kept=2)
    tail = Tail(path)
    seen: list[str] = []
    for number in range(50):
        log.write(f"line {number}\n".encode())
        seen += tail.read()
    log.close()
    tail.close()
    assert seen == [f"line {number}" for number in range(50)]


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.write_bytes(b"one\ntw")
    tail = Tail(path)
    assert list(tail.read()) == ["one"]
    with path.open("ab") as file:
        file.write(b"o\nthree \xff\n")
    assert list(tail.read()) == ["two", "three \ufffd"]
    tail.close()
