"""The composition root: settings → resources → webhook listener, consumers, API. Nothing else builds."""

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import ValidationError

from jackfield_common import shell
from jackfield_common.events.certification import LevelState
from jackfield_common.events.credential import JwksState, RevocationState
from jackfield_common.events.health import HealthState
from jackfield_common.events.integration import IntegrationState
from jackfield_common.events.manifest import ManifestState
from jackfield_common.events.statistics import WebhooksStatisticsState
from jackfield_common.events.subscription import SubscriptionState
from jackfield_common.kafka import Kafka
from jackfield_common.lanes import Lanes
from jackfield_common.questions import Questions
from jackfield_common.shell import Platform
from jackfield_common.state import ReadModel
from jackfield_common.topics import RESULT_DEAD, Service
from jackfield_gateway import subscribers
from jackfield_gateway.edge import Edge
from jackfield_gateway.endpoints.application import application
from jackfield_gateway.endpoints.listener import bind, listening
from jackfield_gateway.endpoints.services import Services
from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.access_tokens import AccessTokens, Revocations
from jackfield_gateway.service.actions import Actions
from jackfield_gateway.service.addresses import Addresses
from jackfield_gateway.service.api_keys import ApiKeys
from jackfield_gateway.service.audit import Refusals
from jackfield_gateway.service.authentication import Authentication
from jackfield_gateway.service.catalogue import Catalogue
from jackfield_gateway.service.certification import Certification
from jackfield_gateway.service.configuration import Configurations
from jackfield_gateway.service.connections import Connections
from jackfield_gateway.service.history import Histories
from jackfield_gateway.service.installations import Installations
from jackfield_gateway.service.installed import InstalledView
from jackfield_gateway.service.outcomes import Outcomes
from jackfield_gateway.service.retention import RetentionJob
from jackfield_gateway.service.routes import Routes
from jackfield_gateway.service.routing_statistics import RoutingStatistics
from jackfield_gateway.service.sign_in import SignIns
from jackfield_gateway.service.work import Works
from jackfield_gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

MIGRATIONS: Final = ("jackfield_common", "jackfield_common.lanes", "jackfield_gateway")


class ReadModels:
    """What other services own, and our own integrations as the bus tells them."""

    def __init__(self, kafka: Kafka, revocations: Revocations) -> None:
        self.manifests = ReadModel(kafka, ManifestState)
        self.integrations = ReadModel(kafka, IntegrationState)
        self.subscriptions = ReadModel(kafka, SubscriptionState)
        self.health = ReadModel(kafka, HealthState)
        self.levels = ReadModel(kafka, LevelState)
        self.routing = ReadModel(kafka, WebhooksStatisticsState)
        self.jwks = ReadModel(kafka, JwksState)
        self.revocations = ReadModel(kafka, RevocationState, on_change=revocations.changed)
        revocations.follow(self.revocations)

    def all(self) -> tuple[ReadModel[Any], ...]:
        """Every one of them."""
        return (
            self.manifests,
            self.integrations,
            self.subscriptions,
            self.health,
            self.levels,
            self.routing,
            self.jwks,
            self.revocations,
        )


def build_services(
    platform: Platform[GatewaySettings],
    store: Store,
    models: ReadModels,
    revocations: Revocations,
    questions: Questions,
    connections: Connections,
    outcomes: Outcomes,
    edge: Edge,
) -> Services:
    """The rules behind the API."""
    settings = platform.settings
    catalogue = Catalogue(models.manifests, models.levels)
    addresses = Addresses(settings.egress_allow)
    routes = Routes(store, catalogue, models.subscriptions)
    keys = ApiKeys(
        store, platform.keys, bootstrap_key(settings.api_key_file), settings.api_key_tenant
    )
    return Services(
        authentication=Authentication(keys, AccessTokens(models.jwks, revocations)),
        refusals=Refusals(store),
        catalogue=catalogue,
        installations=Installations(
            store,
            catalogue,
            Configurations(addresses),
            SignIns(addresses),
            InstalledView(catalogue, models.health, settings.webhook_origin()),
            platform.keys,
            models.integrations,
            models.health,
        ),
        connections=connections,
        actions=Actions(store, catalogue, platform.publisher, questions),
        routes=routes,
        api_keys=keys,
        certification=Certification(store, models.levels),
        outcomes=outcomes,
        works=Works(store, platform.publisher, questions),
        histories=Histories(store, platform.publisher, questions, routes, models.subscriptions),
        routing=RoutingStatistics(models.routing),
        edge_stats=edge.stats,
    )


