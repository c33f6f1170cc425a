"""Kafka and PostgreSQL in containers, for test runs where a Docker daemon answers."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from jackfield_cli.local import kafka
from jackfield_cli.local.ports import free_ports
from jackfield_cli.local.postgres import FAST_AND_FORGETFUL

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18-alpine"
_START_SECONDS = 120.0


def docker_answers() -> bool:
    """Whether a Docker daemon can be used. Without a socket or DOCKER_HOST nothing is imported."""
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=5)
        try:
            return bool(client.ping())  # pyright: ignore[reportUnknownMemberType]
        finally:
            client.close()
    except (DockerException, OSError):
        return False


@contextmanager
def kafka_container() -> Generator[str]:
    """One broker with the settings of the embedded one; yields its bootstrap servers."""
    from testcontainers.core.container import DockerContainer

    # Clients are told to come back to the advertised port, so it is chosen before the start.
    port = free_ports(1)[0]
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    host = container.get_container_host_ip()
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:29093",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@localhost:29093",
        **kafka.SINGLE_NODE,
    }
    for key, value in properties.items():
        container.with_env(f"KAFKA_{key.replace('.', '_').upper()}", value)
    with container:
        bootstrap_servers = f"{host}:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while not kafka.answers(bootstrap_servers):
            assert time.monotonic() < deadline, f"{KAFKA_IMAGE} did not become ready"
            time.sleep(0.1)
        yield bootstrap_servers


@contextmanager
def postgres_container() -> Generator[str]:
    """One server with the settings of the embedded one; yields the superuser's DSN."""
    from testcontainers.community.postgres import PostgresContainer

    settings = " ".join(f"-c {key}={value}" for key, value in FAST_AND_FORGETFUL.items())
    container = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command(
        f"postgres -c max_connections=200 {settings}"
    )
    with container:
        yield container.get_connection_url()
