"""What other services own, as routing needs it: integrations and the sources of their connectors.

Topics are unordered among themselves: a delivery can arrive before the integration it is for. What is
not known is waited for, shortly here and then by the lane; only what was deleted is not found.
"""

from typing import Final, Protocol, TypeVar

from jackfield_common.errors import ErrorKind, Failure, StaleRead
from jackfield_common.events import IntegrationState, ManifestState
from jackfield_common.events.message import State
from jackfield_common.ids import IntegrationId, Slug, TenantId
from jackfield_webhooks.service.sources import Source, Sources

S = TypeVar("S", bound=State)
S_co = TypeVar("S_co", bound=State, covariant=True)

WAIT_SECONDS: Final = 2.0


class States(Protocol[S_co]):
    """A read model, as far as it is needed here."""

    def get(self, key: str) -> S_co | None:
        """The state of one entity."""
        ...

    def deleted(self, key: str) -> bool:
        """Whether the entity is known to have been deleted."""
        ...

    async def wait_for(self, key: str, version: int, timeout: float) -> S_co:
        """The state at this version or later. Raises StaleRead."""
        ...


class Catalogue:
    """Integrations, and the webhook sources behind them. `wait` is in seconds."""

    def __init__(
        self,
        integrations: States[IntegrationState],
        manifests: States[ManifestState],
        *,
        wait: float = WAIT_SECONDS,
    ) -> None:
        self._integrations = integrations
        self._manifests = manifests
        self._sources = Sources()
        self._wait = wait

    async def integration(
        self, tenant: TenantId, integration_id: IntegrationId
    ) -> IntegrationState:
        """An integration of a tenant.

        Raises Failure: NOT_FOUND when it was deleted or is another tenant's, UNAVAILABLE, which is
        retried, when it is not known yet.
        """
        state = await self._known(self._integrations, integration_id, "integration")
        if state.tenant != tenant:
            raise Failure(
                ErrorKind.NOT_FOUND, f"the tenant {tenant} has no integration {integration_id}"
            )
        return state

    async def manifest(self, connector: Slug) -> ManifestState:
        """A connector's manifest; raises as `integration`."""
        return await self._known(self._manifests, connector, "connector")

    async def source(self, connector: Slug) -> Source | None:
        """A connector as a source of webhooks, None when it is none; raises as `integration`."""
        return self._sources.of(await self.manifest(connector))

    def source_now(self, integration_id: str) -> Source | None:
        """The source behind an integration as far as it is known now, without waiting."""
        integration = self._integrations.get(integration_id)
        manifest = None if integration is None else self._manifests.get(integration.connector)
        return None if manifest is None else self._sources.of(manifest)

    async def _known(self, states: States[S], key: str, what: str) -> S:
        if (state := states.get(key)) is not None:
            return state
        try:
            return await states.wait_for(key, 1, self._wait)
        except StaleRead:
            if states.deleted(key):
                raise Failure(ErrorKind.NOT_FOUND, f"the {what} {key} was removed") from None
            raise Failure(
                ErrorKind.UNAVAILABLE, f"the {what} {key} is not known here yet", retry_after=1.0
            ) from None
