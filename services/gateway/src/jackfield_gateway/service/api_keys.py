"""API keys: made, listed, revoked, recognised."""

import hashlib
import hmac
import secrets
from datetime import UTC
from typing import Final

from jackfield_common.events.message import now
from jackfield_common.ids import TenantId, new_id
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from jackfield_gateway.models.actor import Actor, Scope
from jackfield_gateway.models.api_key import ApiKey, ApiKeyPage, KeyDraft, NewApiKey
from jackfield_gateway.models.problem import Absent, invalid
from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.cursor import read_time_cursor, time_cursor

PREFIX: Final = "jf_"
_PEPPER: Final = "api-key-pepper"
_PEPPER_BYTES: Final = 32
_KEY_BYTES: Final = 32

BOOTSTRAP: Final = "key:bootstrap"


class ApiKeys:
    """The keys of every tenant, and the operator's bootstrap key.

    A key has 256 random bits, so a fast keyed hash of it is enough at rest (HMAC-SHA-256, RFC 2104). The
    hash's key is made at the first start and kept sealed to this service: the tables alone, stolen, do
    not even let one check a guess.
    """

    def __init__(self, store: Store, keys: Keys, bootstrap: str | None, tenant: TenantId) -> None:
        self._store = store
        self._keys = keys
        self._bootstrap = hashlib.sha256(bootstrap.encode()).digest() if bootstrap else None
        self._bootstrap_tenant = tenant
        self._pepper: bytes | None = None

    async def actor(self, key: str) -> Actor | None:
        """Who holds this key; None when nobody does, or it has expired. Raises NotReady."""
        given = hashlib.sha256(key.encode()).digest()
        if self._bootstrap is not None and hmac.compare_digest(given, self._bootstrap):
            return Actor(BOOTSTRAP, self._bootstrap_tenant, frozenset({Scope.API}))
        if not key.startswith(PREFIX):
            return None
        digest = await self._digest(key)
        async with self._store.statements() as tx:
            found = await tx.api_keys.find(digest)
        if found is None or (found.expires_at is not None and found.expires_at <= now()):
            return None
        return Actor(f"key:{found.key_id}", found.tenant, found.scopes)

    async def create(self, actor: Actor, draft: KeyDraft) -> NewApiKey:
        """Make a key for the actor's tenant. Raises Invalid, NotReady."""
        expires = draft.expires_at.astimezone(UTC) if draft.expires_at else None
        if expires is not None and expires <= now():
            raise invalid("expires_at", "lies in the past")
        key = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        one = ApiKey(
            key_id=new_id(),
            name=draft.name,
            scopes=tuple(sorted(set(draft.scopes))),
            created_at=now(),
            created_by=actor.name,
            expires_at=expires,
        )
        digest = await self._digest(key)
        async with self._store.transaction() as tx:
            await tx.api_keys.add(actor.tenant, one, digest)
            await tx.publish(
                allowed(
                    actor,
                    "api_key.create",
                    f"api_key:{one.key_id}",
                    {"name": one.name, "scopes": list(one.scopes)},
                )
            )
        return NewApiKey(**one.model_dump(), key=key)

    async def revoke(self, actor: Actor, key_id: str) -> None:
        """Revoke a key at once. Raises Absent, NotReady."""
        async with self._store.transaction() as tx:
            if not await tx.api_keys.remove(actor.tenant, key_id):
                raise Absent(f"There is no API key {key_id!r}: GET /api/keys lists them.")
            await tx.publish(allowed(actor, "api_key.revoke", f"api_key:{key_id}"))

    async def page(self, actor: Actor, limit: int, cursor: str | None) -> ApiKeyPage:
        """Keys, oldest first. Raises Invalid for a bad cursor, NotReady."""
        after = read_time_cursor(cursor)
        async with self._store.statements() as tx:
            found = await tx.api_keys.page(actor.tenant, after, limit + 1)
        shown = found[:limit]
        return ApiKeyPage(
            items=tuple(shown),
            next_cursor=time_cursor(shown[-1].created_at, shown[-1].key_id)
            if len(found) > limit
            else None,
        )

    async def _digest(self, key: str) -> bytes:
        if self._pepper is None:
            self._pepper = await self._load_pepper()
        return hmac.digest(self._pepper, key.encode(), "sha256")

    async def _load_pepper(self) -> bytes:
        async with self._store.transaction() as tx:
            sealed = await tx.api_keys.sealed_value(_PEPPER)
            if sealed is None:
                made = self._keys.seal(Service.GATEWAY, _PEPPER, secrets.token_bytes(_PEPPER_BYTES))
                await tx.api_keys.keep_sealed_value(_PEPPER, made)
                sealed = await tx.api_keys.sealed_value(_PEPPER)
        assert sealed is not None
        return self._keys.open(sealed)
