"""Passwords of people: argon2id (RFC 9106), two at a time, never on the event loop."""

import asyncio
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
_AT_ONCE: Final = 2


class Passwords:
    """Hashes and checks passwords. 19 MiB and two passes: what OWASP recommends at least."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        # Checked where there is no such user, so that it takes as long as a wrong password.
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(16))

    async def digest(self, password: str) -> str:
        """What is kept of a password, in PHC string format."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, digest: str | None) -> bool:
        """Whether this is the password; None for no such user, which takes as long."""
        async with self._slots:
            right = await asyncio.to_thread(
                self._verify, password[:MAX_LENGTH], self._nobodys if digest is None else digest
            )
        return right and digest is not None

    def _verify(self, password: str, digest: str) -> bool:
        try:
            return self._hasher.verify(digest, password)
        except (Argon2Error, InvalidHashError):
            return False
