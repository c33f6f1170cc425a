"""One gateway for a module's tests: they install integrations of their own and share nothing else."""

import secrets
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.integration.gateway.running import Running, fresh_database, running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(
    kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Running]:
    """The service, started and stopped around the module."""
    directory = tmp_path_factory.mktemp("gateway")
    prefix = f"test-{secrets.token_hex(6)}."
    async with (
        fresh_database(postgres) as database,
        running(kafka, database, prefix, directory) as started,
    ):
        yield started
