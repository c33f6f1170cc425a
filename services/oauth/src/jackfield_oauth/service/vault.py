"""The vault: keeps what users type, sealed to itself, and hands workers a copy sealed to them.

Versions never go back. The gateway numbers what users type (`requested_version`), the vault numbers what
it publishes (`version`): the two are equal until the vault renews a credential by itself. A request whose
number is not above the last one's has been carried out before, and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

from jackfield_common.database import Connection
from jackfield_common.errors import ErrorKind
from jackfield_common.events import (
    ConnectionCompleted,
    ConnectionRequested,
    CredentialState,
    RefreshRequested,
    SealedSecret,
)
from jackfield_common.ids import IntegrationId
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys, SealError
from jackfield_common.topics import CREDENTIAL, Service
from jackfield_oauth.models import CredentialStatus, KeptCredential
from jackfield_oauth.repository.credentials import Credentials
from jackfield_oauth.service.fields import Fields, text
from jackfield_oauth.service.vendor.links import Links
from jackfield_oauth.service.vendor.provider import KIND, Provider, Providers
from jackfield_oauth.service.vendor.tokens import WORKER_SEES_NOT

LABEL: Final = "credential"

Fence = Callable[[Connection], Awaitable[None]]


class Refused(Exception):
    """What was asked cannot be kept; the text says what to do, and holds nothing of the content."""


class Vault:
    """Keeps, renews, publishes and deletes credentials."""

    def __init__(
        self,
        keys: Keys,
        outbox: Outbox,
        credentials: Credentials,
        links: Links,
        providers: Providers,
    ) -> None:
        self._keys = keys
        self._outbox = outbox
        self._credentials = credentials
        self._links = links
        self._providers = providers

    async def carry_out(self, request: ConnectionRequested, fence: Fence) -> ConnectionCompleted:
        """Keep, delete or offer a sign-in as asked, once; returns, and publishes, what became of it.

        `fence` is called inside the transaction. Raises Fenced from it, Failure while the vendor's
        declaration is not known here, and database errors.
        """
        provider = None
        if request.auth == KIND and not request.delete:
            provider = await self._providers.find(request.connector)
        async with self._outbox.transaction() as connection:
            await fence(connection)
            kept = await self._credentials.locked(connection, request.integration_id)
            try:
                if kept is not None and kept.tenant != request.tenant:
                    raise Refused("this integration belongs to another tenant")
                if request.delete:
                    answer = await self._delete(connection, request, kept)
                elif request.authorize and request.sealed is None:
                    answer = await self._offer(connection, request, kept)
                else:
                    answer = await self._keep(connection, request, kept, provider)
            except Refused as refused:
                answer = ConnectionCompleted(
                    tenant=request.tenant,
                    integration_id=request.integration_id,
                    credential_version=request.credential_version,
                    success=False,
                    message=str(refused),
                    error=ErrorKind.INVALID,
                )
            await self._outbox.put(connection, answer)
            return answer

    async def locked(
        self, connection: Connection, integration_id: IntegrationId
    ) -> KeptCredential | None:
        """A credential, its row locked until the transaction ends."""
        return await self._credentials.locked(connection, integration_id)

    def opened(self, kept: KeptCredential) -> Fields:
        """The fields of a kept credential. Raises SealError when the vault's key is not there."""
        assert kept.sealed is not None, "it was deleted"
        return cast(Fields, json.loads(self._keys.open(kept.sealed)))

    async def note(self, connection: Connection, kept: KeptCredential) -> None:
        """Keep a change that workers need not know of."""
        await self._credentials.keep(connection, kept)

    async def renew(
        self,
        connection: Connection,
        kept: KeptCredential,
        fields: Fields,
        refresh_at: datetime | None,
    ) -> KeptCredential:
        """Keep and publish what a vendor's authorization server gave, as the next version."""
        renewed = replace(
            kept,
            version=kept.version + 1,
            sealed=self._sealed(fields),
            status=CredentialStatus.CONNECTED,
            reason="",
            refresh_at=refresh_at,
            spending=None,
        )
        await self._credentials.keep(connection, renewed)
        await self._publish(connection, renewed, fields)
        await self._outbox.put(connection, _completed(renewed, "The vendor gave new tokens."))
        return renewed

    async def lose(self, connection: Connection, kept: KeptCredential, reason: str) -> None:
        """The vendor took its grant back: keep why, and tell that the user has to sign in again."""
        lost = replace(
            kept,
            status=CredentialStatus.RECONNECT,
            reason=reason,
            refresh_at=None,
            spending=None,
        )
        await self._credentials.keep(connection, lost)
        answer = _completed(lost, f"Reconnect: {reason}")
        await self._outbox.put(
            connection, answer.model_copy(update={"success": False, "error": ErrorKind.AUTH})
        )

    async def _keep(
        self,
        connection: Connection,
        request: ConnectionRequested,
        kept: KeptCredential | None,
        provider: Provider | None,
    ) -> ConnectionCompleted:
        if kept is not None and request.credential_version <= kept.requested_version:
            if provider is not None and kept.status is CredentialStatus.KEPT:
                return await self._begin(connection, request, kept, provider)
            return _completed(kept, "This was done before.")
        fields = self._read(request.sealed)
        new = KeptCredential(
            integration_id=request.integration_id,
            tenant=request.tenant,
            connector=request.connector,
            auth=request.auth,
            version=max(request.credential_version, 0 if kept is None else kept.version + 1),
            requested_version=request.credential_version,
            sealed=self._sealed(fields),
        )
        if request.auth == KIND and text(fields, "access_token"):
            new = replace(new, status=CredentialStatus.CONNECTED)
        await self._credentials.keep(connection, new)
        await self._publish(connection, new, fields)
        if provider is None or new.status is CredentialStatus.CONNECTED:
            return _completed(new, "The credential is kept.")
        return await self._begin(connection, request, new, provider)

    async def _begin(
        self,
        connection: Connection,
        request: ConnectionRequested,
        new: KeptCredential,
        provider: Provider,
    ) -> ConnectionCompleted:
        if provider.auth.grant == "client_credentials":
            await self._outbox.put(
                connection,
                RefreshRequested(
                    tenant=new.tenant,
                    integration_id=new.integration_id,
                    credential_version=new.version,
                ),
            )
            return _completed(new, "The credential is kept; a token is being fetched.")
        link = await self._links.offer(connection, new, request.return_to)
        answer = _completed(new, "The credential is kept; sign in at the vendor to connect it.")
        return answer.model_copy(update={"authorization": link})

    async def _offer(
        self, connection: Connection, request: ConnectionRequested, kept: KeptCredential | None
    ) -> ConnectionCompleted:
        if kept is None or kept.sealed is None or kept.auth != KIND:
            raise Refused("there is no OAuth client to sign in with: enter client id and secret")
        link = await self._links.offer(connection, kept, request.return_to)
        answer = _completed(kept, "Sign in at the vendor to connect it.")
        return answer.model_copy(update={"authorization": link})

    async def _delete(
        self, connection: Connection, request: ConnectionRequested, kept: KeptCredential | None
    ) -> ConnectionCompleted:
        if kept is not None and request.credential_version < kept.requested_version:
            return _completed(kept, "A newer credential was given since.")
        gone = KeptCredential(
            integration_id=request.integration_id,
            tenant=request.tenant,
            connector=request.connector,
            auth=request.auth,
            version=max(request.credential_version, 0 if kept is None else kept.version),
            requested_version=request.credential_version,
            sealed=None,
            status=CredentialStatus.DELETED,
        )
        await self._credentials.keep(connection, gone)
        await self._links.withdraw(connection, gone)
        await self._outbox.delete(connection, CREDENTIAL, gone.integration_id, gone.version)
        return _completed(gone, "The credential was deleted.")

    def _read(self, sealed: SealedSecret | None) -> Fields:
        if sealed is None:
            raise Refused("the request holds no credential: enter the credential again")
        try:
            content = self._keys.open(sealed)
        except SealError:
            raise Refused(
                f"the credential was sealed to the key {sealed.kid[:100]}, which the vault does not"
                " hold: enter it again, and check that all services share one public.jwks"
            ) from None
        try:
            fields = json.loads(content)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise Refused("the sealed credential is not a JSON object of fields: enter it again")
        return cast(Fields, fields)

    def _sealed(self, fields: Fields) -> SealedSecret:
        content = json.dumps(fields, separators=(",", ":")).encode()
        return self._keys.seal(Service.OAUTH, LABEL, content)

    async def _publish(self, connection: Connection, kept: KeptCredential, fields: Fields) -> None:
        hidden = WORKER_SEES_NOT if kept.auth == KIND else frozenset[str]()
        visible = {name: value for name, value in fields.items() if name not in hidden}
        content = json.dumps({"auth": kept.auth, "fields": visible}, separators=(",", ":"))
        token = self._keys.sign(
            {
                "integration_id": kept.integration_id,
                "version": kept.version,
                "tenant": kept.tenant,
                "jwe": self._keys.seal(Service.CONNECTORS, LABEL, content.encode()).jwe,
            }
        )
        state = CredentialState(
            tenant=kept.tenant,
            integration_id=kept.integration_id,
            version=kept.version,
            token=token,
        )
        await self._outbox.put(connection, state)


def _completed(kept: KeptCredential, message: str) -> ConnectionCompleted:
    return ConnectionCompleted(
        tenant=kept.tenant,
        integration_id=kept.integration_id,
        credential_version=kept.version,
        success=True,
        message=message,
    )
