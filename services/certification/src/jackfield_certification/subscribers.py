"""Kafka in: one thin function per topic."""

from jackfield_certification.service.runs import Runs
from jackfield_common.events.certification import RunRequested
from jackfield_common.lanes import Work


async def run_requested(work: Work, runs: Runs) -> None:
    """certification.run.requested.v1: queue the run."""
    await runs.accept(work.decode(RunRequested))
