import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import LOOPBACK, Ports, free_ports, is_free


@given(st.integers(min_value=0, max_value=40_000))
def test_an_offset_moves_every_port(offset: int) -> None:
    moved = Ports.chosen(offset, {}).as_dict()
    assert moved == {name: port + offset for name, port in Ports().as_dict().items()}


def test_the_environment_names_single_ports() -> None:
    ports = Ports.chosen(100, {"JACKFIELD_API_PORT": "7000", "JACKFIELD_KAFKA_PORT": ""})
    assert ports.api == 7000
    assert ports.kafka == 9192
    assert ports.webhook == 8190


@pytest.mark.parametrize("named", ["0", "65536", "-1", "eighty", "8080.5", " "])
def test_what_is_no_port_is_refused_by_name(named: str) -> None:
    with pytest.raises(LocalError, match="JACKFIELD_API_PORT"):
        Ports.chosen(0, {"JACKFIELD_API_PORT": named})


def test_an_offset_too_large_is_refused() -> None:
    with pytest.raises(LocalError, match="--port-offset"):
        Ports.chosen(60_000, {})


def test_default_ports_are_all_different() -> None:
    ports = Ports().as_dict().values()
    assert len(set(ports)) == len(ports)


def test_a_listener_makes_a_port_taken() -> None:
    (port,) = free_ports(1)
    assert is_free(port)
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
    assert is_free(port)
