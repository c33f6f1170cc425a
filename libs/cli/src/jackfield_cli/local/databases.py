"""The product's database: one login and one schema per service, closed to each other."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.secret_files import kept, new_password

DATABASE = "jackfield"
_TIMEOUT_SECONDS = 10.0


def role_of(service: str) -> str:
    """The login of a service."""
    return f"jackfield_{service}"


def in_database(dsn: str, database: str = DATABASE) -> str:
    """The same server and login, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def prepare(admin_dsn: str, services: Iterable[str], passwords: Path) -> Mapping[str, str]:
    """Create database, logins and schemas where they are missing; service → its DSN.

    `admin_dsn` may create databases and roles. Passwords are kept in files under `passwords` and
    set anew each time, so that a restored database and a new state directory fit together.
    Raises `LocalError` when the server refuses.
    """
    try:
        return await _prepare(admin_dsn, tuple(services), passwords)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LocalError(
            f"PostgreSQL could not be set up: {error or type(error).__name__}.",
            "The login in JACKFIELD_POSTGRES_DSN must be able to create databases and roles.",
        ) from error


async def _prepare(admin_dsn: str, services: tuple[str, ...], passwords: Path) -> Mapping[str, str]:
    server = await asyncpg.connect(admin_dsn, timeout=_TIMEOUT_SECONDS)
    try:
        if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await server.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await server.close()
    dsns: dict[str, str] = {}
    connection = await asyncpg.connect(in_database(admin_dsn), timeout=_TIMEOUT_SECONDS)
    try:
        async with connection.transaction():
            await connection.execute(f'REVOKE ALL ON DATABASE "{DATABASE}" FROM PUBLIC')
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for service in services:
                password = await asyncio.to_thread(kept, passwords / service, new_password)
                await _login(connection, service, password)
                dsns[service] = _dsn(admin_dsn, role_of(service), password)
    finally:
        await connection.close()
    return dsns


async def _login(connection: "asyncpg.Connection", service: str, password: str) -> None:
    role = role_of(service)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f'CREATE ROLE "{role}"')
    # Utility statements take no parameters; the server does the quoting.
    quoted = await connection.fetchval("SELECT quote_literal($1)", password)
    await connection.execute(f'ALTER ROLE "{role}" LOGIN PASSWORD {quoted}')
    if not await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user"):
        # Only a member of a role may hand a schema over to it.
        await connection.execute(f'GRANT "{role}" TO CURRENT_USER')
    await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{DATABASE}" TO "{role}"')
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{service}"')
    await connection.execute(f'ALTER SCHEMA "{service}" OWNER TO "{role}"')
    await connection.execute(
        f'ALTER ROLE "{role}" IN DATABASE "{DATABASE}" SET search_path = "{service}"'
    )


def _dsn(admin_dsn: str, role: str, password: str) -> str:
    parts = urlsplit(in_database(admin_dsn))
    _, _, address = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password)}@{address}"))
