"""Installing, configuring and removing integrations."""

import hmac
import json
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from jackfield_common.events.credential import ConnectionRequested
from jackfield_common.events.health import Health, HealthState
from jackfield_common.events.integration import IntegrationState, SealedSecret
from jackfield_common.events.message import JsonObject, now
from jackfield_common.ids import IntegrationId, new_id
from jackfield_common.sealing import Keys, SealError
from jackfield_common.topics import INTEGRATION, Service
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.integration import (
    ConfigureRequest,
    InstalledIntegration,
    InstalledPage,
    InstallRequest,
    Integration,
    IntegrationHealth,
)
from jackfield_gateway.models.problem import Absent, Conflict, Invalid, invalid
from jackfield_gateway.repository.store import Store, Transaction
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.catalogue import Catalogue, Template
from jackfield_gateway.service.configuration import (
    WEBHOOK_PATH,
    Configurations,
    overlaid,
    webhook_path,
)
from jackfield_gateway.service.cursor import read_time_cursor, time_cursor
from jackfield_gateway.service.installed import InstalledView
from jackfield_gateway.service.ports import View
from jackfield_gateway.service.sign_in import Given, SignIns
from jackfield_gateway.service.visibility import become_visible

LIVE_SECRETS: Final = 2
"""Of each webhook secret: the current one, and the previous one during a rotation."""


def absent(integration_id: str) -> Absent:
    """No such installation."""
    return Absent(
        f"There is no integration {integration_id!r}: GET /api/marketplace/installed lists them."
    )


