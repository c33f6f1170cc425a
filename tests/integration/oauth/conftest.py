"""One oauth service for a module's tests: clients, people and integrations are each test's own."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.integration.oauth.dump import Completions
from tests.integration.oauth.running import Running, fresh_database, fresh_topics, running
from tests.integration.oauth.vendor import certificate


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def oauth(
    kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Running]:
    """The service, started and stopped around the module."""
    directory = tmp_path_factory.mktemp("oauth")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(certificate(directory)))
        async with (
            fresh_database(postgres) as database,
            fresh_topics(kafka) as prefix,
            running(kafka, database, prefix, directory / "keys") as started,
        ):
            yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def completions(oauth: Running) -> AsyncGenerator[Completions]:
    """What became of connections."""
    followed = Completions()
    task = asyncio.create_task(followed.follow(oauth.kafka))
    yield followed
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
