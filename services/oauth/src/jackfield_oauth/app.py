"""The composition root: settings → resources → routes and consumers. Nothing else builds objects."""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import structlog
from fastapi import FastAPI
from pydantic import ValidationError

from jackfield_common import shell
from jackfield_common.connector.manifest import Manifest
from jackfield_common.egress import Egress
from jackfield_common.errors import StaleRead
from jackfield_common.events import ManifestState
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.lanes import Lanes
from jackfield_common.shell import Platform
from jackfield_common.state import ReadModel
from jackfield_common.topics import CONNECTION_REQUESTED, OAUTH_DEAD, REFRESH_REQUESTED, Service
from jackfield_oauth import subscribers
from jackfield_oauth.endpoints import people as people_pages
from jackfield_oauth.endpoints import problems, protocol, vendor
from jackfield_oauth.endpoints.browser import Browser
from jackfield_oauth.endpoints.listener import bind, listening
from jackfield_oauth.models import Role
from jackfield_oauth.repository.clients import Clients
from jackfield_oauth.repository.credentials import Credentials
from jackfield_oauth.repository.devices import Devices
from jackfield_oauth.repository.grants import Grants
from jackfield_oauth.repository.keys import HashKeys, SigningKeys
from jackfield_oauth.repository.people import People
from jackfield_oauth.repository.pushed_requests import PushedRequests
from jackfield_oauth.repository.revocations import Revocations
from jackfield_oauth.repository.sign_ins import SignIns
from jackfield_oauth.service.access_tokens import AccessTokens
from jackfield_oauth.service.authorization import AuthorizationService
from jackfield_oauth.service.clients import ClientRegistry, write_private
from jackfield_oauth.service.consent import Consent
from jackfield_oauth.service.devices import DeviceApproval
from jackfield_oauth.service.effects import Effects
from jackfield_oauth.service.passwords import Passwords
from jackfield_oauth.service.people import Membership
from jackfield_oauth.service.protocol.openid import IdTokens
from jackfield_oauth.service.protocol.server import Rules
from jackfield_oauth.service.revocations import HEARTBEAT_SECONDS, RevokedTokens
from jackfield_oauth.service.secrets import SecretHash
from jackfield_oauth.service.signing_keys import KeyRing, Policy
from jackfield_oauth.service.vault import Vault
from jackfield_oauth.service.vendor.exchange import Exchange
from jackfield_oauth.service.vendor.links import Links
from jackfield_oauth.service.vendor.provider import Providers
from jackfield_oauth.service.vendor.refresh import Refresher
from jackfield_oauth.service.vendor.sign_in import VendorSignIn
from jackfield_oauth.settings import OauthSettings

log = structlog.get_logger(__name__)

MIGRATIONS = ("jackfield_common", "jackfield_common.lanes", "jackfield_oauth")
_KEYS_SECONDS = 15.0
_FORGET_SECONDS = 60.0
_DUE_SECONDS = 5.0


class _Manifests:
    """The manifests, as the OAuth client looks them up."""

    def __init__(self, states: ReadModel[ManifestState]) -> None:
        self._states = states

    async def manifest(self, slug: str, wait: float) -> Manifest | None:
        """The manifest of a connector, waited for at most `wait` seconds."""
        try:
            return (await self._states.wait_for(slug, 1, wait)).manifest
        except StaleRead:
            return None


def key_policy(settings: OauthSettings) -> Policy:
    """When signing keys change."""
    return Policy(
        issuer=settings.issuer,
        audience=settings.audience,
        algorithm=settings.signing_algorithm,
        period=timedelta(days=settings.signing_key_days),
        notice=timedelta(seconds=settings.signing_key_notice_seconds),
        token_lifetime=timedelta(seconds=settings.access_token_seconds),
    )


@asynccontextmanager
async def compose(platform: Platform[OauthSettings]) -> AsyncGenerator[None]:
    """Build the service on its platform, run it inside the block."""
    # At the level debug Authlib writes tokens into its log.
    logging.getLogger("authlib").setLevel(logging.INFO)
    settings = platform.settings
    bound = bind(settings.oauth_host, settings.oauth_port)
    try:
        async with _running(platform, bound):
            yield
    finally:
        bound.close()


