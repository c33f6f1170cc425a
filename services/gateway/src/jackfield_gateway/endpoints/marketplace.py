"""What can be installed."""

from typing import Annotated

from fastapi import APIRouter, Query

from jackfield_common.connector.manifest import Category
from jackfield_gateway.endpoints.access import Called, Reader
from jackfield_gateway.endpoints.documents import ABSENT
from jackfield_gateway.endpoints.parameters import Cursor, Limit, Slug
from jackfield_gateway.models.marketplace import CatalogueDetail, CataloguePage, Sort

router = APIRouter(prefix="/api/marketplace/integrations", tags=["marketplace"])


@router.get("")
async def list_templates(
    _actor: Reader,
    called: Called,
    category: Category | None = None,
    search: Annotated[
        str | None, Query(max_length=200, description="Words that all have to be found.")
    ] = None,
    sort: Sort = Sort.POPULARITY,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CataloguePage:
    """List what can be installed."""
    return called.catalogue.page(category, search, sort, limit, cursor)


@router.get("/{template_name}", responses=ABSENT)
async def get_template(_actor: Reader, called: Called, template_name: Slug) -> CatalogueDetail:
    """Everything about one template: configuration, ways to sign in, actions, webhooks."""
    return called.catalogue.detail(template_name)
