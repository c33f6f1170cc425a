"""Traces from the HTTP request through Kafka to the vendor call, and Prometheus metrics.

The W3C trace context travels as the record header `traceparent`; a consumer continues the trace. Without
a collector configured, spans still have ids (logs are joined by them) and go nowhere.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jackfield_common.envelope import trace_context
from jackfield_common.settings import Settings
from jackfield_common.topics import Service

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_NO_CONTEXT: Final = Context()
tracer: Final = trace.get_tracer("jackfield")

LATENCY_BUCKETS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
)  # fmt: skip
"""Seconds; for histograms of everything from an acceptance to a slow vendor."""


def configure(settings: Settings, service: Service, instance: str) -> TracerProvider:
    """Install the tracer provider of this process; shut it down at the end to flush."""
    provider = TracerProvider(
        # Spans that go nowhere need not be recorded; their ids still join the logs.
        sampler=None if settings.otlp_endpoint else ALWAYS_OFF,
        resource=Resource.create(
            {
                "service.namespace": "jackfield",
                "service.name": service.value,
                "service.instance.id": instance,
            }
        ),
    )
    if settings.otlp_endpoint:
        endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    return provider


def current_trace() -> dict[str, str]:
    """The W3C trace context of the current span, as record headers; empty outside of one."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier


class consuming:
    """A consumer span that continues the trace of a record, as a context manager.

    A class rather than a generator, and the span made current by hand: it surrounds every record, and
    this takes half the time.
    """

    __slots__ = ("_attributes", "_headers", "_name", "_span", "_token")

    def __init__(
        self,
        name: str,
        headers: Iterable[tuple[str, bytes]],
        attributes: Mapping[str, str | int] | None = None,
    ) -> None:
        self._name = name
        self._headers = headers
        self._attributes = attributes

    def __enter__(self) -> Span:
        carrier = trace_context(self._headers)
        # An empty context, not the current one: nothing but the record says what it belongs to.
        parent = _PROPAGATOR.extract(carrier, _NO_CONTEXT) if carrier else _NO_CONTEXT
        self._span = tracer.start_span(
            self._name, context=parent, kind=SpanKind.CONSUMER, attributes=self._attributes
        )
        self._token = context.attach(trace.set_span_in_context(self._span, parent))
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        context.detach(self._token)
        if isinstance(error, Exception) and self._span.is_recording():
            self._span.record_exception(error)
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._span.end()


@contextmanager
def calling(name: str, attributes: Mapping[str, str | int] | None = None) -> Generator[Span]:
    """A client span around a call to the outside."""
    with tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=dict(attributes or {})
    ) as span:
        yield span


@contextmanager
def serving(
    name: str,
    carrier: Mapping[str, str] | None = None,
    attributes: Mapping[str, str | int] | None = None,
) -> Generator[Span]:
    """A server span around an incoming request; `carrier` holds its lowercase headers."""
    parent = _PROPAGATOR.extract(dict(carrier or {}))
    with tracer.start_as_current_span(
        name, context=parent, kind=SpanKind.SERVER, attributes=dict(attributes or {})
    ) as span:
        yield span
