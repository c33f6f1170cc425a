"""The API against schemathesis: generated requests, right and wrong, and sequences of them.

Whatever is sent, only what the OpenAPI document declares comes back, and never a fault of ours.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.integration.gateway.running import API_KEY, Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 4
SECONDS = 100
# Many requests fit their schema and are still refused for what they say: an unknown integration,
# an expression that does not compile. So refusing what fits the schema is no failure here.
NOT_CHECKED = "positive_data_acceptance"


@pytest.mark.slow
async def test_schemathesis_finds_nothing(gateway: Running, tmp_path: Path) -> None:
    key = await gateway.ready_chat()
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(
        "[parameters]\n"
        f'"path.integration_id" = "{key}"\n'
        '"path.action" = "send_message"\n'
        '"query.wait" = 0.5\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(configuration),
        "run",
        f"{gateway.http.base_url}/openapi.json",
        "--header",
        f"Authorization: Bearer {API_KEY}",
        "--phases",
        "coverage,fuzzing,stateful",
        "--checks",
        "all",
        "--exclude-path-regex",
        "^/api/(work|deliveries|routes/preview)",  # answered by other services, which are not here
        "--exclude-checks",
        NOT_CHECKED,
        "--max-examples",
        str(EXAMPLES),
        "--generation-deterministic",
        "--no-shrink",
        "--request-timeout",
        "20",
        "--warnings",
        "off",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        pytest.fail(f"schemathesis was not done in {SECONDS} s")
    text = output.decode(errors="replace")
    assert process.returncode == 0, text
    assert "generated" in text
