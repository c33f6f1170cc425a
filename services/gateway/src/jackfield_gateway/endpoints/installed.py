"""Installed integrations."""

from typing import Literal

from fastapi import APIRouter, Response

from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT, CONFLICT
from jackfield_gateway.endpoints.parameters import Cursor, Id, Limit
from jackfield_gateway.models.integration import (
    Authorization,
    AuthorizeRequest,
    ConfigureRequest,
    InstalledIntegration,
    InstalledPage,
    InstallRequest,
    IntegrationHealth,
)

router = APIRouter(prefix="/api/marketplace", tags=["installed integrations"])
health = APIRouter(prefix="/api/integrations", tags=["installed integrations"])


@router.get("/installed")
async def list_installed(
    actor: Reader, called: Called, limit: Limit = 50, cursor: Cursor = None
) -> InstalledPage:
    """List the installed integrations, oldest first."""
    return await called.installations.page(actor, limit, cursor)


@router.get("/installed/{integration_id}", responses=ABSENT)
async def get_installed(actor: Reader, called: Called, integration_id: Id) -> InstalledIntegration:
    """One installed integration: what it still needs, and how it does."""
    return await called.installations.get(actor, integration_id)


@router.post("/install", status_code=201, responses=ABSENT)
async def install(
    actor: Writer, called: Called, wanted: InstallRequest, response: Response
) -> InstalledIntegration:
    """Install a template. The answer says what to do at the vendor and what to configure next."""
    installed = await called.installations.install(actor, wanted)
    response.headers["Location"] = f"/api/marketplace/installed/{installed.integration_id}"
    return installed


@router.post("/configure", responses=ABSENT | CONFLICT)
async def configure(
    actor: Writer, called: Called, wanted: ConfigureRequest
) -> InstalledIntegration:
    """Give credentials and webhook secrets, change the configuration, enable or disable."""
    return await called.installations.configure(actor, wanted)


@router.post("/installed/{integration_id}/authorize", responses=ABSENT | CONFLICT)
async def authorize(
    actor: Writer, called: Called, integration_id: Id, wanted: AuthorizeRequest
) -> Authorization:
    """A link to sign in at the vendor with OAuth 2.0. It lives ten minutes and works once."""
    return await called.connections.authorize(actor, integration_id, wanted.return_to)


@router.delete("/installed/{integration_id}", status_code=204, responses=ABSENT | CONFLICT)
async def uninstall(
    actor: Writer,
    called: Called,
    integration_id: Id,
    routes: Literal["refuse", "disable"] = "refuse",
) -> None:
    """Remove an integration and its credential. Enabled routes that use it stand in the way, unless
    `routes=disable` disables them.
    """
    await called.installations.uninstall(actor, integration_id, disable_routes=routes == "disable")


@health.get("/{integration_id}/health", responses=ABSENT)
async def get_health(actor: Reader, called: Called, integration_id: Id) -> IntegrationHealth:
    """How an integration does, by checks and live traffic."""
    return await called.installations.health(actor, integration_id)
