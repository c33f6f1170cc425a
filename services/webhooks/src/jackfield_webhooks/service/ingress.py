"""The public way in: a tenant's CloudEvents, checked, and re-keyed for the lanes.

The tenant is the topic's, whatever the message says. The extension attribute `integrationid` names an
integration of that tenant; then the event is keyed, ordered and read as that integration's own webhooks.
"""

from typing import Final

from pydantic import JsonValue, ValidationError

from jackfield_common.connector.selector import Request
from jackfield_common.envelope import CloudEvent
from jackfield_common.errors import ContractError, ErrorKind, Failure
from jackfield_common.events import EventIngested, IntegrationState
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import IntegrationId, TenantId, derived_id
from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.ordering import lane_name
from jackfield_webhooks.service.payload import Payload, parse

INTEGRATION: Final = "integrationid"
"""The extension attribute that names an integration."""
PARTITION_KEY: Final = "partitionkey"
"""The extension attribute that orders events (CloudEvents Partitioning extension)."""
MAX_SOURCE_BYTES: Final = 1_024
_DECLARED: Final = ("application/json",)


class Ingress:
    """Takes CloudEvents over."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def take(self, tenant: TenantId, sent: CloudEvent) -> EventIngested:
        """The event to process. Raises ContractError or Failure with what is wrong with it."""
        if len(sent.source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
            raise ContractError(f"source is longer than {MAX_SOURCE_BYTES} bytes")
        if "\x00" in sent.source:
            raise ContractError("source holds a NUL character")
        payload = _payload(sent)
        integration = await self._integration(tenant, sent.extensions.get(INTEGRATION))
        try:
            return EventIngested(
                id=derived_id("ingress", tenant, sent.source, sent.id),
                tenant=tenant,
                cloudevent_id=sent.id,
                event_type=sent.type,
                source=sent.source,
                integration_id=None if integration is None else integration.integration_id,
                about=sent.subject,
                ordering=await self._ordering(sent, payload.data, integration),
                mode="structured" if sent.structured else "binary",
                content_type=sent.content_type,
                data=payload.data,
                metadata=_metadata(sent, payload),
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the event"
            raise ContractError(f"{where}: {first['msg']}") from None

    async def _integration(self, tenant: TenantId, named: str | None) -> IntegrationState | None:
        if not named:
            return None
        try:
            return await self._catalogue.integration(tenant, IntegrationId(named))
        except Failure:
            raise Failure(
                ErrorKind.NOT_FOUND,
                f"integrationid {named[:100]!r} is no integration of the tenant {tenant}",
                field=INTEGRATION,
            ) from None

    async def _ordering(
        self, sent: CloudEvent, data: JsonValue, integration: IntegrationState | None
    ) -> str:
        if integration is not None:
            source = self._catalogue.source_now(integration.integration_id)
            if source is not None and source.ordering is not None:
                found = source.ordering.of(Request(headers=sent.extensions, body=data))
                if found is not None:
                    return lane_name(found)
        return lane_name(sent.extensions.get(PARTITION_KEY) or sent.subject or "")


def _payload(sent: CloudEvent) -> Payload:
    try:
        return parse(sent.data, sent.content_type, _DECLARED)
    except Failure as failure:
        raise ContractError(f"data: {failure.message}") from None


def _metadata(sent: CloudEvent, payload: Payload) -> JsonObject:
    metadata: JsonObject = {"extensions": dict(sent.extensions)}
    if sent.time is not None:
        metadata["time"] = sent.time.isoformat()
    if payload.encoding is not None:
        metadata["encoding"] = payload.encoding
    return metadata
