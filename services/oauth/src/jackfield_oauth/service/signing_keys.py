"""The keys that sign tokens: made at first start, rotated on schedule and on command.

A key is published some time before it signs, and stays published until the last token that it signed has
expired: a rotation fails no live token, and every verifier knows a key before it meets its signature.
Private parts stand in the database sealed to the vault's own key.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import structlog
from joserfc.jwk import ECKey, OKPKey

from jackfield_common.database import Connection
from jackfield_common.errors import NotReady
from jackfield_common.events import JwksState
from jackfield_common.events.message import JsonObject, now
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from jackfield_oauth.models import SigningKey
from jackfield_oauth.repository.keys import SigningKeys
from jackfield_oauth.repository.versions import next_version

log = structlog.get_logger(__name__)

LABEL: Final = "signing-key"
SET: Final = "tokens"
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a verifier's clock may be off."""
Key = ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Policy:
    """When keys change. `token_lifetime` is that of the longest-lived token they sign."""

    issuer: str
    audience: str
    algorithm: str
    period: timedelta
    notice: timedelta
    token_lifetime: timedelta


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A signing key in memory, its private part opened."""

    kid: str
    algorithm: str
    key: Key
    public: JsonObject
    signs_from: datetime


class KeyRing:
    """The signing keys as this process knows them. Reloaded in the background, read without waiting."""

    def __init__(self, policy: Policy, keys: Keys, outbox: Outbox, table: SigningKeys) -> None:
        self._policy = policy
        self._keys = keys
        self._outbox = outbox
        self._table = table
        self._open: dict[str, OpenKey] = {}
        self._jwks: tuple[JsonObject, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether there is a key to sign with."""
        return bool(self._open)

    def signer(self) -> OpenKey:
        """The key that signs now. Raises NotReady before the first load."""
        time = now()
        signing = [one for one in self._open.values() if one.signs_from <= time]
        if not signing:
            raise NotReady("no signing key is loaded yet")
        return max(signing, key=lambda one: one.signs_from)

    def find(self, kid: str) -> OpenKey | None:
        """A key that verifies."""
        return self._open.get(kid)

    def jwks(self) -> tuple[JsonObject, ...]:
        """Every published public key (RFC 7517, 5), the one that signs first where it is known."""
        return self._jwks

    async def maintain(self) -> None:
        """Make the first key, rotate when it is time, retire what is over, and load what there is."""
        time = now()
        async with self._outbox.transaction() as connection:
            await self._table.lock(connection)
            changed = await self._table.delete_unpublished(connection, time) > 0
            kept = await self._table.all(connection)
            if not kept:
                await self._add(connection, signs_from=time)
                changed = True
            elif kept[-1].signs_from + self._policy.period - self._policy.notice <= time:
                await self._rotate(connection, kept, time)
                changed = True
            kept = await self._table.all(connection)
            if changed:
                await self._publish(connection, kept)
        self._load(kept)

    async def rotate(self) -> str:
        """Make a key now, that signs after the notice; returns its `kid`."""
        time = now()
        async with self._outbox.transaction() as connection:
            await self._table.lock(connection)
            kid = await self._rotate(connection, await self._table.all(connection), time)
            kept = await self._table.all(connection)
            await self._publish(connection, kept)
        self._load(kept)
        return kid

    async def republish(self) -> None:
        """Publish the set again, as when its issuer or audience changed."""
        async with self._outbox.transaction() as connection:
            await self._table.lock(connection)
            await self._publish(connection, await self._table.all(connection))

    async def _rotate(
        self, connection: Connection, kept: Sequence[SigningKey], time: datetime
    ) -> str:
        signs_from = time + self._policy.notice if kept else time
        over = signs_from + self._policy.token_lifetime + CLOCK_SKEW
        for old in kept:
            if old.published_until is None:
                await self._table.publish_until(connection, old.kid, over)
        return await self._add(connection, signs_from=signs_from)

    async def _add(self, connection: Connection, *, signs_from: datetime) -> str:
        key = _generate(self._policy.algorithm)
        kid = key.thumbprint()
        private = json.dumps({**key.as_dict(private=True), "kid": kid}).encode()
        public = {
            **key.as_dict(private=False),
            "kid": kid,
            "use": "sig",
            "alg": self._policy.algorithm,
        }
        await self._table.insert(
            connection,
            SigningKey(
                kid=kid,
                algorithm=self._policy.algorithm,
                public=json.dumps(public),
                private=self._keys.seal(Service.OAUTH, LABEL, private),
                created_at=now(),
                signs_from=signs_from,
                published_until=None,
            ),
        )
        log.info("signing_key_made", kid=kid, signs_from=signs_from.isoformat())
        return kid

    async def _publish(self, connection: Connection, kept: Sequence[SigningKey]) -> None:
        state = JwksState(
            tenant=DEFAULT_TENANT,
            version=await next_version(connection, f"jwks:{SET}"),
            set=SET,
            issuer=self._policy.issuer,
            audience=self._policy.audience,
            keys=tuple(_public(key) for key in kept),
        )
        await self._outbox.put(connection, state)

    def _load(self, kept: Sequence[SigningKey]) -> None:
        self._open = {
            key.kid: self._open.get(key.kid)
            or OpenKey(
                kid=key.kid,
                algorithm=key.algorithm,
                key=_read(key.algorithm, self._keys.open(key.private)),
                public=_public(key),
                signs_from=key.signs_from,
            )
            for key in kept
        }
        self._jwks = tuple(one.public for one in self._open.values())


def _public(key: SigningKey) -> JsonObject:
    return cast(JsonObject, json.loads(key.public))


def _generate(algorithm: str) -> Key:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519")


def _read(algorithm: str, private: bytes) -> Key:
    if algorithm == "ES256":
        return ECKey.import_key(json.loads(private))
    return OKPKey.import_key(json.loads(private))
