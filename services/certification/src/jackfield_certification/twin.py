"""Twins: temporary installations of the connector under test, pointed at its emulated vendor."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog
from pydantic import JsonValue

from jackfield_certification.emulator import Credential, VendorEmulator, invent
from jackfield_certification.emulator.synthesis import example_of
from jackfield_certification.front_door import FrontDoor, FrontDoorRefused, Installed
from jackfield_certification.signing import Signer, Unsignable, signer_for
from jackfield_common.connector.auth import Auth, NoAuth, SecretUrl
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import JackfieldError
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import new_id

log = structlog.get_logger(__name__)

NAME_PREFIX: Final = "certification "
_STORED_SECONDS: Final = 30.0


class TwinFailed(JackfieldError):
    """A twin could not be brought into the state that a check needs."""


@dataclass(frozen=True, slots=True)
class Twin:
    """One temporary installation. `secrets` are the webhook secrets it was configured with."""

    integration_id: str
    name: str
    auth: Auth
    config: Mapping[str, JsonValue]
    installed: Installed
    credential: Credential | None = None
    signer: Signer | None = field(default=None, repr=False)


class TwinLog(Protocol):
    """Remembers twins across a crash."""

    async def announce(self, name: str) -> None:
        """A twin with this name is about to be installed."""
        ...

    async def removed(self, name: str) -> None:
        """It is gone."""
        ...


class Twins:
    """The twins of one run, installed when they are first needed and all removed by `remove_all`."""

    def __init__(
        self,
        manifest: Manifest,
        vendor: VendorEmulator,
        front_door: FrontDoor,
        log: TwinLog,
        config: Mapping[str, JsonValue],
    ) -> None:
        self._manifest = manifest
        self._vendor = vendor
        self._front_door = front_door
        self._log = log
        self._config = config
        self._ready: dict[str, Twin] = {}
        self._all: dict[str, str] = {}
        self._credentials: dict[str, Credential] = {}

    async def bare(self, auth: Auth, config: Mapping[str, JsonValue] | None = None) -> Twin:
        """A new twin without credentials. Raises FrontDoorRefused when it cannot be installed."""
        name = NAME_PREFIX + new_id()[:16]
        wanted = self._settings(config or {})
        await self._log.announce(name)
        self._all[name] = ""
        installed = await self._front_door.install(
            self._manifest.slug, name, dict(wanted), auth.kind
        )
        self._all[name] = installed.integration_id
        return Twin(installed.integration_id, name, auth, wanted, installed)

    async def ready(self, auth: Auth, config: Mapping[str, JsonValue] | None = None) -> Twin:
        """A twin that is signed in, the same one for the same way to sign in and settings."""
        key = json.dumps([auth.kind, config or {}], sort_keys=True)
        if key not in self._ready:
            self._ready[key] = await self.configured(await self.bare(auth, config))
        return self._ready[key]

    async def configured(self, twin: Twin) -> Twin:
        """The same twin with an invented credential that the vendor admits, and webhook secrets.

        Raises FrontDoorRefused, NoSyntheticValue, TwinFailed.
        """
        kind = twin.auth.kind
        if kind not in self._credentials:
            self._credentials[kind] = invent(twin.auth, self._vendor.address)
        credential = self._credentials[kind]
        self._vendor.door.admit(credential)
        signer = self.signer(twin.config)
        proof = dict(signer.fields) if signer is not None else {}
        self._front_door.evidence.hide((*credential.secrets, *proof.values()))
        given: dict[str, JsonValue] = {**credential.fields, **proof}
        if given:
            await self._front_door.configure(
                twin.integration_id, credentials=given, auth=twin.auth.kind
            )
        installed = await self._stored(twin, needed=bool(credential.fields))
        return replace(twin, credential=credential, signer=signer, installed=installed)

    async def fresh(self, auth: Auth, config: Mapping[str, JsonValue] | None = None) -> Twin:
        """A signed-in twin of one check's own: nothing that happened to another bears on it."""
        return await self.configured(await self.bare(auth, config))

    def signer(self, config: Mapping[str, JsonValue]) -> Signer | None:
        """A signer of webhooks with new secrets; None where there are none, or only the vendor can sign."""
        if self._manifest.webhook is None:
            return None
        try:
            return signer_for(self._manifest.webhook.verify, config)
        except Unsignable:
            return None

    async def remove(self, twin: Twin) -> None:
        """Uninstall one twin."""
        await self._remove(twin.name, twin.integration_id)

    async def remove_all(self) -> None:
        """Uninstall every twin; one that cannot be removed now is left to the sweep."""
        for name, integration_id in list(self._all.items()):
            if not integration_id:
                continue
            try:
                await self._remove(name, integration_id)
            except JackfieldError as error:
                log.warning("twin_left_behind", twin=name, error=str(error))

    async def _remove(self, name: str, integration_id: str) -> None:
        await self._front_door.uninstall(integration_id)
        self._all.pop(name, None)
        await self._log.removed(name)

    async def _stored(self, twin: Twin, *, needed: bool) -> Installed:
        deadline = time.monotonic() + _STORED_SECONDS
        while True:
            installed = await self._front_door.installed(twin.integration_id)
            status = installed.credential_status
            if status == "stored" or not needed or isinstance(twin.auth, NoAuth):
                return installed
            if status == "failed":
                raise TwinFailed("the vault refused the credential")
            if time.monotonic() > deadline:
                raise TwinFailed(
                    f"the credential is {status or 'unknown'} after {_STORED_SECONDS:g} s"
                )
            await asyncio.sleep(0.05)

    def _settings(self, config: Mapping[str, JsonValue]) -> JsonObject:
        """Settings of a twin: what the recording needs, what the connector requires, the emulator."""
        properties = self._manifest.config.get("properties")
        known = properties if isinstance(properties, dict) else {}
        required = self._manifest.config.get("required")
        settings = dict(config)
        for name in required if isinstance(required, list) else []:
            if isinstance(name, str) and name not in settings:
                schema = known.get(name)
                settings[name] = self._config.get(
                    name, example_of(schema) if isinstance(schema, dict) else "example"
                )
        settings["base_url"] = self._vendor.base_url(settings)
        return settings


async def sweep(front_door: FrontDoor, names: frozenset[str], twin_log: TwinLog) -> int:
    """Uninstall the twins with these names, which a process left behind; returns how many it found.

    Raises FrontDoorAway; one that the API refuses to remove is tried again at the next sweep.
    """
    found: dict[str, str] = {}
    async for one in front_door.all_installed():
        if one.name in names:
            found[one.name] = one.integration_id
    for name in names:
        try:
            if name in found:
                await front_door.uninstall(found[name])
        except FrontDoorRefused as refused:
            log.warning("twin_left_behind", twin=name, error=str(refused))
        else:
            await twin_log.removed(name)
    return len(found)


def sign_ins(manifest: Manifest) -> tuple[Auth, ...]:
    """The ways to sign in that can be tried, the secret URL last: it has no base URL of its own."""
    return tuple(sorted(manifest.auth, key=lambda auth: isinstance(auth, SecretUrl)))