@asynccontextmanager
async def compose(platform: Platform[GatewaySettings]) -> AsyncGenerator[None]:
    """Build the service on its platform, run it inside the block."""
    settings = platform.settings
    bound = bind(settings.api_host, settings.api_port)
    async with AsyncExitStack() as stack:
        stack.callback(bound.close)
        store = Store(platform.pool, platform.outbox)
        revocations = Revocations(settings.revocation_silence)
        models = ReadModels(platform.kafka, revocations)
        for model in models.all():
            await model.start()
            stack.push_async_callback(model.stop)
        questions = Questions(platform.kafka)
        await questions.start()
        stack.push_async_callback(questions.stop)
        outcomes = Outcomes(store)
        connections = Connections(store, platform.keys, questions, Addresses(settings.egress_allow))
        await stack.enter_async_context(
            Lanes(
                platform.kafka,
                platform.pool,
                platform.publisher,
                name="gateway.outcomes",
                topics=subscribers.TOPICS,
                handle=subscribers.outcomes_handler(outcomes, connections),
                dead=RESULT_DEAD,
            )
        )
        edge = Edge(
            platform.kafka, models.integrations, models.manifests, platform.keys, settings.edge()
        )
        services = build_services(
            platform, store, models, revocations, questions, connections, outcomes, edge
        )
        job = RetentionJob(store, settings.ages(), settings.retention_interval)
        platform.tasks.start("retention", job.run)
        platform.readiness.add("webhooks", lambda: edge.ready)
        platform.readiness.add("answers", lambda: questions.ready)
        # What the others tell (levels, health, tokens) may come later: asked for it, the API says so.
        platform.readiness.add("connectors", lambda: models.manifests.ready)
        platform.readiness.add("integrations", lambda: models.integrations.ready)
        app = application(services, settings.api_max_body, settings.api_max_requests)
        await edge.start()
        stack.push_async_callback(edge.stop)
        await stack.enter_async_context(listening(app, bound, settings.drain_seconds))
        log.info("listening", host=settings.api_host, port=bound.getsockname()[1])
        yield


def main() -> None:
    """Run the service until it is told to stop."""
    shell.run(Service.GATEWAY, read_settings(), compose, migrations=MIGRATIONS)


def read_settings() -> GatewaySettings:
    """The settings from the environment; what is wrong with them ends the process, in one line each."""
    try:
        return GatewaySettings()  # pyright: ignore[reportCallIssue] - filled from the environment
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in one["loc"]).upper()
            sys.stderr.write(f"JACKFIELD_{name}: {one['msg']}\n")
        sys.exit(shell.EXIT_CONFIGURATION)


def bootstrap_key(file: Path | None) -> str | None:
    """The bootstrap administrator's key; a file that cannot serve ends the process, in one line."""
    if file is None:
        return None
    try:
        key = file.read_text("utf-8").strip()
    except OSError as error:
        sys.stderr.write(f"JACKFIELD_API_KEY_FILE: {file.name}: {error.strerror}\n")
        sys.exit(shell.EXIT_CONFIGURATION)
    if len(key) < 20:
        sys.stderr.write(f"JACKFIELD_API_KEY_FILE: {file.name} holds less than 20 characters\n")
        sys.exit(shell.EXIT_CONFIGURATION)
    return key
