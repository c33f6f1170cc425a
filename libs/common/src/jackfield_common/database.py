"""PostgreSQL: one pool a service, one schema a service, numbered migrations that only go forward."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from jackfield_common.errors import NotReady
from jackfield_common.settings import Settings

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

log = structlog.get_logger(__name__)

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a killed server leaves the client's protocol in disorder
)
"""What a database that is away looks like; the work may be tried again when it is back."""

TRANSIENT: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
)
"""A transaction that failed for reasons outside of it: the same one may succeed at once."""

COMMAND_TIMEOUT: Final = 10.0
_MIGRATION: Final = re.compile(r"^(\d{4})_\w+\.sql$")
_MIGRATION_LOCK: Final = 0x6A61636B


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of a service's `migrations/`."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text: an applied migration never changes."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(package: str) -> list[Migration]:
    """The migrations in `<package>.migrations`, in order. Raises ValueError when a number is missing."""
    found: list[Migration] = []
    for file in resources.files(package).joinpath("migrations").iterdir():
        match = _MIGRATION.match(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text("utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{package}.migrations: numbers are not 0001, 0002, … without a gap")
    return found


async def _as_it_was(_connection: Connection) -> None:
    """Reset nothing at the server when a connection returns to its pool.

    asyncpg's own reset is a round trip after every use. What it would undo is not done here: no session
    settings, no LISTEN, no session-level advisory locks; open transactions are rolled back all the same.
    """


async def connect(settings: Settings, schema: str) -> Pool:
    """A pool whose connections look only into `schema`. Raises NotReady while PostgreSQL is away."""
    try:
        return await asyncpg.create_pool(
            settings.postgres_dsn.get_secret_value(),
            min_size=1,
            max_size=settings.postgres_pool,
            timeout=5,
            command_timeout=COMMAND_TIMEOUT,
            reset=_as_it_was,
            server_settings={"search_path": schema, "application_name": f"jackfield-{schema}"},
        )
    except AWAY as error:
        raise NotReady(f"PostgreSQL does not answer: {type(error).__name__}") from error


async def migrate(pool: Pool, schema: str, packages: tuple[str, ...]) -> int:
    """Bring `schema` up to date with the migrations of `packages`; returns how many were applied.

    Replicas that start together take turns. Raises RuntimeError when an applied migration was edited.
    """
    applied = 0
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        # Asked first, because IF NOT EXISTS alone wants the right to create schemas in the database,
        # which a service's login does not need where an administrator made its schema.
        if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", f'"{schema}"'):
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (package text, number int, name text, digest text,"
            " applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (package, number))"
        )
        for package in packages:
            done = {
                row["number"]: row["digest"]
                for row in await connection.fetch(
                    "SELECT number, digest FROM migration WHERE package = $1", package
                )
            }
            for migration in migrations_of(package):
                known = done.get(migration.number)
                if known is None:
                    await connection.execute(migration.sql)
                    await connection.execute(
                        "INSERT INTO migration (package, number, name, digest)"
                        " VALUES ($1, $2, $3, $4)",
                        package,
                        migration.number,
                        migration.name,
                        migration.digest,
                    )
                    applied += 1
                elif known != migration.digest:
                    raise RuntimeError(
                        f"{package} migration {migration.name} was edited after it was applied:"
                        " restore it and add a new one"
                    )
    return applied


async def open_database(settings: Settings, schema: str, packages: tuple[str, ...]) -> Pool:
    """Connect and migrate, waiting as long as PostgreSQL is away."""
    delay = 0.1
    while True:
        try:
            pool = await connect(settings, schema)
        except NotReady as error:
            log.warning("waiting_for_postgres", error=str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)
            continue
        try:
            await migrate(pool, schema, packages)
        except AWAY as error:
            await pool.close()
            log.warning("waiting_for_postgres", error=type(error).__name__)
            await asyncio.sleep(delay)
            continue
        except BaseException:
            await pool.close()
            raise
        return pool
