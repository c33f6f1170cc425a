"""Secrets of a local installation: made once, kept in files only their owner may read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

API_KEY_PREFIX = "jf_"


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file; a new one from `make` is written first where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: a kill in between must not leave an empty secret behind.
        partial = path.with_name(f"{path.name}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        partial.rename(path)
    return path.read_text().strip()


def new_api_key() -> str:
    """A key for the HTTP API: `jf_` and 43 characters, 256 random bits."""
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def new_password() -> str:
    """A database password, 192 random bits, safe in a URL."""
    return secrets.token_urlsafe(24)
