"""Generated secrets: how they are made, and how they are kept.

Each has 256 random bits, so a fast keyed hash is right for it: there is nothing to guess, and the key
makes a stolen table useless by itself. Passwords of people are another matter (argon2id).
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from jackfield_common.errors import JackfieldError
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from jackfield_oauth.repository.keys import HashKeys

CLIENT_SECRET: Final = "jf_cs_"  # noqa: S105 - a prefix, by which logs know what to hide
_KEY_NAME: Final = "generated-secrets"
_BYTES: Final = 32


def new_secret(prefix: str) -> str:
    """`prefix` and 43 characters of base64url (RFC 4648, 5): 256 random bits."""
    return prefix + secrets.token_urlsafe(_BYTES)


class SecretHash:
    """HMAC-SHA256 (RFC 2104) under a key that only the vault can open."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _BYTES:
            raise JackfieldError(f"the hash key has {len(key)} bytes instead of {_BYTES}")
        self._key = key

    @classmethod
    async def load(cls, keys: Keys, table: HashKeys) -> "SecretHash":
        """Open the kept key; the first start makes it. Raises SealError when it cannot be opened."""
        fresh = keys.seal(Service.OAUTH, _KEY_NAME, secrets.token_bytes(_BYTES))
        return cls(keys.open(await table.get_or_insert(_KEY_NAME, fresh)))

    def digest(self, secret: str) -> bytes:
        """What is kept instead of the secret."""
        return hmac.digest(self._key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def derived(self, purpose: str, secret: str, prefix: str) -> str:
        """A secret that follows from another, for whoever holds the key alone: 256 bits as well."""
        content = f"{purpose}\0{secret}".encode("utf-8", "surrogatepass")
        made = hmac.digest(self._key, content, hashlib.sha256)
        return prefix + base64.urlsafe_b64encode(made).rstrip(b"=").decode("ascii")

    def matches(self, secret: str, digest: bytes) -> bool:
        """Whether this secret was kept as `digest`; takes the same time either way."""
        return hmac.compare_digest(self.digest(secret), digest)
