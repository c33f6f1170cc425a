"""The composition root: settings → resources → consumers. Nothing else builds objects."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from pydantic import ValidationError

from jackfield_common import shell
from jackfield_common.errors import NotReady
from jackfield_common.events import (
    IntegrationState,
    ManifestState,
    SubscriptionState,
    WebhooksStatisticsState,
)
from jackfield_common.events.message import now
from jackfield_common.expressions.sandbox import Sandbox
from jackfield_common.lanes import Lanes, Limits, Policy
from jackfield_common.shell import Platform
from jackfield_common.state import ReadModel
from jackfield_common.tasks import Tasks
from jackfield_common.topics import (
    COMMAND_REQUESTED,
    DELIVERY_DEAD,
    DELIVERY_VERIFIED,
    EVENT_INGESTED,
    HISTORY_REQUESTED,
    Service,
)
from jackfield_webhooks.archive import Archive
from jackfield_webhooks.reporting import Reporter
from jackfield_webhooks.repository.history import History
from jackfield_webhooks.repository.marks import Marks
from jackfield_webhooks.repository.settlements import Settlements
from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.history import PastDeliveries
from jackfield_webhooks.service.ingress import Ingress
from jackfield_webhooks.service.processing import Processing
from jackfield_webhooks.service.reading import Reading
from jackfield_webhooks.service.routes import Routes
from jackfield_webhooks.service.routing import Router
from jackfield_webhooks.service.statistics import Statistics
from jackfield_webhooks.settings import WebhooksSettings
from jackfield_webhooks.subscribers.ingress import IngressConsumer
from jackfield_webhooks.subscribers.work import asked, commanded, lane_by, routed

log = structlog.get_logger(__name__)

MIGRATIONS: Final = ("jackfield_common", "jackfield_common.lanes", "jackfield_webhooks")
ROUTING: Final = "webhooks.routing"
"""The consumer group that routes."""
HISTORY: Final = "webhooks.history"
"""The consumer group that answers what the API asks of past deliveries."""
COMMANDS: Final = "webhooks.commands"
"""The consumer group that answers what the API asks of parked and dead work."""
_LOADING_SECONDS: Final = 30.0
_HISTORY_SECONDS: Final = 300.0
_HISTORY_IN_FLIGHT: Final = 16
_HISTORY_PER_TENANT: Final = 4
_FORGET_SECONDS: Final = 60.0
_FORGET_ROWS: Final = 5_000


@asynccontextmanager
async def compose(platform: Platform[WebhooksSettings]) -> AsyncGenerator[None]:
    """Build the service on its platform, run it inside the block."""
    settings, kafka, pool = platform.settings, platform.kafka, platform.pool
    routes, statistics = Routes(), Statistics()
    integrations = ReadModel(kafka, IntegrationState)
    manifests = ReadModel(kafka, ManifestState)
    subscriptions = ReadModel(kafka, SubscriptionState, on_change=routes.change)
    peers = ReadModel(kafka, WebhooksStatisticsState)
    catalogue = Catalogue(integrations, manifests, wait=settings.routing_wait_seconds)
    marks, history = Marks(pool), History(pool)
    async with AsyncExitStack() as stack:
        for model in (integrations, manifests, subscriptions, peers):
            await model.start()
            stack.push_async_callback(model.stop)
        sandbox = await stack.enter_async_context(Sandbox())
        reading, router = Reading(catalogue), Router(routes, sandbox, catalogue)
        processing = Processing(
            reading,
            router,
            platform.publisher,
            platform.outbox,
            marks,
            Settlements(platform.outbox, marks, history),
            statistics,
        )
        archive = Archive(kafka)
        stack.push_async_callback(archive.stop)
        past = PastDeliveries(
            history, archive, reading, routes, router, sandbox, platform.publisher
        )
        lanes = Lanes(
            kafka,
            pool,
            platform.publisher,
            name=ROUTING,
            topics=[DELIVERY_VERIFIED, EVENT_INGESTED],
            handle=routed(processing),
            lane=lane_by(catalogue, kafka.naming),
            dead=DELIVERY_DEAD,
            policy=policy(settings),
            limits=Limits(in_flight=settings.routing_in_flight),
        )
        commands = Lanes(
            kafka,
            pool,
            platform.publisher,
            name=COMMANDS,
            topics=[COMMAND_REQUESTED],
            handle=commanded(pool, platform.publisher),
            dead=DELIVERY_DEAD,
            pausable=False,
        )
        questions = Lanes(
            kafka,
            pool,
            platform.publisher,
            name=HISTORY,
            topics=[HISTORY_REQUESTED],
            handle=asked(past, platform.publisher),
            dead=DELIVERY_DEAD,
            policy=Policy(timeout=_HISTORY_SECONDS),
            limits=Limits(in_flight=_HISTORY_IN_FLIGHT, in_flight_per_key=_HISTORY_PER_TENANT),
        )
        ingress = IngressConsumer(kafka, platform.publisher, Ingress(catalogue))
        reporter = Reporter(
            kafka,
            platform.publisher,
            statistics,
            peers,
            consumer=ROUTING,
            seconds=settings.statistics_seconds,
        )
        tasks = Tasks()

        async def consume() -> None:
            # No record is looked at before everything that was known at start is known here.
            for model in (integrations, manifests, subscriptions):
                await _loaded(model.wait_ready)
            tasks.start("ingress", ingress.run)
            async with commands, questions, lanes:
                await asyncio.Event().wait()

        async def forget() -> None:
            while True:
                for table, days in (
                    (marks, settings.delivery_horizon_days),
                    (history, settings.history_days),
                ):
                    while await table.forget(now() - timedelta(days=days), _FORGET_ROWS):
                        pass
                await asyncio.sleep(_FORGET_SECONDS)

        platform.readiness.add("routing", lambda: lanes.ready)
        platform.readiness.add("ingress", lambda: ingress.ready)
        stack.push_async_callback(reporter.end)
        stack.push_async_callback(tasks.stop)
        tasks.start("routing", consume)
        tasks.start("retention", forget)
        tasks.start("statistics", reporter.run)
        yield


async def _loaded(wait_ready: Callable[[float], Awaitable[None]]) -> None:
    while True:
        try:
            await wait_ready(_LOADING_SECONDS)
        except NotReady as error:
            log.warning("waiting_for_state", reason=str(error))
        else:
            return


def policy(settings: WebhooksSettings) -> Policy:
    """How long a delivery waits for what it needs."""
    return Policy(
        max_retries=settings.routing_retries,
        initial_delay=settings.routing_retry_seconds,
        max_delay=max(settings.routing_retry_seconds_max, settings.routing_retry_seconds),
        budget=settings.routing_budget_seconds,
    )


def main() -> None:
    """Run the service until it is told to stop."""
    shell.run(Service.WEBHOOKS, read_settings(), compose, migrations=MIGRATIONS)


def read_settings() -> WebhooksSettings:
    """The settings from the environment; what is wrong with them ends the process, in one line each."""
    try:
        return WebhooksSettings()  # pyright: ignore[reportCallIssue] - filled from the environment
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in one["loc"]).upper()
            sys.stderr.write(f"JACKFIELD_{name}: {one['msg']}\n")
        sys.exit(shell.EXIT_CONFIGURATION)
