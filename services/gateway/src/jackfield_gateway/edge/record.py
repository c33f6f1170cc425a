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

_IDS_AT_ONCE: Final = 512
_BASE32: Final = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[n & 31] for n in range(256))


class Ids:
    """Random ids, of the form that `ids.new_id` makes, from random bytes fetched in bulk."""

    def __init__(self) -> None:
        self._events = b""
        self._event = 0
        self._hex = ""
        self._digit = 0

    def event_id(self) -> bytes:
        """130 random bits as 26 characters of lowercase base32 (RFC 4648, 6)."""
        start = self._event
        if start >= len(self._events):
            self._events = os.urandom(26 * _IDS_AT_ONCE).translate(_BASE32)
            start = 0
        self._event = end = start + 26
        return self._events[start:end]

    def trace_id(self) -> str:
        """A W3C trace id."""
        return self._digits(32)

    def span_id(self) -> str:
        """A W3C span id."""
        return self._digits(16)

    def _digits(self, count: int) -> str:
        start = self._digit
        if start + count > len(self._hex):
            self._hex = os.urandom(24 * _IDS_AT_ONCE).hex()
            start = 0
        self._digit = end = start + count
        return self._hex[start:end]


class Times:
    """Seconds since the epoch as RFC 3339 in UTC, to the millisecond; the last one is remembered."""

    def __init__(self) -> None:
        self._millisecond = 0
        self._text = b""

    def text(self, now: float) -> bytes:
        """The time as text."""
        millisecond = int(now * 1000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            self._text = datetime.fromtimestamp(millisecond / 1000, UTC).isoformat().encode()
        return self._text


class RecordMaker:
    """Makes the records of one integration: what is the same for all of them is made once."""

    __slots__ = ("_fixed", "_kept", "_same", "key")

    def __init__(
        self,
        integration: IntegrationId,
        tenant: TenantId,
        connector: str,
        kept: frozenset[str],
    ) -> None:
        self.key = integration.encode()
        fixed = {"tenant": tenant, "integration_id": integration, "connector": connector}
        self._fixed = b'",' + orjson.dumps(fixed)[1:-1] + b","
        self._kept = [(name.encode(), name) for name in sorted(kept)]
        self._same: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_source", f"/jackfield/{Service.GATEWAY}".encode()),
            ("ce_type", DELIVERY_VERIFIED.name.encode()),
            ("ce_subject", self.key),
            ("ce_tenant", tenant.encode()),
            ("ce_partitionkey", self.key),
            (CONTENT_TYPE, JSON),
        ]

    def headers(self, event_id: bytes, at: bytes, traceparent: str, tracestate: str) -> Headers:
        """The record's headers."""
        found: Headers = [
            ("ce_id", event_id),
            ("ce_time", at),
            ("traceparent", traceparent.encode()),
            *self._same,
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
        # neither the id nor the time holds anything that JSON would escape
        return b"".join(
            (b'{"id":"', event_id, b'","at":"', at, self._fixed, orjson.dumps(document)[1:])
        )
