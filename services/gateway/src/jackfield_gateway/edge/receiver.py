"""What happens to a webhook request: found, let in, verified, published, answered."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from jackfield_common.errors import NotReady
from jackfield_common.topics import DELIVERY_VERIFIED
from jackfield_gateway.edge.answers import Answers
from jackfield_gateway.edge.batches import Batches
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.fetching import Fetcher, FetchError
from jackfield_gateway.edge.handshakes import CompiledHandshake, SecretTaker, Unanswerable
from jackfield_gateway.edge.integrations import Integration, Integrations
from jackfield_gateway.edge.limits import Gcra
from jackfield_gateway.edge.payload import LARGE, may_be_deep, redacted, too_deep
from jackfield_gateway.edge.reasons import AGAINST_SOURCE, Reason
from jackfield_gateway.edge.record import Ids, Times
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.spool import Spool, Stored, Window
from jackfield_gateway.edge.statistics import Refusal, Statistics
from jackfield_gateway.edge.tracing import Tracing

_monotonic = time.monotonic

log = structlog.get_logger(__name__)

PREFIX: Final = b"/webhooks/"
SECRET_FIELD: Final = "webhook_secret"  # noqa: S105 - a name
MAX_TASKS: Final = 512
"""Requests that wait at a time for a key, a certificate, or a secret to be stored."""

Waiter = tuple[Exchange, bytes, Stored | None] | Window
"""An exchange whose record is on its way, the record's event id, and the record itself where there is a
spool; or the window of drained records that one belongs to."""


class Receiver:
    """Decides on requests and answers them. Knows no sockets."""

    def __init__(
        self,
        settings: EdgeSettings,
        integrations: Integrations,
        answers: Answers,
        statistics: Statistics,
        tracing: Tracing,
        fetcher: Fetcher,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._integrations = integrations
        self._answers = answers
        self._statistics = statistics
        self._tracing = tracing
        self._fetcher = fetcher
        self.take_secret: SecretTaker | None = None
        """Who stores a secret that a vendor delivers."""
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = Ids()
        self._times = Times()
        self._by_integration = Gcra(settings.integration_rate, settings.integration_burst)
        self._by_source = Gcra(settings.source_rate, settings.source_burst)
        self._refused_by_source = Gcra(settings.refusal_rate, settings.refusal_burst)
        self._batches: Batches[Waiter] | None = None
        self.spool: Spool[Waiter] | None = None
        """Where records go while Kafka is away."""

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
        if not target.startswith(PREFIX):
            return Reason.NOT_FOUND
        integration = self._integrations.find(target[len(PREFIX) :].decode("latin-1"))
        if integration is None:
            return Reason.NOT_FOUND
        if exchange.method != b"POST" or integration.handshakes:
            # what the head alone asks is answered whatever the body claims to be
            exchange.handshake = integration.asked(exchange, verified=False, by_body=False)
            if exchange.method != b"POST" and exchange.handshake is None:
                return Reason.NOT_FOUND
        exchange.integration = integration
        if self._by_integration.take(integration.id, now):
            return Reason.INTEGRATION_LIMIT
        if integration.allowed and exchange.source not in integration.allowed:
            return Reason.ADDRESS
        if exchange.handshake is None and not integration.takes(
            exchange.headers.get(b"content-type", b"")
        ):
            return Reason.CONTENT_TYPE
        return None

    def receive(self, exchange: Exchange) -> None:
        """Verify a whole request and publish it."""
        integration = exchange.integration
        assert isinstance(integration, Integration)
        handshake = exchange.handshake
        if handshake is None and integration.handshakes:
            handshake = integration.asked(exchange, verified=False, by_body=True)
        if handshake is not None:
            assert isinstance(handshake, CompiledHandshake)
            self._answer_handshake(exchange, integration, handshake)
            return
        if integration.preparing is not None:
            preparation = integration.preparing.prepare(exchange, self._clock())
            if preparation is not None:
                self._later(exchange, self._prepared(exchange, integration, preparation))
                return
        self._verify(exchange, integration)

    def _verify(self, exchange: Exchange, integration: Integration) -> None:
        verifier = integration.verifier
        now = self._clock()
        reason = Reason.UNCONFIGURED if verifier is None else verifier.verify(exchange, now)
        if reason is None and integration.handshakes:
            handshake = integration.asked(exchange, verified=True, by_body=True)
            if handshake is None:
                handshake = integration.asked(exchange, verified=True, by_body=False)
            if handshake is not None:
                self._answer_handshake(exchange, integration, handshake)
                return
        if reason is None:
            limit = self._settings.max_json_depth
            if may_be_deep(exchange.body, limit):
                if len(exchange.body) > LARGE:
                    self._later(exchange, self._checked(exchange, integration))
                    return
                if too_deep(exchange.body, limit):
                    reason = Reason.TOO_DEEP
        if reason is None:
            reason = self._publish(exchange, integration, now)
        if reason is not None:
            self.refuse(exchange, reason)

    async def _prepared(
        self,
        exchange: Exchange,
        integration: Integration,
        preparation: Coroutine[None, None, None],
    ) -> None:
        await preparation
        self._verify(exchange, integration)

    async def _checked(self, exchange: Exchange, integration: Integration) -> None:
        deep = await asyncio.to_thread(too_deep, exchange.body, self._settings.max_json_depth)
        reason = Reason.TOO_DEEP if deep else None
        if reason is None:
            reason = self._publish(exchange, integration, self._clock())
        if reason is not None:
            self.refuse(exchange, reason)

    def _answer_handshake(
        self, exchange: Exchange, integration: Integration, handshake: CompiledHandshake
    ) -> None:
        try:
            body, content_type = handshake.body(exchange)
            headers = handshake.headers(exchange)
            answer = self._answers.other(
                handshake.status,
                handshake.phrase,
                body,
                content_type=content_type,
                headers=headers,
                keep_alive=exchange.keep_alive,
                head_only=exchange.method == b"HEAD",
            )
            confirmation = handshake.confirmation(exchange)
            secret = handshake.secret(exchange) if handshake.delivers_secret else None
        except Unanswerable:
            self.refuse(exchange, Reason.HANDSHAKE)
            return
        if secret is None and confirmation is None:
            self._statistics.handshakes += 1
            exchange.answer(answer)
        elif secret is not None and (integration.verifier is not None or self.take_secret is None):
            # whoever could replace a secret could send anything from then on
            self.refuse(exchange, Reason.UNCONFIGURED)
        else:
            self._later(exchange, self._act(exchange, integration, secret, confirmation, answer))

    async def _act(
        self,
        exchange: Exchange,
        integration: Integration,
        secret: str | None,
        confirmation: str | None,
        answer: bytes,
    ) -> None:
        """What a handshake asks for beside an answer, before it is answered."""
        try:
            if secret is not None and self.take_secret is not None:
                await self.take_secret(integration.id, SECRET_FIELD, secret)
            if confirmation is not None:
                await self._fetcher.get(confirmation)
        except NotReady:
            self.refuse(exchange, Reason.NOT_READY)
        except FetchError:
            self.refuse(exchange, Reason.KEYS)
        else:
            self._statistics.handshakes += 1
            exchange.answer(answer)

    def _later(self, exchange: Exchange, work: Coroutine[None, None, None]) -> None:
        """Go on in a task; the exchange is answered whatever becomes of it."""
        if len(self._tasks) >= MAX_TASKS:
            work.close()
            self.refuse(exchange, Reason.OVERLOADED)
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(exchange, done))

    def _ended(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            self.refuse(exchange, Reason.DRAINING)
        elif (error := task.exception()) is not None:
            log.error("webhook_request_failed", exc_info=error)
            self.refuse(exchange, Reason.BUG)

    async def stop(self) -> None:
        """End what is still being fetched or stored."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def settle(self, waiters: list[Waiter], stored: bool) -> None:
        """Answer those whose records are stored, or are not known to be."""
        if not stored:
            for waiter in waiters:
                self._unsettled(waiter)
            return
        accepted, now = self._answers.accepted, _monotonic()
        latencies = self._statistics.latencies
        for waiter in waiters:
            if isinstance(waiter, Window):
                waiter.settle(True)
                continue
            exchange = waiter[0]
            exchange.answer(accepted(waiter[1], exchange.keep_alive))
            latencies.add(now - exchange.started)
            self._statistics.accepted += 1

    def spooled(self, waiters: list[Waiter], stored: bool) -> None:
        """Answer those whose records are on disk, or could not be written."""
        if stored:
            self.settle(waiters, True)
            return
        for waiter in waiters:
            if not isinstance(waiter, Window):
                self.refuse(waiter[0], Reason.KAFKA)

    def _unsettled(self, waiter: Waiter) -> None:
        """Kafka did not acknowledge in time: the spool takes it, where there is one."""
        if isinstance(waiter, Window):
            waiter.settle(False)
            return
        exchange, event_id, record = waiter
        reason: Reason | None = Reason.KAFKA
        if self.spool is not None and record is not None:
            reason = self.spool.append(record, (exchange, event_id, None))
        if reason is not None:
            self.refuse(exchange, reason)

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
        event_id, at, records = self._ids.event_id(), self._times.text(now), integration.records
        traceparent, tracestate = self._tracing.begin(exchange, self._ids)
        headers = records.headers(event_id, at, traceparent, tracestate)
        delivery_id = integration.delivery_id(exchange)
        query, body = exchange.query, exchange.body
        verifier = integration.verifier
        if verifier is not None and verifier.secret_places:
            query, body = redacted(exchange, verifier.secret_places)
        value = records.value(exchange, event_id, at, delivery_id, query, body)
        if len(value) > DELIVERY_VERIFIED.max_message_bytes // 2:
            # text that escapes badly may outgrow base64
            encoded = records.value(exchange, event_id, at, delivery_id, query, body, as_text=False)
            value = min(value, encoded, key=len)
        spool = self.spool
        if spool is None:
            waiter: Waiter = (exchange, event_id, None)
            return batches.put(integration.partition, records.key, value, headers, waiter)
        record = Stored(integration.partition, records.key, value, headers)
        reason: Reason | None = Reason.KAFKA
        if not spool.holding:
            waiter = (exchange, event_id, record)
            reason = batches.put(record.partition, record.key, value, headers, waiter)
        if reason is Reason.KAFKA:
            # behind what is on disk already, so that nothing overtakes
            reason = spool.append(record, (exchange, event_id, None))
        return reason
