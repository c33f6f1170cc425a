"""The operator's command: its result is JSON on standard output, its refusals one line."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from jackfield_common.sealing import create_missing_keys
from tests.integration.oauth.running import running


async def _command(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jackfield_oauth",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, wrong = await process.communicate()
    return process.returncode or 0, out.decode(), wrong.decode()


@pytest.fixture
def environment(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> dict[str, str]:
    create_missing_keys(tmp_path / "keys")
    return {
        **os.environ,
        "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "JACKFIELD_POSTGRES_DSN": database,
        "JACKFIELD_TOPIC_PREFIX": topic_prefix,
        "JACKFIELD_KEYS_DIR": str(tmp_path / "keys"),
    }


async def test_a_client_made_by_the_operator_gets_tokens(
    environment: dict[str, str], kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    status, out, _ = await _command(environment, "client", "create", "--scope", "api")
    assert status == 0
    made = json.loads(out)
    status, out, wrong = await _command(
        environment,
        *("client", "create", "--scope", "openid", "--public"),
        *("--redirect-uri", "http://evil.example/"),
    )
    assert (status, out) == (1, "")
    assert "use https" in wrong
    async with running(kafka, database, topic_prefix, tmp_path / "keys") as oauth:
        answer = await oauth.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(made["client_id"], made["client_secret"]),
        )
    assert answer.status_code == 200
    assert answer.json()["scope"] == "api"
