"""Rows of people: users, invitations, browser sessions, failed sign-ins."""

from datetime import datetime
from typing import Final

import asyncpg

from jackfield_common.database import Connection, Pool
from jackfield_common.ids import TenantId
from jackfield_oauth.models import Invitation, Person, Role, SignedIn

_PERSON: Final = "user_id, tenant, email, name, role, password_digest, disabled_at"


class People:
    """The tables of people."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_email(self, email: str) -> Person | None:
        """The user with this address, in any case."""
        row = await self._pool.fetchrow(
            f"SELECT {_PERSON} FROM person WHERE lower(email) = lower($1)",  # noqa: S608
            email,
        )
        return None if row is None else _person(row)

    async def by_id(self, user_id: str, connection: Connection | None = None) -> Person | None:
        """The user with this id."""
        row = await (connection or self._pool).fetchrow(
            f"SELECT {_PERSON} FROM person WHERE user_id = $1",  # noqa: S608
            user_id,
        )
        return None if row is None else _person(row)

    async def any(self) -> bool:
        """Whether there is a user at all."""
        return bool(await self._pool.fetchval("SELECT EXISTS (SELECT FROM person)"))

    async def insert(self, connection: Connection, person: Person) -> bool:
        """Add a user; returns whether the address was free."""
        return bool(
            await connection.fetchval(
                "INSERT INTO person (user_id, tenant, email, name, role, password_digest)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true",
                person.user_id,
                person.tenant,
                person.email,
                person.name,
                person.role.value,
                person.password_digest,
            )
        )

    async def invite(self, connection: Connection, invitation: Invitation) -> None:
        """Keep an invitation."""
        await connection.execute(
            "INSERT INTO invitation (token_digest, tenant, email, role, expires_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            invitation.token_digest,
            invitation.tenant,
            invitation.email,
            invitation.role.value,
            invitation.expires_at,
        )

    async def invitation(self, token_digest: bytes) -> Invitation | None:
        """The open invitation with this token."""
        row = await self._pool.fetchrow(
            "SELECT token_digest, tenant, email, role, expires_at FROM invitation"
            " WHERE token_digest = $1 AND used_at IS NULL AND expires_at > now()",
            token_digest,
        )
        return None if row is None else _invitation(row)

    async def use_invitation(self, connection: Connection, token_digest: bytes) -> bool:
        """Use an invitation up; returns whether it was still open."""
        return bool(
            await connection.fetchval(
                "UPDATE invitation SET used_at = now() WHERE token_digest = $1"
                " AND used_at IS NULL AND expires_at > now() RETURNING true",
                token_digest,
            )
        )

    async def start_session(
        self, connection: Connection, digest: bytes, user_id: str, expires_at: datetime
    ) -> None:
        """Keep a browser session."""
        await connection.execute("DELETE FROM browser_session WHERE expires_at < now()")
        await connection.execute(
            "INSERT INTO browser_session (session_digest, user_id, expires_at) VALUES ($1, $2, $3)",
            digest,
            user_id,
            expires_at,
        )

    async def end_session(self, digest: bytes) -> None:
        """Forget a browser session."""
        await self._pool.execute("DELETE FROM browser_session WHERE session_digest = $1", digest)

    async def session(self, digest: bytes) -> SignedIn | None:
        """Who is signed in with this session; nobody whose account is disabled."""
        row = await self._pool.fetchrow(
            f"SELECT {_PERSON}, signed_in_at FROM browser_session JOIN person USING (user_id)"  # noqa: S608
            " WHERE session_digest = $1 AND expires_at > now() AND disabled_at IS NULL",
            digest,
        )
        return None if row is None else SignedIn(_person(row), row["signed_in_at"])

    async def failures(self, subject: bytes, seconds: float) -> int:
        """How often signing in failed for a subject within the last `seconds`."""
        return int(
            await self._pool.fetchval(
                "SELECT count(*) FROM sign_in_failure WHERE subject_digest = $1"
                " AND failed_at > now() - $2 * interval '1 second'",
                subject,
                seconds,
            )
        )

    async def note_failure(self, subjects: list[bytes], keep_seconds: float) -> None:
        """Note a failed sign-in for each subject, and forget old ones."""
        await self._pool.execute(
            "INSERT INTO sign_in_failure (subject_digest) SELECT unnest($1::bytea[])", subjects
        )
        await self._pool.execute(
            "DELETE FROM sign_in_failure WHERE failed_at < now() - $1 * interval '1 second'",
            keep_seconds,
        )


def _person(row: asyncpg.Record) -> Person:
    return Person(
        user_id=row["user_id"],
        tenant=TenantId(row["tenant"]),
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        password_digest=row["password_digest"],
        disabled=row["disabled_at"] is not None,
    )


def _invitation(row: asyncpg.Record) -> Invitation:
    return Invitation(
        token_digest=row["token_digest"],
        tenant=TenantId(row["tenant"]),
        email=row["email"],
        role=Role(row["role"]),
        expires_at=row["expires_at"],
    )
