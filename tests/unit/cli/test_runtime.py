import asyncio
from pathlib import Path

import pytest

from jackfield_cli.local import runtime
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation, Run
from jackfield_cli.local.ports import LOOPBACK, Ports
from jackfield_cli.local.services import SERVICES

OWN_KAFKA = f"{LOOPBACK}:{Ports().kafka}"
OWN_POSTGRES = f"postgresql://postgres:secret@{LOOPBACK}:{Ports().postgres}/jackfield"


def plan(directory: Path, **environment: str) -> runtime.Plan:
    return runtime.Plan(Installation(directory), Ports(), SERVICES, environment)


def test_a_full_disk_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "NEEDED_BYTES", 2**60)
    told: list[Run] = []
    with pytest.raises(LocalError, match="MB are free where"):
        asyncio.run(runtime.run(plan(tmp_path / "state"), told.append))
    assert told[-1].problem is not None
    assert told[-1].processes == {}
    assert not Installation(tmp_path / "state").is_held()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    with pytest.raises(LocalError, match="JACKFIELD_STATE_DIR"):
        asyncio.run(runtime.run(plan(occupied / "state"), lambda _run: None))


@pytest.mark.parametrize(
    ("kafka", "postgres", "external"),
    [
        ("", "", (None, None)),
        (OWN_KAFKA, OWN_POSTGRES, (None, None)),
        ("broker:9092", "postgresql://db/x", ("broker:9092", "postgresql://db/x")),
    ],
)
def test_only_servers_of_somebody_else_are_external(
    tmp_path: Path, kafka: str, postgres: str, external: tuple[str | None, str | None]
) -> None:
    named = plan(tmp_path, JACKFIELD_KAFKA_BOOTSTRAP_SERVERS=kafka, JACKFIELD_POSTGRES_DSN=postgres)
    assert (named.external_kafka, named.external_postgres) == external


def test_ports_of_external_servers_are_not_ours(tmp_path: Path) -> None:
    everything = runtime.used_ports(plan(tmp_path))
    assert everything == Ports().as_dict()
    less = runtime.used_ports(plan(tmp_path, JACKFIELD_KAFKA_BOOTSTRAP_SERVERS="broker:9092"))
    assert set(everything) - set(less) == {"kafka", "kafka_controller"}