class Installations:
    """The installed integrations of every tenant."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        configurations: Configurations,
        sign_ins: SignIns,
        view: InstalledView,
        keys: Keys,
        integrations: View[IntegrationState],
        health: View[HealthState],
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._configurations = configurations
        self._sign_ins = sign_ins
        self._view = view
        self._keys = keys
        self._integrations = integrations
        self._health = health

    async def install(self, actor: Actor, wanted: InstallRequest) -> InstalledIntegration:
        """Install a template. Raises Absent, Invalid naming the field, NotReady."""
        template = self._catalogue.template(wanted.template_name)
        way = template.sign_in(wanted.auth)
        if way is None:
            kinds = ", ".join(way.kind for way in template.manifest.auth)
            raise invalid("auth", f"give one of {kinds}")
        preset = template.preset
        config = overlaid(preset.default_config if preset else {}, wanted.config_overrides)
        await self._configurations.check(template.manifest, preset, config, "config_overrides")
        at = now()
        one = Integration(
            integration_id=IntegrationId(new_id()),
            tenant=actor.tenant,
            template=wanted.template_name,
            connector=template.manifest.slug,
            name=wanted.custom_name or (preset.title if preset else template.manifest.title),
            config=config,
            auth=way.kind,
            enabled=True,
            webhook_secrets=(),
            credential_version=0,
            credential_status="none",
            credential_message="",
            version=1,
            created_at=at,
            updated_at=at,
        )
        async with self._store.transaction() as tx:
            if not await tx.integrations.add(one, webhook_path(config)):
                raise _path_taken("config_overrides")
            await tx.publish(one.state())
            await tx.publish(
                allowed(
                    actor, "integration.install", _resource(one), {"template": wanted.template_name}
                )
            )
        await become_visible(self._integrations, one.integration_id, one.version)
        return self._view.of(one)

    async def configure(self, actor: Actor, wanted: ConfigureRequest) -> InstalledIntegration:
        """Change an installation. Raises Absent, Invalid naming the field, NotReady."""
        async with self._store.statements() as tx:
            before = await tx.integrations.find(actor.tenant, wanted.integration_id)
        if before is None:
            raise absent(wanted.integration_id)
        # Checked before the row is locked: looking up a host's address may take a while.
        template = self._catalogue.template(before.template)
        given = await self._sign_ins.check(
            template.manifest, before.auth, wanted.auth, wanted.credentials
        )
        if wanted.config is not None:
            await self._check_config(template, before, wanted)
        async with self._store.transaction() as tx:
            one = await tx.integrations.lock(actor.tenant, wanted.integration_id)
            if one is None:
                raise absent(wanted.integration_id)
            if wanted.config is not None and one.config != before.config:
                raise Conflict(
                    "Somebody else changed the configuration at the same time: try again."
                )
            after = self._changed(one, wanted, given)
            if after == one and not given.sign_in:
                return self._view.of(one)
            after = after.model_copy(update={"version": one.version + 1, "updated_at": now()})
            if given.sign_in and given.auth is not None:
                after = await self._request_connection(tx, after, given.auth, given.sign_in)
            if not await tx.integrations.update(after, webhook_path(after.config)):
                raise _path_taken("config")
            await tx.publish(after.state())
            detail: JsonObject = {
                "fields": [*sorted(wanted.credentials)],
                "config": [*sorted(wanted.config or {})],
                "enabled": after.enabled,
            }
            await tx.publish(allowed(actor, "integration.configure", _resource(after), detail))
        await become_visible(self._integrations, after.integration_id, after.version)
        return self._view.of(after)

    async def uninstall(self, actor: Actor, integration_id: str, *, disable_routes: bool) -> None:
        """Remove an installation and its credential.

        Routes that use it are disabled, or stand in the way. Raises Absent, Conflict, NotReady.
        """
        async with self._store.transaction() as tx:
            one = await tx.integrations.lock(actor.tenant, integration_id)
            if one is None:
                raise absent(integration_id)
            routes = await tx.routes.lock_using(actor.tenant, integration_id)
            live = [route for route in routes if route.enabled]
            if live and not disable_routes:
                names = ", ".join(
                    f"{route.name!r} ({route.subscription_id})" for route in live[:10]
                )
                raise Conflict(
                    f"{len(live)} enabled routes use this integration: {names}. Disable or delete"
                    " them first, or repeat with ?routes=disable."
                )
            for route in live:
                stopped = route.model_copy(
                    update={"enabled": False, "version": route.version + 1, "updated_at": now()}
                )
                await tx.routes.update(stopped)
                await tx.publish(stopped.state())
            await tx.integrations.remove(one.integration_id)
            await tx.retract(INTEGRATION, one.integration_id, one.version + 1)
            if one.credential_version > 0:
                await tx.publish(
                    ConnectionRequested(
                        tenant=one.tenant,
                        integration_id=one.integration_id,
                        connector=one.connector,
                        auth=one.auth or "none",
                        credential_version=one.credential_version + 1,
                        delete=True,
                    )
                )
            await tx.publish(
                allowed(
                    actor,
                    "integration.uninstall",
                    _resource(one),
                    {"disabled_routes": [route.subscription_id for route in live]},
                )
            )

    async def get(self, actor: Actor, integration_id: str) -> InstalledIntegration:
        """One installation. Raises Absent, NotReady."""
        return self._view.of(await self.find(actor, integration_id))

    async def find(self, actor: Actor, integration_id: str) -> Integration:
        """One installation's row. Raises Absent, NotReady."""
        async with self._store.statements() as tx:
            one = await tx.integrations.find(actor.tenant, integration_id)
        if one is None:
            raise absent(integration_id)
        return one

    async def page(self, actor: Actor, limit: int, cursor: str | None) -> InstalledPage:
        """Installations, oldest first. Raises Invalid for a bad cursor, NotReady."""
        after = read_time_cursor(cursor)
        async with self._store.statements() as tx:
            found = await tx.integrations.page(actor.tenant, after, limit + 1)
        shown = found[:limit]
        return InstalledPage(
            items=tuple(self._view.of(one) for one in shown),
            next_cursor=time_cursor(shown[-1].created_at, shown[-1].integration_id)
            if len(found) > limit
            else None,
        )

    async def health(self, actor: Actor, integration_id: str) -> IntegrationHealth:
        """How an installation does. Raises Absent, NotReady."""
        one = await self.find(actor, integration_id)
        state = self._health.get(one.integration_id) or HealthState(
            tenant=one.tenant,
            version=1,
            integration_id=one.integration_id,
            status=Health.UNKNOWN,
            message="Nothing was called or checked yet.",
        )
        return IntegrationHealth.model_validate(state, from_attributes=True)

    async def _check_config(
        self, template: Template, before: Integration, wanted: ConfigureRequest
    ) -> None:
        config = overlaid(before.config, wanted.config or {})
        await self._configurations.check(template.manifest, template.preset, config, "config")

    def _changed(self, one: Integration, wanted: ConfigureRequest, given: Given) -> Integration:
        update: dict[str, object] = {}
        if wanted.config is not None:
            update["config"] = overlaid(one.config, wanted.config)
        if wanted.custom_name is not None:
            update["name"] = wanted.custom_name
        if wanted.enabled is not None:
            update["enabled"] = wanted.enabled
        if given.auth is not None:
            update["auth"] = given.auth
            if given.auth != one.auth and not given.sign_in:
                raise invalid("auth", "give the credentials of this way to sign in as well")
        secrets = self._rotated(one.webhook_secrets, given.webhook)
        if wanted.retire_webhook_secret:
            secrets = _newest(secrets, 1)
        update["webhook_secrets"] = secrets
        return one.model_copy(update=update)

    def _rotated(
        self, secrets: tuple[SealedSecret, ...], values: Mapping[str, SecretStr]
    ) -> tuple[SealedSecret, ...]:
        for label, value in values.items():
            content = value.get_secret_value().encode()
            current = next((secret for secret in secrets if secret.label == label), None)
            if current is not None and self._holds(current, content):
                continue
            secrets = (self._keys.seal(Service.GATEWAY, label, content), *secrets)
        return _newest(secrets, LIVE_SECRETS)

    def _holds(self, secret: SealedSecret, content: bytes) -> bool:
        try:
            return hmac.compare_digest(self._keys.open(secret), content)
        except SealError:
            return False  # sealed to a key that was retired since: seal it anew

    async def _request_connection(
        self, tx: Transaction, one: Integration, auth: str, values: Mapping[str, SecretStr]
    ) -> Integration:
        # Sealed to the vault: from here on nothing in this service can read it.
        content = json.dumps({name: value.get_secret_value() for name, value in values.items()})
        version = one.credential_version + 1
        await tx.publish(
            ConnectionRequested(
                tenant=one.tenant,
                integration_id=one.integration_id,
                connector=one.connector,
                auth=auth,
                credential_version=version,
                sealed=self._keys.seal(Service.OAUTH, "credential", content.encode()),
            )
        )
        return one.model_copy(
            update={
                "credential_version": version,
                "credential_status": "pending",
                "credential_message": "",
            }
        )


def _newest(secrets: tuple[SealedSecret, ...], live: int) -> tuple[SealedSecret, ...]:
    seen: dict[str, int] = {}
    kept: list[SealedSecret] = []
    for secret in secrets:
        seen[secret.label] = seen.get(secret.label, 0) + 1
        if seen[secret.label] <= live:
            kept.append(secret)
    return tuple(kept)


def _path_taken(root: str) -> Invalid:
    return invalid(f"{root}.{WEBHOOK_PATH}", "another integration has this path: choose another")


def _resource(one: Integration) -> str:
    return f"integration:{one.integration_id}"
