"""Fixtures of the oauth service's integration tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.integration.oauth.running import Running, running


@pytest.fixture
async def oauth(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> AsyncGenerator[Running]:
    """The service, started and stopped around the test."""
    async with running(kafka, database, topic_prefix, tmp_path / "keys") as started:
        yield started
