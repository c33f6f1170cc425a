"""Certification."""

from fastapi import APIRouter, Response

from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT
from jackfield_gateway.endpoints.parameters import Id
from jackfield_gateway.models.certification import CertificationRun, Levels, RunDraft

router = APIRouter(prefix="/api/certification", tags=["certification"])


@router.post("/runs", status_code=202)
async def request_run(
    actor: Writer, called: Called, draft: RunDraft, response: Response
) -> CertificationRun:
    """Certify an integration; the report is at the Location once the run is completed."""
    run = await called.certification.request(actor, draft)
    response.headers["Location"] = f"/api/certification/runs/{run.run_id}"
    return run


@router.get("/runs/{run_id}", responses=ABSENT)
async def get_run(actor: Reader, called: Called, run_id: Id) -> CertificationRun:
    """A run, and its report once it is completed."""
    return await called.certification.get(actor, run_id)


@router.get("/levels")
async def list_levels(_actor: Reader, called: Called) -> Levels:
    """The level of every certified connector."""
    return called.certification.levels()
