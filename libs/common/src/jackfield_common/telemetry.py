"""Traces from the HTTP request through Kafka to the vendor call, and Prometheus metrics.

The W3C trace context travels as the record header `traceparent`; a consumer continues the trace. Without
a collector configured, spans still have ids (logs are joined by them) and go nowhere.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jackfield_common.envelope import trace_context
from jackfield_common.settings import Settings
from jackfield_common.topics import Service

_PROPAGATOR: Final = TraceContextTextMapPropagator()
tracer: Final = trace.get_tracer("jackfield")

LATENCY_BUCKETS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
)  # fmt: skip
"""Seconds; for histograms of everything from an acceptance to a slow vendor."""


def configure(settings: Settings, service: Service, instance: str) -> TracerProvider:
    """Install the tracer provider of this process; shut it down at the end to flush."""
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.namespace": "jackfield",
                "service.name": service.value,
                "service.instance.id": instance,
            }
        )
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


@contextmanager
def consuming(
    name: str,
    headers: Iterable[tuple[str, bytes]],
    attributes: Mapping[str, str | int] | None = None,
) -> Generator[Span]:
    """A consumer span that continues the trace of a record."""
    parent = _PROPAGATOR.extract(trace_context(headers))
    with tracer.start_as_current_span(
        name, context=parent, kind=SpanKind.CONSUMER, attributes=dict(attributes or {})
    ) as span:
        yield span


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
