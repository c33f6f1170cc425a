"""Rows of devices that wait for a person's word."""

from typing import Final

import asyncpg

from jackfield_common.database import Connection, Pool
from jackfield_oauth.models import Device
from jackfield_oauth.repository.grants import GRANT, grant_of

_DEVICE: Final = (
    "d.device_digest, d.user_digest, d.client_id AS device_client, d.scopes AS device_scopes,"
    " d.expires_at, d.interval_s, d.polled_at, d.denied_at, d.used_at"
)


class Devices:
    """The table of devices."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(self, connection: Connection, device: Device) -> None:
        """Keep a device; those that are over go."""
        await connection.execute(
            "DELETE FROM device_authorization WHERE expires_at < now() - interval '1 hour'"
        )
        await connection.execute(
            "INSERT INTO device_authorization (device_digest, user_digest, client_id, scopes,"
            " expires_at, interval_s) VALUES ($1, $2, $3, $4, $5, $6)",
            device.device_digest,
            device.user_digest,
            device.client_id,
            list(device.scopes),
            device.expires_at,
            device.interval,
        )

    async def polling(self, connection: Connection, device_digest: bytes) -> Device | None:
        """The device of this code, locked until the transaction ends; also one that is over."""
        row = await connection.fetchrow(
            f"SELECT {_DEVICE}, {GRANT} FROM device_authorization d"  # noqa: S608
            " LEFT JOIN access_grant g USING (grant_id) WHERE device_digest = $1 FOR UPDATE OF d",
            device_digest,
        )
        return None if row is None else _device(row)

    async def waiting(self, user_digest: bytes) -> Device | None:
        """The device of this user code that still waits for a word."""
        row = await self._pool.fetchrow(
            f"SELECT {_DEVICE}, NULL AS grant_id FROM device_authorization d"  # noqa: S608
            " WHERE user_digest = $1 AND expires_at > now() AND grant_id IS NULL"
            " AND denied_at IS NULL",
            user_digest,
        )
        return None if row is None else _device(row)

    async def allow(self, connection: Connection, device: Device, grant_id: str) -> bool:
        """A person allowed it; returns whether it still waited."""
        return bool(
            await connection.fetchval(
                "UPDATE device_authorization SET grant_id = $2 WHERE device_digest = $1"
                " AND expires_at > now() AND grant_id IS NULL AND denied_at IS NULL RETURNING true",
                device.device_digest,
                grant_id,
            )
        )

    async def deny(self, connection: Connection, device: Device) -> None:
        """A person refused it."""
        await connection.execute(
            "UPDATE device_authorization SET denied_at = now() WHERE device_digest = $1"
            " AND grant_id IS NULL",
            device.device_digest,
        )

    async def note_poll(self, connection: Connection, device_digest: bytes, interval: int) -> None:
        """It asked just now, and may ask again in `interval` seconds."""
        await connection.execute(
            "UPDATE device_authorization SET polled_at = now(), interval_s = $2"
            " WHERE device_digest = $1",
            device_digest,
            interval,
        )

    async def use(self, connection: Connection, device_digest: bytes) -> None:
        """It got its tokens."""
        await connection.execute(
            "UPDATE device_authorization SET used_at = now() WHERE device_digest = $1",
            device_digest,
        )


def _device(row: asyncpg.Record) -> Device:
    return Device(
        device_digest=row["device_digest"],
        user_digest=row["user_digest"],
        client_id=row["device_client"],
        scopes=tuple(row["device_scopes"]),
        expires_at=row["expires_at"],
        interval=row["interval_s"],
        polled_at=row["polled_at"],
        denied=row["denied_at"] is not None,
        used=row["used_at"] is not None,
        grant=None if row["grant_id"] is None else grant_of(row),
    )
