"""Certification of the catalogue's connectors by the five services as they run."""

from pathlib import Path
from typing import Any

import pytest

from jackfield_common.certificates import verify
from jackfield_common.events.certification import RunCompleted
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from tests.integration.certification.running import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def lost(report: dict[str, Any]) -> dict[str, str]:
    return {
        check["name"]: check["message"]
        for check in report["checks"]
        if check["outcome"] not in ("passed", "not_applicable")
    }


async def test_connectors_are_certified_through_the_public_api(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(kafka, database, topic_prefix, tmp_path) as platform:
        http = await platform.install("http", base_url="http://127.0.0.1:9/")
        report = await platform.certified(http, "basic_functionality", seconds=60)
        assert report["complete"], report["message"]
        assert lost(report) == {}
        keys = Keys.load(tmp_path / "keys", Service.GATEWAY)
        verify(RunCompleted.model_validate(report), keys)

        # Every declared event having a sample is the catalogue's business, not this test's.
        github = await platform.install("github")
        report = await platform.certified(github, "security", "webhook_functionality", seconds=90)
        assert report["complete"], report["message"]
        assert lost(report).keys() <= {"every_event_sampled"}

        # A worker that dies under a run costs time, and neither the run nor its honesty.
        run = await platform.call(
            "POST",
            "/api/certification/runs",
            {"integration_id": http, "suites": ["basic_functionality"]},
        )
        await platform.kill("connectors")
        await platform.start("connectors")
        report = await platform.report(run["run_id"], seconds=90)
        assert report["complete"], report["message"]
        assert lost(report) == {}

        left = await platform.call("GET", "/api/marketplace/installed?limit=100")
        assert {one["integration_id"] for one in left["items"]} == {http, github}
