"""Structured logs, one JSON object a line, joined to traces by `trace_id`; they cannot print a secret.

Three things stand between a secret and a log: values of secret-sounding fields are replaced, token
shapes inside any text are replaced, and exceptions are logged without the values of local variables.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, cast

import structlog
from opentelemetry import trace

from jackfield_common.settings import Settings
from jackfield_common.topics import Service

REDACTED: Final = "[redacted]"

_SECRET_NAME: Final = re.compile(
    r"(?i)(secret|passw|token|api[-_]?key|authorization|credential|cookie|signature|private|dsn)"
)
_HARMLESS: Final = frozenset({"token_type", "tokens", "token_count", "credential_version"})
_SECRET_SHAPES: Final = re.compile(
    r"(?:jf_[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"
    r"|xox[a-z]-[A-Za-z0-9-]{8,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}"
    r"|whsec_[A-Za-z0-9+/=]{8,}"
    r"|https://hooks\.slack\.com/services/\S+"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|://[^/\s:@]+:[^/\s@]+@)"
)


def scrub(value: Any) -> Any:
    """The same value without what looks like a secret."""
    match value:
        case str():
            return _SECRET_SHAPES.sub(REDACTED, value)
        case dict():
            items = cast(dict[Any, Any], value)
            return {key: _field(str(key), item) for key, item in items.items()}
        case list() | tuple():
            sequence = list(cast(list[Any], value))
            return [scrub(item) for item in sequence]
        case bytes():
            return f"<{len(value)} bytes>"
        case None | bool() | int() | float():
            return value
        case _:
            return _SECRET_SHAPES.sub(REDACTED, str(value))


def _field(name: str, value: Any) -> Any:
    if name not in _HARMLESS and _SECRET_NAME.search(name) and value not in (None, "", True, False):
        return REDACTED
    return scrub(value)


def _scrub_entry(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: _field(key, value) for key, value in entry.items()}


def _join_trace(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        entry["trace_id"] = trace.format_trace_id(context.trace_id)
        entry["span_id"] = trace.format_span_id(context.span_id)
    return entry


def configure(settings: Settings, service: Service) -> None:
    """Send this process's logs, those of the libraries as well, to standard output."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _join_trace,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _scrub_entry,
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # aiokafka reports as errors what it retries by itself; what matters of it is logged by its users.
    logging.getLogger("aiokafka").setLevel(
        max(level, logging.CRITICAL) if level > logging.DEBUG else level
    )
    for noisy in ("faststream", "asyncio", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service.value)
