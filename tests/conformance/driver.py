"""Performs actions of the catalogue through the real engine, with made-up credentials."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import JsonValue

from jackfield_common.connector.auth import ApiKey, Auth, SecretUrl
from jackfield_common.connector.manifest import ActionManifest, Exchange, Manifest
from jackfield_common.egress import Egress
from jackfield_common.events.integration import IntegrationState
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from jackfield_connectors import catalog
from jackfield_connectors.discovery import Loaded
from jackfield_connectors.engine import Engine, Result
from jackfield_connectors.engine.credentials import NOTHING, Credential
from jackfield_connectors.engine.operations import Operations
from jackfield_connectors.engine.transport import Transport
from tests.conformance.player import Player

CATALOGUE = catalog.load()
CONNECTORS = tuple(CATALOGUE.connectors.values())
TLS = ssl.create_default_context()  # made once: it reads every authority of the system
KEY = "5b1d5f0e-8c2e-4f0e-9a35-conformance"


def canary(field: str) -> str:
    """A made-up secret that would be recognised anywhere."""
    return f"canary-{field.replace('_', '-')}-7f3a9c"


def scheme(manifest: Manifest, kind: str | None) -> Auth:
    """How to sign in: by this kind, else the connector's first."""
    return next(one for one in manifest.auth if kind is None or one.kind == kind)


def credential(auth: Auth, player: Player) -> Credential:
    """A made-up credential of this kind."""
    if auth.kind == "none":
        return NOTHING
    fields = {field.name: canary(field.name) for field in auth.fields}
    if isinstance(auth, SecretUrl):
        user = f"{canary('user')}@" if auth.headers else ""
        host = player.url.removeprefix("http://")
        fields[auth.fields[0].name] = f"http://{user}{host}/{canary('url')}"
    return Credential(auth.kind, fields, version=1)


def prefix(manifest: Manifest, auth: Auth) -> str:
    """The path that comes before an action's own, as the vendor sees it."""
    if isinstance(auth, SecretUrl):
        return auth.path.replace("{path}", f"/{canary('url')}")
    path = urlsplit(manifest.base_url or "").path.rstrip("/")
    if isinstance(auth, ApiKey) and auth.place == "path":
        path = path.replace(f"{{{auth.name}}}", canary(auth.fields[0].name))
    return path


def with_base(
    manifest: Manifest, player: Player, config: dict[str, JsonValue]
) -> dict[str, JsonValue]:
    """The settings of an installation whose vendor is the player."""
    path = urlsplit(manifest.base_url or "").path.rstrip("/")
    return {**config, "base_url": player.url + path}


@dataclass(frozen=True, slots=True)
class Driver:
    """An engine that reaches nothing but loopback."""

    engine: Engine
    transport: Transport

    @classmethod
    def make(cls) -> "Driver":
        """A fresh engine: no limits used up, no breaker open."""
        transport = Transport(Egress(("127.0.0.0/8",)), tls=TLS)
        return cls(Engine(transport), transport)

    async def perform(
        self,
        loaded: Loaded,
        action: str,
        given: dict[str, JsonValue],
        player: Player,
        *,
        auth: str | None = None,
        config: dict[str, JsonValue] | None = None,
        guard: Callable[[], None] = lambda: None,
    ) -> Result:
        """Perform an action at the player. Raises Failure."""
        manifest = loaded.manifest
        chosen = scheme(manifest, auth)
        operation = Operations(manifest, loaded.connector).find(action)
        integration = IntegrationState(
            tenant=DEFAULT_TENANT,
            version=1,
            integration_id=IntegrationId("conformance"),
            template=manifest.slug,
            connector=manifest.slug,
            name="conformance",
            config=with_base(manifest, player, config or {}),
            credential_version=1,
        )
        prepared = self.engine.prepare(
            operation, integration, credential(chosen, player), given, KEY, guard
        )
        return await self.engine.perform(prepared)


def exchanges() -> Iterator[tuple[Loaded, Exchange]]:
    """Every exchange of every connector."""
    for loaded in CONNECTORS:
        for exchange in loaded.manifest.exchanges:
            yield loaded, exchange


def actions() -> Iterator[tuple[Loaded, ActionManifest]]:
    """Every action of every connector."""
    for loaded in CONNECTORS:
        for action in loaded.manifest.actions:
            yield loaded, action


def first_exchange(loaded: Loaded, action: str, auth: str | None = None) -> Exchange | None:
    """An exchange of an action, under this kind of credential where one is asked for."""
    for exchange in loaded.manifest.exchanges:
        kind = exchange.auth or loaded.manifest.auth[0].kind
        if exchange.action == action and auth in (None, kind):
            return exchange
    return None


def usable_auth(loaded: Loaded, action: ActionManifest) -> list[Auth]:
    """The kinds of credential that an action works with."""
    return [
        one
        for one in loaded.manifest.auth
        if (not action.auth or one.kind in action.auth)
        and (
            not isinstance(one, SecretUrl)
            or one.kind in (*action.http_by_auth, *action.auth)
            or action.http is None
        )
    ]


__all__ = [
    "CATALOGUE",
    "CONNECTORS",
    "Driver",
    "actions",
    "canary",
    "credential",
    "exchanges",
    "first_exchange",
    "prefix",
    "scheme",
    "usable_auth",
]
