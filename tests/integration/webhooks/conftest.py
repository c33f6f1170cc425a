"""Fixtures of the webhooks service's integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.webhooks.running import Bus, bus, service


@pytest.fixture
async def world(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Bus]:
    """The bus, without the service."""
    async with bus(kafka, database, topic_prefix, tmp_path / "keys") as made:
        yield made


@pytest.fixture
async def running(world: Bus) -> AsyncIterator[Bus]:
    """The bus, with the service on it."""
    async with service(world):
        yield world
