"""Real servers for the tests: started once a run, isolated by name, gone when the run ends.

Each comes from the first of these that is there: the environment
(JACKFIELD_KAFKA_BOOTSTRAP_SERVERS, JACKFIELD_POSTGRES_DSN), a Docker daemon, or the servers that
are installed with the packages. A run that is killed takes them with it.
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from jackfield_cli.local.kafka import kafka_for_tests
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.postgres import postgres_for_tests
from tests.containers import docker_answers, kafka_container, postgres_container

_PREFIX = "jackfield-servers-"

# One broker serves the whole run, and a service makes two dozen topics for each test.
os.environ.setdefault("JACKFIELD_TOPIC_PARTITIONS", "3")


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """A directory for the embedded servers' data, which other accounts may walk through."""
    _remove_what_killed_runs_left()
    # Not below pytest's own temporary directory: that one is closed to the account that
    # PostgreSQL runs as when the tests are run as root.
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    directory.chmod(0o711)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    shutil.rmtree(directory, ignore_errors=True)


def _remove_what_killed_runs_left() -> None:
    for lock_file in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/lock"):
        try:
            with lock_file.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # a run that goes on, or another user's
        shutil.rmtree(lock_file.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(servers_directory: Path) -> Iterator[str]:
    """Bootstrap servers of a real Kafka, `host:port`. Topics are shared: prefix their names."""
    if named := os.environ.get("JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"):
        yield named
    elif docker_answers():
        with kafka_container() as bootstrap_servers:
            yield bootstrap_servers
    else:
        with kafka_for_tests(servers_directory, cache_directory()) as bootstrap_servers:
            yield bootstrap_servers


@pytest.fixture(scope="session")
def postgres(servers_directory: Path) -> Iterator[str]:
    """The DSN of an administrator of a real PostgreSQL, who may create databases and roles."""
    if named := os.environ.get("JACKFIELD_POSTGRES_DSN"):
        yield named
    elif docker_answers():
        with postgres_container() as dsn:
            yield dsn
    else:
        with postgres_for_tests(servers_directory) as dsn:
            yield dsn


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The DSN of an empty database of this test's own, dropped when the test ends."""
    name = f"test_{secrets.token_hex(8)}"
    _in_a_loop_of_its_own(_execute(postgres, f'CREATE DATABASE "{name}"'))
    yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
    _in_a_loop_of_its_own(_execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """What a test puts before the names of its topics and groups, so that nobody shares them.

    Its topics are deleted when it ends: thousands of partitions make one broker slow.
    """
    prefix = f"test-{secrets.token_hex(6)}."
    yield prefix
    if "kafka" in request.fixturenames:
        servers: str = request.getfixturevalue("kafka")
        _in_a_loop_of_its_own(_delete_topics(servers, prefix))


async def _delete_topics(bootstrap_servers: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=30_000)
    await admin.start()
    try:
        if mine := [name for name in await admin.list_topics() if name.startswith(prefix)]:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _in_a_loop_of_its_own(coroutine: Coroutine[None, None, None]) -> None:
    # In a thread, because the test's own event loop may be running or about to be made here.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()
