"""What every scheme becomes once it is compiled with an integration's secrets."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jackfield_common.errors import JackfieldError
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.reasons import Reason


class Unusable(JackfieldError):
    """The scheme cannot work with what the integration's owner filled in. Says nothing of the secrets."""


class Verifier(Protocol):
    """Proves who sent a request."""

    @property
    def proof_headers(self) -> frozenset[bytes]:
        """Headers that carry proof or a secret: never on the bus."""
        ...

    @property
    def secret_places(self) -> tuple[str, ...]:
        """Places in the query or the body that carry a secret: removed before the bus."""
        ...

    @property
    def expected(self) -> str:
        """What a good request looks like, for the integration's owner."""
        ...

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """None when the proof holds at `now` (seconds since the epoch), else why not."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A verifier that may have to fetch something first: keys, a certificate."""

    def prepare(self, exchange: Exchange, now: float) -> Coroutine[None, None, None] | None:
        """What must be awaited before `verify` can decide; None when nothing is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values of a scheme's fields, opened; of each name the newest first."""

    values: Mapping[str, tuple[str, ...]] = field(repr=False)

    def all(self, name: str) -> tuple[str, ...]:
        """The live values of a field. Raises Unusable when there is none that is not empty."""
        found = tuple(value for value in self.values.get(name, ()) if value)
        if not found:
            raise Unusable(f"{name} is not filled in")
        return found

    def first(self, name: str) -> str | None:
        """The newest value of an optional field."""
        return next((value for value in self.values.get(name, ()) if value), None)
