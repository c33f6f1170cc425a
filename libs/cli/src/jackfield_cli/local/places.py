"""Where the local runtime keeps things."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[5]


def state_directory() -> Path:
    """Data, logs and keys of one installation: JACKFIELD_STATE_DIR or `.jackfield` here."""
    named = os.environ.get("JACKFIELD_STATE_DIR")
    return Path(named).expanduser().resolve() if named else CHECKOUT / ".jackfield"


def cache_directory() -> Path:
    """Downloads shared by all checkouts of a user, safe to delete.

    JACKFIELD_CACHE_DIR, or the user's cache directory (XDG_CACHE_HOME, ~/.cache), or, for an
    account without a home it can write to, `cache` in the state directory.
    """
    named = os.environ.get("JACKFIELD_CACHE_DIR")
    if named:
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = Path(base) / "jackfield"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return state_directory() / "cache"
    return cache if os.access(cache, os.W_OK) else state_directory() / "cache"
