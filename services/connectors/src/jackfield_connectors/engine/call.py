"""One action under way at its vendor: every request it makes is signed in, limited, timed and mapped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from time import perf_counter
from typing import Final, cast

from prometheus_client import Counter, Histogram
from pydantic import JsonValue

from jackfield_common.connector.auth import Auth
from jackfield_common.connector.manifest import Method
from jackfield_common.connector.vendor import Reply
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.logs import REDACTED
from jackfield_common.telemetry import calling, current_trace
from jackfield_connectors.engine.answers import is_json, read_json
from jackfield_connectors.engine.credentials import Credential
from jackfield_connectors.engine.failures import CutOff
from jackfield_connectors.engine.lines import Line
from jackfield_connectors.engine.metrics import CALLS, SECONDS
from jackfield_connectors.engine.operations import Operation, unfitting
from jackfield_connectors.engine.requests import Base, Draft, finish
from jackfield_connectors.engine.transport import Answer, Request, Transport

_BETWEEN: Final = frozenset({502, 504})
"""Answers of something in between that did not hear the vendor itself (RFC 9110, 15.6.3 and 15.6.5)."""


@dataclass(slots=True)
class Call:
    """An action of an integration. It is the `Vendor` that an action which is code gets to see."""

    transport: Transport
    line: Line
    operation: Operation
    integration_id: str
    config: Mapping[str, JsonValue]
    scheme: Auth
    credential: Credential
    base: Base
    key: str
    guard: Callable[[], None]
    trace_vendor: bool = False
    vendor_seconds: float = 0.0
    sent: int = field(default=0)

    @property
    def auth(self) -> str:
        """The kind of credential at hand."""
        return self.scheme.kind

    async def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: JsonValue = None,
        form: Mapping[str, JsonValue] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        signed_in: bool = True,
    ) -> Reply:
        """See Vendor."""
        asked = Draft(
            method=method,
            path=path,
            query=dict(query or {}),
            body=json if form is None else dict(form),
            headers=headers or {},
            encoding="json" if form is None else "form",
            content=content,
        )
        answer, document = await self.exchange(asked, signed_in=signed_in)
        found = cast(JsonValue, document) if is_json(document) else None
        return Reply(answer.status, answer.headers, answer.body, found)

    async def fetch(self, asked: Draft) -> tuple[Answer, JsonValue]:
        """One request whose answer is JSON. Raises Failure."""
        answer, document = await self.exchange(asked)
        if not is_json(document):
            raise unfitting("not JSON", answer.body[:1024].decode("utf-8", "replace"))
        return answer, cast(JsonValue, document)

    async def exchange(
        self, asked: Draft, *, signed_in: bool = True
    ) -> tuple[Answer, JsonValue | object]:
        """One request and its answer, with the body as JSON where it is. Raises Failure."""
        request = finish(
            self._keyed(asked),
            self.operation.manifest,
            self.base,
            self.scheme,
            self.credential,
            signed_in=signed_in,
        )
        breaker = self.line.breaker(request.url.authority)
        breaker.admit()
        recorded = False
        try:
            await self.line.limiter.admit()
            self.guard()
            self.sent += 1
            answer, document = await self._observed(request)
            breaker.record(None)
            recorded = True
        except Failure as failure:
            breaker.record(failure.kind)
            recorded = True
            raise
        finally:
            if not recorded:
                breaker.abandon()
        return answer, document

    def _keyed(self, asked: Draft) -> Draft:
        header = self.operation.action.idempotency_header
        if header is None:
            return asked
        # each request of an action that makes several has a key of its own
        key = self.key if self.sent == 0 else f"{self.key}-{self.sent}"
        return replace(asked, headers={**asked.headers, header: key})

    async def _observed(self, request: Request) -> tuple[Answer, JsonValue | object]:
        slug, action = self.operation.manifest.slug, self.operation.action
        attributes = {
            "http.request.method": request.method,
            "server.address": request.url.host or "",
            "jackfield.connector": slug,
            "jackfield.action": action.name,
            "jackfield.integration": self.integration_id,
        }
        outcome = "cancelled"
        started = perf_counter()
        with calling(f"{request.method} {slug}.{action.name}", attributes) as span:
            if self.trace_vendor:
                request = replace(request, headers={**request.headers, **current_trace()})
            try:
                answer = await self.transport.send(self.integration_id, request, action.timeout)
                span.set_attribute("http.response.status_code", answer.status)
                document = self._understood(answer)
                outcome = "ok"
            except Failure as failure:
                outcome = failure.kind.value
                span.set_attribute("error.type", outcome)
                raise
            finally:
                seconds = perf_counter() - started
                self.vendor_seconds += seconds
                _seconds(slug).observe(seconds)
                _calls(slug, action.name, outcome).inc()
        return answer, document

    def _understood(self, answer: Answer) -> JsonValue | object:
        self.line.limiter.learn(answer)
        document = read_json(answer)
        failure = self.operation.errors.failure(answer, document)
        if failure is None:
            return document
        failure = self._discreet(failure)
        if failure.kind is ErrorKind.RATE_LIMITED:
            self.line.limiter.refused(failure.retry_after)
        if answer.status in _BETWEEN and failure.kind is ErrorKind.UNAVAILABLE:
            raise CutOff(failure.kind, failure.message, retry_after=failure.retry_after)
        raise failure

    def _discreet(self, failure: Failure) -> Failure:
        """The failure without the credential, which some vendors repeat in their explanations."""
        message = failure.message
        for one in self.scheme.fields:
            value = self.credential.fields.get(one.name)
            if one.type == "password" and value:
                message = message.replace(value, REDACTED)
        return Failure(failure.kind, message, field=failure.field, retry_after=failure.retry_after)


# A label lookup costs more than the counting, and there are only so many of them.
@cache
def _calls(connector: str, action: str, outcome: str) -> Counter:
    return CALLS.labels(connector, action, outcome)


@cache
def _seconds(connector: str) -> Histogram:
    return SECONDS.labels(connector)
