"""The composition root: settings → resources → handlers; nothing else builds objects."""

import asyncio
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from jackfield_common.egress import Egress
from jackfield_common.events.credential import CredentialState
from jackfield_common.events.integration import IntegrationState
from jackfield_common.lanes import Lanes, Limits, Policy
from jackfield_common.shell import Platform, run
from jackfield_common.state import ReadModel
from jackfield_common.topics import (
    ACTION_DEAD,
    ACTION_REQUESTED,
    CONNECTORS_COMMAND,
    HEALTH,
    Service,
)
from jackfield_connectors import catalog, subscribers
from jackfield_connectors.discovery import Catalogue
from jackfield_connectors.engine import Engine
from jackfield_connectors.engine.credentials import Credentials
from jackfield_connectors.engine.transport import Transport
from jackfield_connectors.repository import Repository
from jackfield_connectors.service.actions import Actions
from jackfield_connectors.service.health import HealthWatch
from jackfield_connectors.service.manifests import publish
from jackfield_connectors.settings import ConnectorsSettings
from jackfield_connectors.shelf import CatalogueShelf

log = structlog.get_logger(__name__)

MIGRATIONS: Final = ("jackfield_common", "jackfield_common.lanes", "jackfield_connectors")
HANDLER_TIMEOUT: Final = 1_800.0
"""Seconds; the longest action (900 s) twice, around a refreshed credential. Calls have their own."""
_CLEANING_SECONDS: Final = 600.0
_READY_SECONDS: Final = 600.0


def policy_of(settings: ConnectorsSettings) -> Policy:
    """How failed actions are tried again."""
    return Policy(
        max_retries=settings.action_retries,
        max_delay=settings.action_retry_max_delay,
        budget=settings.action_budget,
        timeout=HANDLER_TIMEOUT,
    )


def load_catalogue(settings: ConnectorsSettings) -> Catalogue:
    """The catalogue and the operator's own connectors; a broken folder is an error in the log, not an end."""
    catalogue = catalog.load(settings.catalog_paths)
    for broken in catalogue.broken:
        log.error(
            "connector_broken", file=str(broken.file), line=broken.line, reason=broken.message
        )
    return catalogue


@asynccontextmanager
async def compose(platform: Platform[ConnectorsSettings]) -> AsyncGenerator[None]:
    """Everything this service is made of, for as long as it runs."""
    settings, kafka = platform.settings, platform.kafka
    catalogue = load_catalogue(settings)
    repository = Repository(platform.pool)
    await publish(catalogue, repository, platform.outbox)

    transport = Transport(
        Egress(settings.egress_allow),
        connections=settings.vendor_connections,
        tls=_tls(settings),
    )
    engine = Engine(transport, trace_vendors=settings.trace_vendors)
    health = HealthWatch()
    uninstalled = asyncio.Queue[str]()

    def on_change(integration_id: str, state: IntegrationState | None) -> None:
        if state is None:
            uninstalled.put_nowait(integration_id)

    async def forget_uninstalled() -> None:
        while True:
            integration_id = await uninstalled.get()
            health.forget(integration_id)
            await engine.forget(integration_id)
            async with platform.outbox.transaction() as connection:
                version = await repository.forget_health(connection, integration_id)
                if version is not None:
                    await platform.outbox.delete(connection, HEALTH, integration_id, version)

    async def forget_old_actions() -> None:
        age = timedelta(days=settings.result_retention_days)
        while True:
            forgotten = await repository.forget_actions(age)
            await asyncio.sleep(0.05 if forgotten else _CLEANING_SECONDS)

    integrations = ReadModel(kafka, IntegrationState, on_change=on_change)
    credential_states = ReadModel(kafka, CredentialState)
    policy = policy_of(settings)
    actions = Actions(
        shelf=CatalogueShelf(catalogue),
        engine=engine,
        integrations=integrations,
        credentials=Credentials(credential_states, platform.keys),
        repository=repository,
        outbox=platform.outbox,
        publisher=platform.publisher,
        policy=policy,
        health=health,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        for model in (integrations, credential_states):
            await model.start()
            stack.push_async_callback(model.stop)
        platform.readiness.add("integrations", lambda: integrations.ready)
        platform.readiness.add("credentials", lambda: credential_states.ready)
        await integrations.wait_ready(_READY_SECONDS)
        await credential_states.wait_ready(_READY_SECONDS)
        platform.tasks.start("forget-uninstalled", forget_uninstalled)
        platform.tasks.start("forget-old-actions", forget_old_actions)
        lanes = Lanes(
            kafka,
            platform.pool,
            platform.publisher,
            name="connectors",
            topics=[ACTION_REQUESTED],
            handle=subscribers.actions(actions),
            dead=ACTION_DEAD,
            policy=policy,
            limits=Limits(in_flight=settings.actions_in_flight),
        )
        commands = Lanes(
            kafka,
            platform.pool,
            platform.publisher,
            name="connectors-commands",
            topics=[CONNECTORS_COMMAND],
            handle=subscribers.commands(platform.pool, platform.publisher),
            dead=ACTION_DEAD,
            pausable=False,
        )
        await stack.enter_async_context(lanes)
        await stack.enter_async_context(commands)
        yield


def _tls(settings: ConnectorsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.vendor_ca_file is not None:
        context.load_verify_locations(settings.vendor_ca_file)
    return context


def main() -> None:
    """Run the service."""
    settings = ConnectorsSettings()  # pyright: ignore[reportCallIssue] - from the environment
    sys.exit(run(Service.CONNECTORS, settings, compose, migrations=MIGRATIONS))
