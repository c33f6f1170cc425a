"""A verified delivery as the bytes of its record: what `envelope.encode` would make, without a model."""

import base64
import os
from datetime import UTC, datetime
from typing import Final

import orjson

from jackfield_common.envelope import CONTENT_TYPE, JSON
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_common.topics import DELIVERY_VERIFIED, Service
from jackfield_gateway.edge.exchange import Exchange

Headers = list[tuple[str, bytes]]

_SPARE: Final = 16 * 1024
_B32: Final = b"abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = [bytes((_B32[n >> 5], _B32[n & 31])) for n in range(1024)]


class Ids:
    """Random ids, of the form that `ids.new_id` makes, from random bytes fetched in bulk."""

    def __init__(self) -> None:
        self._bytes = b""
        self._position = 0

    def _take(self, count: int) -> bytes:
        position = self._position
        if position + count > len(self._bytes):
            self._bytes = os.urandom(_SPARE)
            position = 0
        self._position = position + count
        return self._bytes[position : position + count]

    def event_id(self) -> bytes:
        """128 random bits as 26 characters of lowercase base32 (RFC 4648, 6)."""
        number = int.from_bytes(self._take(16), "big") << 2
        pairs = _PAIRS
        return b"".join([pairs[(number >> shift) & 1023] for shift in range(120, -1, -10)])

    def trace_id(self) -> str:
        """A W3C trace id."""
        return self._take(16).hex()

    def span_id(self) -> str:
        """A W3C span id."""
        return self._take(8).hex()


class RecordMaker:
    """Makes the records of one integration: what is the same for all of them is made once."""

    __slots__ = ("_after", "_before", "_fixed", "_kept", "key")

    def __init__(
        self,
        integration: IntegrationId,
        tenant: TenantId,
        connector: str,
        kept: frozenset[str],
    ) -> None:
        self.key = integration.encode()
        self._fixed = {"tenant": tenant, "integration_id": integration, "connector": connector}
        self._kept = [(name.encode(), name) for name in sorted(kept)]
        self._before: Headers = [
            ("ce_source", f"/jackfield/{Service.GATEWAY}".encode()),
            ("ce_type", DELIVERY_VERIFIED.name.encode()),
        ]
        self._after: Headers = [
            ("ce_subject", self.key),
            ("ce_tenant", tenant.encode()),
            ("ce_partitionkey", self.key),
            (CONTENT_TYPE, JSON),
        ]

    def headers(self, event_id: bytes, at: bytes, traceparent: str, tracestate: str) -> Headers:
        """The record's headers."""
        found: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", event_id),
            *self._before,
            ("ce_time", at),
            *self._after,
            ("traceparent", traceparent.encode()),
        ]
        if tracestate:
            found.append(("tracestate", tracestate.encode("latin-1")))
        return found

    def value(
        self,
        exchange: Exchange,
        event_id: bytes,
        at: bytes,
        delivery_id: str | None,
        query: str,
        body: bytes,
        *,
        as_text: bool = True,
    ) -> bytes:
        """The record's value: a `DeliveryVerified` as JSON. `as_text` False sends the body as base64."""
        received = exchange.headers
        kept: dict[str, str] = {}
        for raw, name in self._kept:
            value = received.get(raw)
            if value is not None:
                kept[name] = value.decode("latin-1")
        document: dict[str, object] = {
            "id": event_id.decode(),
            **self._fixed,
            "at": at.decode(),
            "method": exchange.method.decode("latin-1"),
            "path": exchange.path,
            "query": query,
            "content_type": received.get(b"content-type", b"").decode("latin-1"),
            "headers": kept,
        }
        if delivery_id is not None:
            document["delivery_id"] = delivery_id
        if as_text:
            try:
                document["body"] = body.decode()
            except UnicodeDecodeError:
                as_text = False
        if not as_text:
            document["body_base64"] = base64.b64encode(body).decode()
        return orjson.dumps(document)


def timestamp(now: float) -> bytes:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(now, UTC).isoformat().encode()
