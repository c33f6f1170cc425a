"""The listener put together."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from jackfield_common.egress import Egress
from jackfield_common.events.integration import IntegrationState
from jackfield_common.events.manifest import ManifestState
from jackfield_common.kafka import Kafka
from jackfield_common.topics import DELIVERY_VERIFIED
from jackfield_gateway.edge.answers import Answers
from jackfield_gateway.edge.batches import Batches
from jackfield_gateway.edge.fetching import Fetcher
from jackfield_gateway.edge.handshakes import SecretTaker
from jackfield_gateway.edge.integrations import Integrations, Lookup, Opening
from jackfield_gateway.edge.protocol import Listener
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.receiver import Receiver, Waiter
from jackfield_gateway.edge.schemes.compile import Compiler
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.spool import Spool, Stored, Window
from jackfield_gateway.edge.statistics import EdgeCollector, EdgeStats, Refusal, Statistics
from jackfield_gateway.edge.tracing import Tracing

log = structlog.get_logger(__name__)

_TICK: Final = 0.25


class Edge:
    """The webhook listener: `start` binds its port, `stop` drains it.

    It answers 503 until the read models are ready and Kafka is there; both may come and go.
    """

    def __init__(
        self,
        kafka: Kafka,
        integrations: Lookup[IntegrationState],
        manifests: Lookup[ManifestState],
        keys: Opening,
        settings: EdgeSettings,
        *,
        clock: Callable[[], float] = time.time,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self._statistics = Statistics()
        self._answers = Answers(settings.retry_after)
        fetcher = Fetcher(Egress(kafka.settings.egress_allow))
        self._integrations = Integrations(
            integrations,
            manifests,
            keys,
            Compiler(fetcher),
            lambda: self._batches.partitions,
            settings.kept_headers,
        )
        self._receiver = Receiver(
            settings,
            self._integrations,
            self._answers,
            self._statistics,
            Tracing(bool(kafka.settings.otlp_endpoint), settings.traces_per_second),
            fetcher,
            clock,
        )
        self._batches: Batches[Waiter] = Batches(
            kafka,
            DELIVERY_VERIFIED,
            settle=self._receiver.settle,
            max_outstanding=settings.max_outstanding,
            publish_timeout=settings.publish_timeout,
        )
        self._receiver.connect(self._batches)
        if settings.spool_dir is not None:
            self._receiver.spool = Spool(
                settings.spool_dir,
                settings.spool_max,
                publish=self._publish_spooled,
                available=lambda: self._batches.available,
                settle=self._receiver.spooled,
            )
        self._listener = Listener(settings, self._receiver, self._answers, self._statistics)
        self._collector = EdgeCollector(self._statistics)
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    def take_secrets(self, take: SecretTaker) -> None:
        """Who stores a secret that a vendor delivers in a handshake (Asana, Notion).

        This listener learns it with the integration's next state. Without it such handshakes are
        refused, and so are those of an integration that has a secret.
        """
        self._receiver.take_secret = take

    async def start(self) -> None:
        """Bind the port. Raises OSError when it is taken, SpoolError when the spool cannot be used."""
        loop = asyncio.get_running_loop()
        if self._receiver.spool is not None:
            await self._receiver.spool.start()
        self._server = await loop.create_server(
            self._listener,
            self._settings.host,
            self._settings.port,
            backlog=self._settings.backlog,
            reuse_port=self._settings.reuse_port or None,
            start_serving=False,
        )
        self._registry.register(self._collector)
        self._answers.tick(time.time())
        await self._batches.start()
        await self._server.start_serving()
        self._ticking = asyncio.create_task(self._tick(), name="edge-tick")
        log.info("webhook_listener_started", host=self._settings.host, port=self.port)

    async def stop(self) -> None:
        """Stop accepting, let what is under way end, close."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        deadline = time.monotonic() + self._settings.drain
        await self._listener.drain(self._settings.drain)
        await self._receiver.stop()
        if self._receiver.spool is not None:
            await self._receiver.spool.stop()
        await self._batches.stop(max(0.1, deadline - time.monotonic()))
        for connection in list(self._listener.connections):
            connection.cut()
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        self._registry.unregister(self._collector)

    @property
    def port(self) -> int:
        """The port that is bound."""
        assert self._server is not None, "the listener is not started"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def ready(self) -> bool:
        """Whether requests can be accepted: integrations loaded, Kafka there."""
        return self._integrations.ready and self._batches.available

    def stats(self) -> EdgeStats:
        """The counters."""
        statistics = self._statistics
        quantile = statistics.latencies.quantile
        spool = self._receiver.spool
        return EdgeStats(
            received=statistics.received,
            accepted=statistics.accepted,
            refused={reason.value: n for reason, n in statistics.refused.items() if n},
            handshakes=statistics.handshakes,
            rate_limited_ips=self._receiver.limited_sources(),
            connections=statistics.connections,
            in_flight=statistics.received - statistics.answered,
            outstanding_bytes=self._batches.outstanding,
            spooled=0 if spool is None else spool.count,
            kafka=self._batches.available,
            processing_p50_ms=round(quantile(0.5) * 1000, 3),
            processing_p95_ms=round(quantile(0.95) * 1000, 3),
            processing_p99_ms=round(quantile(0.99) * 1000, 3),
            processing_p999_ms=round(quantile(0.999) * 1000, 3),
        )

    def refusals(self, integration_id: str) -> tuple[Refusal, ...]:
        """The last refused requests of an integration, with what would have passed, oldest first."""
        return self._statistics.refusals(integration_id)

    def _publish_spooled(self, record: Stored, window: Window) -> Reason | None:
        return self._batches.put(record.partition, record.key, record.value, record.headers, window)

    async def _tick(self) -> None:
        turns = 0
        while True:
            now = time.monotonic()
            self._batches.check(asyncio.get_running_loop().time())
            self._listener.sweep(now)
            if turns % 4 == 0:
                self._answers.tick(time.time())
                self._integrations.refresh()
                self._receiver.forget()
                self._statistics.latencies.turn(now)
                self._statistics.producers_replaced = self._batches.replaced
            turns += 1
            await asyncio.sleep(_TICK)
