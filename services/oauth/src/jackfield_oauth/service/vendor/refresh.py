"""Renewal of what a vendor's authorization server gave: one refresher a credential.

    asked for, or due → intent committed (version, by whom, until when) → the call → outcome committed

No row is locked during the call. The topic's partitions see to it that one process renews a credential;
should its partition move while it calls, the intent keeps the next one away until the call has ended. A
process that dies in between leaves the intent: the next one knows that the refresh token may have been
spent. It tries once more, since a vendor may not have seen the request, or may repeat a lost answer; when
the token is refused then, the user is asked to reconnect, and told why.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import structlog
from prometheus_client import Counter

from jackfield_common.database import Connection
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import RefreshRequested
from jackfield_common.events.message import now
from jackfield_common.outbox import Outbox
from jackfield_oauth.models import CredentialStatus, KeptCredential, Spending
from jackfield_oauth.repository.credentials import Credentials
from jackfield_oauth.service.fields import Fields, text
from jackfield_oauth.service.vault import Vault
from jackfield_oauth.service.vendor.exchange import TIMEOUT, CutOff, Exchange, NotSent
from jackfield_oauth.service.vendor.provider import Provider, Providers
from jackfield_oauth.service.vendor.tokens import Granted, Refused

log = structlog.get_logger(__name__)

REFRESHES: Final = Counter(
    "jackfield_oauth_refreshes_total", "Renewals at vendors, by outcome", ["outcome"]
)
_SPENDING: Final = timedelta(seconds=TIMEOUT + 5)
_AGAIN_SECONDS: Final = 120.0
_AT_ONCE: Final = 100
_PASSING: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


class Owned(Protocol):
    """The piece of work that a renewal is."""

    def check(self) -> None:
        """Raises Fenced when no call may be started any more."""
        ...

    async def fence(self, connection: Connection) -> None:
        """Raises Fenced inside a transaction of a process whose time is over."""
        ...

    async def store(self, effect: Callable[[Connection], Awaitable[None]]) -> None:
        """Runs an effect in a fenced transaction, as often as it takes."""
        ...


class Refresher:
    """Renews credentials."""

    def __init__(
        self,
        instance: str,
        outbox: Outbox,
        credentials: Credentials,
        vault: Vault,
        providers: Providers,
        exchange: Exchange,
    ) -> None:
        self._instance = instance
        self._outbox = outbox
        self._credentials = credentials
        self._vault = vault
        self._providers = providers
        self._exchange = exchange

    async def carry_out(self, request: RefreshRequested, work: Owned) -> None:
        """Renew a credential, unless it was renewed since it was asked for.

        Raises Failure for what may succeed later, Fenced when another process owns the work.
        """
        begun = await self._begin(request, work)
        if begun is None:
            return
        kept, fields, provider, unsure = begun
        work.check()
        try:
            granted = await self._call(provider, fields)
        except NotSent as error:
            await work.store(self._unspent(kept))
            REFRESHES.labels("not_sent").inc()
            raise Failure(ErrorKind.CONNECTION, f"{provider.title}: {error}") from None
        except CutOff as error:
            REFRESHES.labels("unknown").inc()
            raise Failure(ErrorKind.TIMEOUT, f"{provider.title}: {error}") from None
        except Refused as refused:
            if refused.error in _PASSING:
                await work.store(self._unspent(kept))
                raise Failure(ErrorKind.UNAVAILABLE, f"{provider.title}: {refused}") from None
            REFRESHES.labels("refused").inc()
            await work.store(self._refused(kept, provider, refused, unsure=unsure))
        else:
            REFRESHES.labels("renewed").inc()
            await work.store(self._renewed(kept, fields, granted))
        self._outbox.wake()

    async def ask_for_due(self) -> int:
        """Ask for the renewal of what is due, each through its partition; returns how many."""
        async with self._outbox.transaction() as connection:
            due = await self._credentials.take_due(
                connection, again_seconds=_AGAIN_SECONDS, limit=_AT_ONCE
            )
            for kept in due:
                request = RefreshRequested(
                    tenant=kept.tenant,
                    integration_id=kept.integration_id,
                    credential_version=kept.version,
                )
                await self._outbox.put(connection, request)
        return len(due)

    async def _begin(
        self, request: RefreshRequested, work: Owned
    ) -> tuple[KeptCredential, Fields, Provider, bool] | None:
        """The credential, its intent committed; None when there is nothing to do."""
        async with self._outbox.transaction() as connection:
            kept = await self._wanted(connection, request, work)
        if kept is None:
            return None
        provider = await self._providers.find(kept.connector)
        async with self._outbox.transaction() as connection:
            kept = await self._wanted(connection, request, work)
            if kept is None:
                return None
            fields = self._vault.opened(kept)
            if provider.auth.grant == "authorization_code" and not text(fields, "refresh_token"):
                await self._vault.lose(
                    connection, kept, f"{provider.title} gave no refresh token: sign in again"
                )
                return None
            unsure = kept.spending is not None and kept.spending.version == kept.version
            intent = Spending(kept.version, self._instance, now() + _SPENDING)
            kept = replace(kept, spending=intent)
            await self._vault.note(connection, kept)
            return kept, fields, provider, unsure

    async def _wanted(
        self, connection: Connection, request: RefreshRequested, work: Owned
    ) -> KeptCredential | None:
        """The credential, locked, if it still is the one that was asked for and nobody renews it.

        Raises Failure while another process may still be renewing it.
        """
        await work.fence(connection)
        kept = await self._vault.locked(connection, request.integration_id)
        if (
            kept is None
            or kept.sealed is None
            or kept.tenant != request.tenant
            or kept.version > request.credential_version
            or kept.status is CredentialStatus.RECONNECT
        ):
            return None
        spending, time = kept.spending, now()
        if spending is not None and spending.by != self._instance and spending.until > time:
            raise Failure(
                ErrorKind.UNAVAILABLE,
                "another process may still be renewing it",
                retry_after=(spending.until - time).total_seconds(),
            )
        return kept

    async def _call(self, provider: Provider, fields: Fields) -> Granted:
        if provider.auth.grant == "client_credentials":
            return await self._exchange.client_credentials(provider, fields)
        return await self._exchange.refresh(provider, fields)

    def _renewed(
        self, began: KeptCredential, fields: Fields, granted: Granted
    ) -> Callable[[Connection], Awaitable[None]]:
        async def effect(connection: Connection) -> None:
            kept = await self._still(connection, began)
            if kept is not None:
                time = now()
                merged = granted.merged(fields, time)
                await self._vault.renew(connection, kept, merged, granted.refresh_at(time))

        return effect

    def _refused(
        self, began: KeptCredential, provider: Provider, refused: Refused, *, unsure: bool
    ) -> Callable[[Connection], Awaitable[None]]:
        reason = f"{provider.title} does not accept the grant any more ({refused})"
        if unsure:
            reason = (
                f"the answer to an earlier renewal was lost on its way, and {provider.title} does not"
                f" accept the same refresh token twice ({refused})"
            )

        async def effect(connection: Connection) -> None:
            kept = await self._still(connection, began)
            if kept is not None:
                await self._vault.lose(connection, kept, reason)

        return effect

    def _unspent(self, began: KeptCredential) -> Callable[[Connection], Awaitable[None]]:
        async def effect(connection: Connection) -> None:
            kept = await self._still(connection, began)
            if kept is not None:
                await self._vault.note(connection, replace(kept, spending=None))

        return effect

    async def _still(self, connection: Connection, began: KeptCredential) -> KeptCredential | None:
        """The credential, unless it was replaced or deleted during the call."""
        kept = await self._vault.locked(connection, began.integration_id)
        if kept is None or kept.sealed is None or kept.version != began.version:
            log.info("renewal_came_too_late", integration_id=began.integration_id)
            return None
        return kept
