"""Trace context at the edge: continued where the sender sent one, begun where not.

A span costs more than the rest of the request, so spans are recorded only with a collector, and only
so many a second; the others are passed on with the sampled flag off (W3C Trace Context, 3.2.2.5).
"""

import re
import time
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jackfield_common.telemetry import tracer
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.limits import Gcra
from jackfield_gateway.edge.record import Ids

_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_ZERO_TRACE: Final = b"0" * 32
_ZERO_SPAN: Final = b"0" * 16
_MAX_STATE: Final = 512
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Tracing:
    """Gives each accepted request its trace context."""

    def __init__(self, collected: bool, per_second: float) -> None:
        self._collected = collected and per_second > 0
        self._budget = Gcra(max(per_second, 0.001), max(1, int(per_second)))

    def begin(self, exchange: Exchange, ids: Ids) -> tuple[str, str]:
        """The `traceparent` and `tracestate` of the request's record."""
        given = exchange.headers.get(b"traceparent")
        match = None if given is None else _TRACEPARENT.fullmatch(given)
        if match is not None and (match[1] == _ZERO_TRACE or match[2] == _ZERO_SPAN):
            match = None
        state = ""
        if match is not None:
            raw = exchange.headers.get(b"tracestate", b"")
            if len(raw) <= _MAX_STATE and raw.isascii():
                state = raw.decode("ascii")
        if self._collected and not self._budget.take("", time.monotonic()):
            return self._recorded(exchange, None if match is None else match[0].decode(), state)
        trace_id = ids.trace_id() if match is None else match[1].decode()
        flags = "00" if self._collected else "01"
        return f"00-{trace_id}-{ids.span_id()}-{flags}", state

    def _recorded(self, exchange: Exchange, parent: str | None, state: str) -> tuple[str, str]:
        carrier = {} if parent is None else {"traceparent": parent, "tracestate": state}
        # the span is ended at once: it stands for the work up to the hand-over to Kafka
        elapsed = time.monotonic() - exchange.started
        end = time.time_ns()
        span = tracer.start_span(
            "POST /webhooks/{integration_id}",
            context=_PROPAGATOR.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": "POST",
                "http.route": "/webhooks/{integration_id}",
                "client.address": exchange.source,
            },
            start_time=end - int(elapsed * 1e9),
        )
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers, trace.set_span_in_context(span))
        span.end(end)
        return headers.get("traceparent", ""), headers.get("tracestate", "")
