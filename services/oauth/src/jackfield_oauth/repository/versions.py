"""Versions of published states that have no row of their own."""

from jackfield_common.database import Connection


async def next_version(connection: Connection, name: str) -> int:
    """The next version of `name`; its row is locked until the transaction ends."""
    version = await connection.fetchval(
        "INSERT INTO published_version (name, version) VALUES ($1, 1)"
        " ON CONFLICT (name) DO UPDATE SET version = published_version.version + 1,"
        " updated_at = now() RETURNING version",
        name,
    )
    return int(version)


async def next_version_if_older(connection: Connection, name: str, seconds: float) -> int | None:
    """As `next_version`, or None when another replica took one within the last `seconds`."""
    version = await connection.fetchval(
        "INSERT INTO published_version (name, version) VALUES ($1, 1)"
        " ON CONFLICT (name) DO UPDATE SET version = published_version.version + 1,"
        " updated_at = now()"
        " WHERE published_version.updated_at < now() - $2 * interval '1 second' RETURNING version",
        name,
        seconds,
    )
    return None if version is None else int(version)
