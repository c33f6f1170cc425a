"""Links that start a sign-in at a vendor: made in the vault's transaction, sealed to the gateway."""

from datetime import timedelta
from typing import Final

from jackfield_common.database import Connection
from jackfield_common.events import SealedSecret
from jackfield_common.events.message import now
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from jackfield_oauth.models import KeptCredential, SignIn
from jackfield_oauth.repository.sign_ins import SignIns
from jackfield_oauth.service.secrets import SecretHash, new_secret

CONNECT_PATH: Final = "/oauth2/connect"
LIFETIME: Final = timedelta(minutes=10)
_TICKET: Final = "jf_si_"


class Links:
    """Makes links."""

    def __init__(self, issuer: str, keys: Keys, secrets: SecretHash, table: SignIns) -> None:
        self._issuer = issuer
        self._keys = keys
        self._secrets = secrets
        self._table = table

    async def offer(
        self, connection: Connection, kept: KeptCredential, return_to: str | None
    ) -> SealedSecret:
        """A link that lives ten minutes; earlier ones of this integration are over."""
        ticket = new_secret(_TICKET)
        await self._table.insert(
            connection,
            SignIn(
                ticket_digest=self._secrets.digest(ticket),
                integration_id=kept.integration_id,
                tenant=kept.tenant,
                requested_version=kept.requested_version,
                return_to=return_to,
                expires_at=now() + LIFETIME,
            ),
        )
        link = f"{self._issuer}{CONNECT_PATH}/{ticket}"
        return self._keys.seal(Service.GATEWAY, "authorization", link.encode())

    async def withdraw(self, connection: Connection, kept: KeptCredential) -> None:
        """No link of this integration is good any more."""
        await self._table.delete(connection, kept.integration_id)
