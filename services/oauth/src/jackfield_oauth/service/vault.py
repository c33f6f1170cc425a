"""The vault: keeps what users type, sealed to itself, and hands workers a copy sealed to them.

Versions never go back. The gateway numbers what users type (`requested_version`), the vault numbers what
it publishes (`version`): the two are equal until the vault renews a credential by itself. A request whose
number is not above the last one's has been carried out before, and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final, cast

from pydantic import JsonValue

from jackfield_common.database import Connection
from jackfield_common.errors import ErrorKind
from jackfield_common.events import (
    ConnectionCompleted,
    ConnectionRequested,
    CredentialState,
    SealedSecret,
)
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys, SealError
from jackfield_common.topics import CREDENTIAL, Service
from jackfield_oauth.models import KeptCredential
from jackfield_oauth.repository.credentials import Credentials

LABEL: Final = "credential"

Fence = Callable[[Connection], Awaitable[None]]
Fields = dict[str, JsonValue]


class Refused(Exception):
    """What was asked cannot be kept; the text says what to do, and holds nothing of the content."""


class Vault:
    """Keeps, renews, publishes and deletes credentials."""

    def __init__(self, keys: Keys, outbox: Outbox, credentials: Credentials) -> None:
        self._keys = keys
        self._outbox = outbox
        self._credentials = credentials

    async def carry_out(self, request: ConnectionRequested, fence: Fence) -> ConnectionCompleted:
        """Keep or delete as asked, once; returns, and publishes, what became of it.

        `fence` is called inside the transaction. Raises Fenced from it, and database errors.
        """
        async with self._outbox.transaction() as connection:
            await fence(connection)
            kept = await self._credentials.locked(connection, request.integration_id)
            try:
                if kept is not None and kept.tenant != request.tenant:
                    raise Refused("this integration belongs to another tenant")
                if request.delete:
                    version = await self._delete(connection, request, kept)
                else:
                    version = await self._keep(connection, request, kept)
            except Refused as refused:
                answer = _completed(request, request.credential_version, str(refused))
            else:
                answer = _completed(request, version)
            await self._outbox.put(connection, answer)
            return answer

    async def _keep(
        self, connection: Connection, request: ConnectionRequested, kept: KeptCredential | None
    ) -> int:
        if kept is not None and request.credential_version <= kept.requested_version:
            return kept.version
        fields = self._opened(request.sealed)
        version = max(request.credential_version, 0 if kept is None else kept.version + 1)
        await self._credentials.keep(
            connection,
            KeptCredential(
                integration_id=request.integration_id,
                tenant=request.tenant,
                connector=request.connector,
                auth=request.auth,
                version=version,
                requested_version=request.credential_version,
                sealed=self._sealed(fields),
            ),
        )
        await self._publish(
            connection, request.tenant, request.integration_id, request.auth, fields, version
        )
        return version

    async def _delete(
        self, connection: Connection, request: ConnectionRequested, kept: KeptCredential | None
    ) -> int:
        if kept is not None and request.credential_version < kept.requested_version:
            return kept.version
        version = max(request.credential_version, 0 if kept is None else kept.version)
        await self._credentials.keep(
            connection,
            KeptCredential(
                integration_id=request.integration_id,
                tenant=request.tenant,
                connector=request.connector,
                auth=request.auth,
                version=version,
                requested_version=request.credential_version,
                sealed=None,
            ),
        )
        await self._outbox.delete(connection, CREDENTIAL, request.integration_id, version)
        return version

    def _opened(self, sealed: SealedSecret | None) -> Fields:
        if sealed is None:
            raise Refused("the request holds no credential: enter the credential again")
        try:
            content = self._keys.open(sealed)
        except SealError:
            raise Refused(
                f"the credential was sealed to the key {sealed.kid}, which the vault does not hold:"
                " enter it again, and check that all services share one public.jwks"
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

    async def _publish(
        self,
        connection: Connection,
        tenant: TenantId,
        integration_id: IntegrationId,
        auth: str,
        fields: Fields,
        version: int,
    ) -> None:
        content = json.dumps({"auth": auth, "fields": fields}, separators=(",", ":")).encode()
        token = self._keys.sign(
            {
                "integration_id": integration_id,
                "version": version,
                "tenant": tenant,
                "jwe": self._keys.seal(Service.CONNECTORS, LABEL, content).jwe,
            }
        )
        state = CredentialState(
            tenant=tenant, integration_id=integration_id, version=version, token=token
        )
        await self._outbox.put(connection, state)


def _completed(
    request: ConnectionRequested, version: int, refused: str | None = None
) -> ConnectionCompleted:
    if refused is None:
        message = "The credential was deleted." if request.delete else "The credential is kept."
    else:
        message = refused
    return ConnectionCompleted(
        tenant=request.tenant,
        integration_id=request.integration_id,
        credential_version=version,
        success=refused is None,
        message=message,
        error=None if refused is None else ErrorKind.INVALID,
    )
