import contextlib
from pathlib import Path

import pytest

from tests.integration.certification.running import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_catalogue_connectors_are_certified_through_the_public_api(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(kafka, database, topic_prefix, tmp_path) as platform:
        for connector in ("slack", "github", "http"):
            config = {"base_url": "http://127.0.0.1:9/"} if connector == "http" else {}
            installed = await platform.call(
                "POST",
                "/api/marketplace/install",
                {"template_name": connector, "config_overrides": config},
            )
            report = await platform.certified(
                installed["integration_id"], "basic_functionality", seconds=100
            )
            print(connector, report["score"], report["level"], report["message"])
            for check in report["checks"]:
                print("  ", check["outcome"], check["name"], check["message"], check["duration_ms"])
                if check["outcome"] != "passed":
                    for one in check["evidence"]:
                        print("        ", str(one)[:600])
        with contextlib.suppress(FileNotFoundError):
            print(platform.log("certification")[-3000:])
