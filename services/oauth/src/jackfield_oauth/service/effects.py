"""Writes what the protocol decided, in the transaction of its request."""

from collections.abc import Sequence
from typing import assert_never

from jackfield_common.database import Connection
from jackfield_common.events import AuditRecorded
from jackfield_common.outbox import Outbox
from jackfield_oauth.repository.devices import Devices
from jackfield_oauth.repository.grants import Grants
from jackfield_oauth.service.protocol.facts import (
    Effect,
    KeepCode,
    KeepDevice,
    KeepGrantedToken,
    KeepRefreshToken,
    PollDevice,
    RevokeAccessToken,
    RevokeGrant,
    StartGrant,
    UseCode,
    UseDevice,
    UseRefreshToken,
)
from jackfield_oauth.service.revocations import RevokedTokens


class Effects:
    """Writes effects."""

    def __init__(
        self, outbox: Outbox, grants: Grants, devices: Devices, revoked: RevokedTokens
    ) -> None:
        self._outbox = outbox
        self._grants = grants
        self._devices = devices
        self._revoked = revoked

    async def write(self, connection: Connection, effects: Sequence[Effect]) -> None:
        """Write them in their order."""
        for effect in effects:
            await self._write(connection, effect)

    async def _write(self, connection: Connection, effect: Effect) -> None:
        match effect:
            case RevokeAccessToken(token):
                await self._revoked.revoke(connection, token)
            case RevokeGrant(grant, reason):
                for revocation in await self._grants.revoke(connection, grant.grant_id, reason):
                    await self._revoked.keep(connection, revocation)
                await self._record(connection, effect)
            case StartGrant(grant):
                await self._grants.start(connection, grant)
                await self._record(connection, effect)
            case KeepCode(code):
                await self._grants.keep_code(connection, code)
            case UseCode(digest):
                await self._grants.use_code(connection, digest)
            case KeepRefreshToken(digest, grant, expires_at):
                await self._grants.keep_refresh_token(
                    connection, digest, grant.grant_id, expires_at
                )
            case UseRefreshToken(digest):
                await self._grants.use_refresh_token(connection, digest)
            case KeepGrantedToken(jti, grant, expires_at):
                await self._grants.keep_granted_token(connection, jti, grant.grant_id, expires_at)
            case KeepDevice(device):
                await self._devices.insert(connection, device)
            case PollDevice(digest, interval):
                await self._devices.note_poll(connection, digest, interval)
            case UseDevice(digest):
                await self._devices.use(connection, digest)
            case _:
                assert_never(effect)

    async def _record(self, connection: Connection, effect: StartGrant | RevokeGrant) -> None:
        grant = effect.grant
        detail = {"client_id": grant.client_id, "scopes": " ".join(grant.scopes)}
        if isinstance(effect, RevokeGrant):
            detail["reason"] = effect.reason
        await self._outbox.put(
            connection,
            AuditRecorded(
                tenant=grant.tenant,
                actor=f"user:{grant.user_id}",
                operation="grant.start" if isinstance(effect, StartGrant) else "grant.revoke",
                resource=f"grant:{grant.grant_id}",
                allowed=True,
                detail=dict(detail),
            ),
        )
