"""Rows of signing keys and hash keys: private parts stand in them sealed."""

from datetime import datetime
from typing import Final

import asyncpg

from jackfield_common.database import Connection, Pool
from jackfield_common.events import SealedSecret
from jackfield_oauth.models import SigningKey

_COLUMNS: Final = (
    "kid, algorithm, public, private, private_kid, created_at, signs_from, published_until"
)
_ROTATION_LOCK: Final = 0x6A6B6579


class SigningKeys:
    """The table of keys that sign tokens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def lock(self, connection: Connection) -> None:
        """One replica at a time makes, retires or publishes keys; held until the transaction ends."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ROTATION_LOCK)

    async def all(self, connection: Connection | None = None) -> list[SigningKey]:
        """Every key, by the time from which it signs."""
        rows = await (connection or self._pool).fetch(
            f"SELECT {_COLUMNS} FROM signing_key ORDER BY signs_from, created_at"  # noqa: S608
        )
        return [_signing_key(row) for row in rows]

    async def insert(self, connection: Connection, key: SigningKey) -> None:
        """Add a key."""
        await connection.execute(
            f"INSERT INTO signing_key ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",  # noqa: S608
            key.kid,
            key.algorithm,
            key.public,
            key.private.jwe,
            key.private.kid,
            key.created_at,
            key.signs_from,
            key.published_until,
        )

    async def publish_until(self, connection: Connection, kid: str, until: datetime) -> None:
        """Say when a key that no longer signs stops being published."""
        await connection.execute(
            "UPDATE signing_key SET published_until = $2 WHERE kid = $1", kid, until
        )

    async def delete_unpublished(self, connection: Connection, now: datetime) -> int:
        """Delete keys whose time is over; returns how many."""
        rows = await connection.fetch(
            "DELETE FROM signing_key WHERE published_until < $1 RETURNING kid", now
        )
        return len(rows)


class HashKeys:
    """The table of keys that secrets are hashed with."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get_or_insert(self, name: str, fresh: SealedSecret) -> SealedSecret:
        """The key kept under `name`; `fresh` is kept when there is none yet."""
        await self._pool.execute(
            "INSERT INTO hash_key (name, sealed, kid) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            name,
            fresh.jwe,
            fresh.kid,
        )
        row = await self._pool.fetchrow("SELECT sealed, kid FROM hash_key WHERE name = $1", name)
        assert row is not None
        return SealedSecret(label=fresh.label, kid=row["kid"], jwe=row["sealed"])


def _signing_key(row: asyncpg.Record) -> SigningKey:
    return SigningKey(
        kid=row["kid"],
        algorithm=row["algorithm"],
        public=row["public"],
        private=SealedSecret(label="signing-key", kid=row["private_kid"], jwe=row["private"]),
        created_at=row["created_at"],
        signs_from=row["signs_from"],
        published_until=row["published_until"],
    )
