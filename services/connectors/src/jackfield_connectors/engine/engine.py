"""The engine: performs one action of one integration at its vendor."""

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue

from jackfield_common.connector.auth import Auth, NoAuth
from jackfield_common.connector.manifest import ActionManifest, HttpCall, Manifest
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.selector import at_path
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.integration import IntegrationState
from jackfield_common.events.message import JsonObject
from jackfield_connectors.engine.answers import is_json
from jackfield_connectors.engine.call import Call
from jackfield_connectors.engine.credentials import Credential
from jackfield_connectors.engine.failures import CutOff
from jackfield_connectors.engine.limiter import Clock
from jackfield_connectors.engine.lines import Lines
from jackfield_connectors.engine.operations import (
    Operation,
    input_fields,
    unfitting,
)
from jackfield_connectors.engine.pages import collect
from jackfield_connectors.engine.requests import base_of, draft
from jackfield_connectors.engine.transport import Transport

MAX_ITEMS: Final = 100_000
"""Of a list whose caller sets no limit: one that comes in a single answer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an action returned, and how long the vendor took for it, in seconds."""

    data: JsonValue
    vendor_seconds: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """An action whose input and credential were found good; nothing was sent yet."""

    call: Call
    values: JsonObject
    repeat: Repeat


class Engine:
    """Performs actions. `trace_vendors` sends the W3C trace context along to vendors."""

    def __init__(
        self,
        transport: Transport,
        *,
        trace_vendors: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._transport = transport
        self._trace_vendors = trace_vendors
        self._lines = Lines(clock)

    async def forget(self, integration_id: str) -> None:
        """Drop what is held for an integration that was uninstalled."""
        self._lines.forget(integration_id)
        await self._transport.forget(integration_id)

    def prepare(
        self,
        operation: Operation,
        integration: IntegrationState,
        credential: Credential,
        given: JsonObject,
        key: str,
        guard: Callable[[], None],
    ) -> Prepared:
        """Check everything that can be checked before anything is sent.

        `key` is the idempotency key. `guard` is called before each request, and raises when none may go
        out any more. Raises Failure(INVALID) naming the field.
        """
        manifest, action = operation.manifest, operation.action
        chosen = {k: v for k, v in integration.config.items() if v is not None}
        config = {**operation.settings, **chosen}
        values = operation.accept(_with_defaults(action, config, given))
        scheme = scheme_of(manifest, credential)
        if action.auth and scheme.kind not in action.auth:
            raise Failure(
                ErrorKind.INVALID,
                f"{action.name} needs a credential of the kind {' or '.join(action.auth)}",
                field="credentials",
            )
        call = Call(
            transport=self._transport,
            line=self._lines.of(integration.integration_id, manifest.limits),
            operation=operation,
            integration_id=integration.integration_id,
            config=config,
            scheme=scheme,
            credential=credential,
            base=base_of(manifest, config, scheme, credential),
            key=key,
            guard=guard,
            trace_vendor=self._trace_vendors,
        )
        repeated = config.get("repeat_unknown_outcomes") is True
        return Prepared(call, values, Repeat.SAFE if repeated else action.repeat)

    async def perform(self, prepared: Prepared) -> Result:
        """Perform an action. Raises Failure: OUTCOME_UNKNOWN where an unsafe one was cut off."""
        call = prepared.call
        try:
            data = await _run(call, prepared.values)
        except CutOff as cut:
            if prepared.repeat is not Repeat.UNSAFE:
                raise
            raise Failure(
                ErrorKind.OUTCOME_UNKNOWN,
                f"{cut.message}; whether it was carried out is not known, and it is not repeated by itself",
            ) from cut
        return Result(data, call.vendor_seconds)


async def _run(call: Call, values: JsonObject) -> JsonValue:
    operation = call.operation
    if operation.code is not None:
        return await operation.code(call, values)
    http = operation.action.call(call.auth)
    assert http is not None, operation.action.name  # the declaration's validator says so
    asked = draft(http, values)
    if http.pages is not None:
        limit = values.get("limit")
        items, complete = await collect(
            http.pages, asked, limit if isinstance(limit, int) else MAX_ITEMS, call.fetch
        )
        return {"items": [operation.produce(item) for item in items], "complete": complete}
    answer, document = await call.exchange(asked)
    match http.answer:
        case "text":
            return operation.produce({"text": answer.body.decode("utf-8", "replace")})
        case "bytes":
            content = base64.b64encode(answer.body).decode()
            content_type = answer.headers.get("content-type", "")
            return operation.produce({"content_base64": content, "content_type": content_type})
        case "json":
            if not is_json(document):
                raise unfitting("not JSON", answer.body[:1024].decode("utf-8", "replace"))
            return operation.produce(_result(http, cast(JsonValue, document)))


def _result(http: HttpCall, document: JsonValue) -> JsonValue:
    if document is None:
        return {}
    return at_path(document, http.result_path) if http.result_path else document


def _with_defaults(
    action: ActionManifest, config: Mapping[str, JsonValue], given: JsonObject
) -> JsonObject:
    """The input, with the installation's settings where it leaves a parameter out."""
    known = input_fields(action)
    shared = {name: value for name, value in config.items() if name in known}
    return {**shared, **given}


def scheme_of(manifest: Manifest, credential: Credential) -> Auth:
    """How the connector signs in with this kind of credential. Raises Failure(INVALID)."""
    for scheme in manifest.auth:
        if scheme.kind == credential.auth:
            return scheme
    if credential.auth == NoAuth().kind:
        names = [one.name for one in manifest.auth[0].fields if one.required]
        raise Failure(
            ErrorKind.INVALID,
            f"no credential was given yet: {', '.join(names)}",
            field=names[0] if names else "credentials",
        )
    raise Failure(
        ErrorKind.INVALID,
        f"{manifest.slug} does not sign in by {credential.auth}",
        field="credentials",
    )
