"""One listener a test."""

import secrets
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from jackfield_common.settings import Settings
from tests.integration.edge.listening import Listening, listening
from tests.platform import make_settings


@pytest.fixture(scope="session")
def edge_prefix() -> str:
    """The prefix of topics that these tests share: each begins where the one before it ended."""
    return f"test-{secrets.token_hex(6)}."


@pytest.fixture
def settings(kafka: str, edge_prefix: str, tmp_path: Path) -> Settings:
    # PostgreSQL is never touched here: the DSN leads nowhere
    return make_settings(
        kafka, "postgresql://nobody@127.0.0.1:1/nothing", edge_prefix, tmp_path / "keys"
    )


@pytest.fixture
async def running(settings: Settings) -> AsyncGenerator[Listening]:
    async with listening(settings) as one:
        yield one
