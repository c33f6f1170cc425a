"""Revoked tokens: kept, published, and forgotten once they would have expired anyway.

Once a second a heartbeat takes the same way as a revocation does, through the outbox: while it is heard,
revocations are heard; when it falls silent, nobody may conclude that nothing was revoked.
"""

from datetime import UTC, datetime
from typing import Final

from jackfield_common.database import Connection
from jackfield_common.events import RevocationState
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.outbox import Outbox
from jackfield_common.topics import REVOCATION
from jackfield_oauth.models import Revocation
from jackfield_oauth.repository.revocations import Revocations
from jackfield_oauth.repository.versions import next_version_if_older
from jackfield_oauth.service.access_tokens import AccessToken

HEARTBEAT: Final = "heartbeat"
HEARTBEAT_SECONDS: Final = 1.0
_CLOCK_SKEW_SECONDS: Final = 300.0
_FORGET_AT_ONCE: Final = 500


class RevokedTokens:
    """Revokes tokens, and lets everyone know."""

    def __init__(self, outbox: Outbox, table: Revocations) -> None:
        self._outbox = outbox
        self._table = table

    async def revoke(self, connection: Connection, token: AccessToken) -> None:
        """Revoke an access token; once more changes nothing."""
        expires_at = datetime.fromtimestamp(token.exp, UTC)
        await self.keep(connection, Revocation(token.jti, token.tenant, expires_at))

    async def keep(self, connection: Connection, revocation: Revocation) -> None:
        """Keep and publish a revocation; once more changes nothing."""
        if await self._table.insert(connection, revocation):
            state = RevocationState(
                tenant=revocation.tenant,
                version=1,
                jti=revocation.jti,
                expires_at=revocation.expires_at.timestamp(),
            )
            await self._outbox.put(connection, state)

    async def beat(self) -> None:
        """Publish the heartbeat, unless another replica just did."""
        async with self._outbox.transaction() as connection:
            version = await next_version_if_older(connection, HEARTBEAT, HEARTBEAT_SECONDS * 0.9)
            if version is not None:
                state = RevocationState(tenant=DEFAULT_TENANT, version=version, jti=HEARTBEAT)
                await self._outbox.put(connection, state)

    async def forget_expired(self) -> int:
        """Delete revocations of tokens that have expired for everyone, with tombstones; how many."""
        async with self._outbox.transaction() as connection:
            forgotten = await self._table.delete_expired(
                connection, grace_seconds=_CLOCK_SKEW_SECONDS, limit=_FORGET_AT_ONCE
            )
            for jti in forgotten:
                await self._outbox.delete(connection, REVOCATION, jti, 1)
        return len(forgotten)
