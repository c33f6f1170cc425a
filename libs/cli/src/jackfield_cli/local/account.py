"""Which account PostgreSQL runs as, and which places that account can reach.

PostgreSQL refuses to run as root. Where the local runtime is started as root, the server runs as
an existing unprivileged account, which cannot look into root's home or other closed directories.
"""

import os
import pwd
import stat
from pathlib import Path

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.process import Account

_CANDIDATES = ("nobody", "postgres")


def server_account() -> Account | None:
    """The account to run PostgreSQL as, or None where this process's own account will do."""
    if os.geteuid() != 0:
        return None
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise LocalError(
        "PostgreSQL does not run as root, and this system has no account called "
        f"{' or '.join(_CANDIDATES)}.",
        "Create one (useradd --system postgres), or run as an ordinary user.",
    )


def can_enter(account: Account, directory: Path) -> bool:
    """Whether the account may walk the path down to, and into, an existing directory."""
    resolved = directory.resolve()
    return all(_searchable(account, each.stat()) for each in (resolved, *resolved.parents))


def _searchable(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
