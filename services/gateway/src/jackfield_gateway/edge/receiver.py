"""What happens to a webhook request: found, let in, verified, published, answered."""

import time
from collections.abc import Callable

from jackfield_common.topics import DELIVERY_VERIFIED
from jackfield_gateway.edge.answers import Answers
from jackfield_gateway.edge.batches import Batches
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.integrations import Integration, Integrations
from jackfield_gateway.edge.limits import Gcra
from jackfield_gateway.edge.reasons import AGAINST_SOURCE, Reason
from jackfield_gateway.edge.record import Ids, timestamp
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.statistics import Refusal, Statistics
from jackfield_gateway.edge.tracing import Tracing

_monotonic = time.monotonic

PREFIX = b"/webhooks/"

Waiter = tuple[Exchange, bytes]
"""An exchange whose record is on its way, and the record's event id."""


class Receiver:
    """Decides on requests and answers them. Knows no sockets."""

    def __init__(
        self,
        settings: EdgeSettings,
        integrations: Integrations,
        answers: Answers,
        statistics: Statistics,
        tracing: Tracing,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._integrations = integrations
        self._answers = answers
        self._statistics = statistics
        self._tracing = tracing
        self._clock = clock
        self._ids = Ids()
        self._by_integration = Gcra(settings.integration_rate, settings.integration_burst)
        self._by_source = Gcra(settings.source_rate, settings.source_burst)
        self._refused_by_source = Gcra(settings.refusal_rate, settings.refusal_burst)
        self._batches: Batches[Waiter] | None = None

    def connect(self, batches: Batches[Waiter]) -> None:
        """Where records go."""
        self._batches = batches

    def admit(self, exchange: Exchange) -> Reason | None:
        """Decide on the head of a request; None lets its body in."""
        now = _monotonic()
        if self._by_source.take(exchange.source, now):
            return Reason.SOURCE_LIMIT
        if not self._integrations.ready:
            return Reason.NOT_READY
        target = exchange.target.partition(b"?")[0]
        if not target.startswith(PREFIX) or exchange.method != b"POST":
            return Reason.NOT_FOUND
        integration = self._integrations.find(target[len(PREFIX) :].decode("latin-1"))
        if integration is None:
            return Reason.NOT_FOUND
        exchange.integration = integration
        if self._by_integration.take(integration.id, now):
            return Reason.INTEGRATION_LIMIT
        if integration.allowed and exchange.source not in integration.allowed:
            return Reason.ADDRESS
        if not integration.takes(exchange.content_type):
            return Reason.CONTENT_TYPE
        return None

    def receive(self, exchange: Exchange) -> None:
        """Verify a whole request and publish it."""
        integration = exchange.integration
        assert isinstance(integration, Integration)
        verifier = integration.verifier
        now = self._clock()
        reason = Reason.UNCONFIGURED if verifier is None else verifier.verify(exchange, now)
        if reason is None:
            reason = self._publish(exchange, integration, now)
        if reason is not None:
            self.refuse(exchange, reason)

    def settle(self, waiters: list[Waiter], stored: bool) -> None:
        """Answer those whose records are stored, or are not known to be."""
        if not stored:
            for exchange, _ in waiters:
                self.refuse(exchange, Reason.KAFKA)
            return
        accepted, now = self._answers.accepted, _monotonic()
        latencies = self._statistics.latencies
        self._statistics.accepted += len(waiters)
        for exchange, event_id in waiters:
            exchange.answer(accepted(event_id, exchange.keep_alive))
            latencies.add(now - exchange.started)

    def refuse(self, exchange: Exchange, reason: Reason) -> None:
        """Answer with a problem, and keep count for the operator and for the integration's owner."""
        now = _monotonic()
        self._statistics.refused[reason] += 1
        integration = exchange.integration
        challenge = "Webhook"
        if isinstance(integration, Integration):
            verifier = integration.verifier
            expected = integration.unusable if verifier is None else verifier.expected
            self._statistics.note(
                integration.id, Refusal(self._clock(), reason, expected, exchange.source)
            )
            wait = self._by_integration.wait(integration.id, now)
        else:
            wait = 0.0
        if reason is Reason.SOURCE_LIMIT:
            wait = self._by_source.wait(exchange.source, now)
        if reason in AGAINST_SOURCE:
            # over its budget a source no longer learns whether an id exists or a proof is wrong
            limited = self._refused_by_source.take(exchange.source, now)
            if limited:
                reason, wait = Reason.SOURCE_LIMIT, limited
        exchange.answer(
            self._answers.refused(
                reason,
                keep_alive=exchange.keep_alive,
                retry_after=wait or None,
                head_only=exchange.method == b"HEAD",
                challenge=challenge,
            )
        )

    def limited_sources(self) -> int:
        """How many source addresses have to wait now."""
        now = _monotonic()
        return self._by_source.exhausted(now) + self._refused_by_source.exhausted(now)

    def forget(self) -> None:
        """Drop the limits that are whole again; call once a second."""
        now = _monotonic()
        for limit in (self._by_integration, self._by_source, self._refused_by_source):
            limit.forget(now)

    def _publish(self, exchange: Exchange, integration: Integration, now: float) -> Reason | None:
        batches = self._batches
        assert batches is not None
        event_id, at, records = self._ids.event_id(), timestamp(now), integration.records
        traceparent, tracestate = self._tracing.begin(exchange, self._ids)
        headers = records.headers(event_id, at, traceparent, tracestate)
        delivery_id = integration.delivery_id(exchange)
        query, body = exchange.query, exchange.body
        value = records.value(exchange, event_id, at, delivery_id, query, body)
        if len(value) > DELIVERY_VERIFIED.max_message_bytes // 2:
            # text that escapes badly may outgrow base64
            encoded = records.value(exchange, event_id, at, delivery_id, query, body, as_text=False)
            value = min(value, encoded, key=len)
        return batches.put(integration.partition, records.key, value, headers, (exchange, event_id))
