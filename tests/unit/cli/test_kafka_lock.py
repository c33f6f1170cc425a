"""The committed lock of Kafka's jars."""

import re

from jackfield_cli.local.jars import ENDPOINT, LOCK, locked_jars


def test_the_lock_has_kafka_itself_and_only_hashed_lines() -> None:
    locked = locked_jars()
    for line in LOCK.read_text().splitlines():
        assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+ [0-9a-f]{64}", line)
    coordinates = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in locked}
    assert set(ENDPOINT.split("+")) <= coordinates
    assert len({jar.file_name for jar in locked}) == len(locked)