@asynccontextmanager
async def _running(platform: Platform[OauthSettings], bound: socket.socket) -> AsyncGenerator[None]:
    settings, outbox, pool = platform.settings, platform.outbox, platform.pool
    secrets = await SecretHash.load(platform.keys, HashKeys(pool))
    ring = KeyRing(key_policy(settings), platform.keys, outbox, SigningKeys(pool))
    await ring.maintain()
    await ring.republish()
    clients, revocations = Clients(pool), Revocations(pool)
    revoked = RevokedTokens(outbox, revocations)
    if settings.oauth_client_file is not None:
        registry = ClientRegistry(outbox, clients, secrets)
        await registry.ensure_local(settings.oauth_client_file)
    tokens = AccessTokens(ring, settings.issuer, settings.access_token_seconds)
    rules = Rules(
        issuer=settings.issuer,
        tokens=tokens,
        id_tokens=IdTokens(ring, settings.issuer),
        secrets=secrets,
        audience=settings.audience,
    )
    people, grants, devices = People(pool), Grants(pool), Devices(pool)
    effects = Effects(outbox, grants, devices, revoked)
    service = AuthorizationService(
        rules, outbox, clients, revocations, people, grants, devices, effects
    )
    approval = DeviceApproval(outbox, devices, people, effects, service, secrets)
    consent = Consent(rules, outbox, grants, effects, PushedRequests(pool), service)
    membership = Membership(settings.issuer, outbox, people, secrets, Passwords())
    if settings.oauth_first_link_file is not None and not await people.any():
        link = await membership.invite(
            tenant=DEFAULT_TENANT, role=Role.OWNER, email=None, actor="bootstrap"
        )
        await asyncio.to_thread(write_private, settings.oauth_first_link_file, link + "\n")
    manifests = ReadModel(platform.kafka, ManifestState)
    providers = Providers(_Manifests(manifests))
    sign_ins, credentials = SignIns(pool), Credentials()
    links = Links(settings.issuer, platform.keys, secrets, sign_ins)
    vault = Vault(platform.keys, outbox, credentials, links, providers)
    exchange = Exchange(Egress(settings.egress_allow))
    refresher = Refresher(platform.instance, outbox, credentials, vault, providers, exchange)
    vendor_sign_in = VendorSignIn(
        settings.issuer, platform.keys, secrets, outbox, sign_ins, vault, providers, exchange
    )

    async def beat() -> None:
        while True:
            await revoked.beat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def forget() -> None:
        while True:
            while await revoked.forget_expired():
                pass
            await grants.forget_expired()
            await asyncio.sleep(_FORGET_SECONDS)

    async def maintain_keys() -> None:
        while True:
            await asyncio.sleep(_KEYS_SECONDS)
            await ring.maintain()

    async def ask_for_due() -> None:
        while True:
            while await refresher.ask_for_due():
                pass
            await asyncio.sleep(_DUE_SECONDS)

    platform.tasks.start("revocation-heartbeat", beat)
    platform.tasks.start("due-renewals", ask_for_due)
    platform.tasks.start("revocation-retention", forget)
    platform.tasks.start("signing-keys", maintain_keys)
    platform.readiness.add("signing-keys", lambda: ring.ready)

    app = FastAPI(title="Jackfield authorization server", docs_url=None, redoc_url=None)
    problems.install(app)
    app.include_router(
        protocol.router(settings.issuer, settings.signing_algorithm, service, consent, ring)
    )
    browser = Browser(settings.issuer, secrets)
    app.include_router(people_pages.router(browser, membership, consent, approval))
    app.include_router(vendor.router(settings.issuer, vendor_sign_in))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(exchange.close)
        await manifests.start()
        stack.push_async_callback(manifests.stop)
        lanes = await stack.enter_async_context(
            Lanes(
                platform.kafka,
                pool,
                platform.publisher,
                name="oauth.commands",
                topics=[CONNECTION_REQUESTED, REFRESH_REQUESTED],
                handle=subscribers.handler(vault, refresher, platform.publisher),
                dead=OAUTH_DEAD,
            )
        )
        platform.readiness.add("manifests", lambda: manifests.ready)
        platform.readiness.add("commands", lambda: lanes.ready)
        await stack.enter_async_context(listening(app, bound, settings.drain_seconds))
        log.info("listening", host=settings.oauth_host, port=bound.getsockname()[1])
        yield


def main() -> None:
    """Run the service until it is told to stop."""
    shell.run(Service.OAUTH, read_settings(), compose, migrations=MIGRATIONS)


def read_settings() -> OauthSettings:
    """The settings from the environment; what is wrong with them ends the process, in one line each."""
    try:
        return OauthSettings()  # pyright: ignore[reportCallIssue] - filled from the environment
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in one["loc"]).upper()
            sys.stderr.write(f"JACKFIELD_{name}: {one['msg']}\n")
        sys.exit(shell.EXIT_CONFIGURATION)
