"""What the routes call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fastapi import Request

from jackfield_gateway.edge.statistics import EdgeStats
from jackfield_gateway.service.actions import Actions
from jackfield_gateway.service.api_keys import ApiKeys
from jackfield_gateway.service.audit import Refusals
from jackfield_gateway.service.authentication import Authentication
from jackfield_gateway.service.catalogue import Catalogue
from jackfield_gateway.service.certification import Certification
from jackfield_gateway.service.connections import Connections
from jackfield_gateway.service.history import Histories
from jackfield_gateway.service.installations import Installations
from jackfield_gateway.service.outcomes import Outcomes
from jackfield_gateway.service.routes import Routes
from jackfield_gateway.service.routing_statistics import RoutingStatistics
from jackfield_gateway.service.work import Works


@dataclass(frozen=True, slots=True)
class Services:
    """The rules behind the API; `edge_stats` tells the webhook listener's counters."""

    authentication: Authentication
    refusals: Refusals
    catalogue: Catalogue
    installations: Installations
    connections: Connections
    actions: Actions
    routes: Routes
    api_keys: ApiKeys
    certification: Certification
    outcomes: Outcomes
    works: Works
    histories: Histories
    routing: RoutingStatistics
    edge_stats: Callable[[], EdgeStats]


def services(request: Request) -> Services:
    """The services of the application that a request reached."""
    return cast(Services, request.app.state.services)
