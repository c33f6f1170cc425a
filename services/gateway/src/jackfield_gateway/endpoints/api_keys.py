"""API keys."""

from fastapi import APIRouter, Response

from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT
from jackfield_gateway.endpoints.parameters import Cursor, Id, Limit
from jackfield_gateway.models.api_key import ApiKeyPage, KeyDraft, NewApiKey

router = APIRouter(prefix="/api/keys", tags=["API keys"])


@router.get("")
async def list_keys(
    actor: Reader, called: Called, limit: Limit = 50, cursor: Cursor = None
) -> ApiKeyPage:
    """List the API keys, oldest first, without what opens."""
    return await called.api_keys.page(actor, limit, cursor)


@router.post("", status_code=201)
async def create_key(
    actor: Writer, called: Called, draft: KeyDraft, response: Response
) -> NewApiKey:
    """Make an API key; it is shown this once."""
    response.headers["Cache-Control"] = "no-store"
    return await called.api_keys.create(actor, draft)


@router.delete("/{key_id}", status_code=204, responses=ABSENT)
async def revoke_key(actor: Writer, called: Called, key_id: Id) -> None:
    """Revoke an API key at once."""
    await called.api_keys.revoke(actor, key_id)
