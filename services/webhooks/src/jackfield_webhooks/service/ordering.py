"""Ordering keys: what the order of an integration's deliveries is kept by."""

from typing import Final

import pydantic_core
from pydantic import JsonValue

from jackfield_common.errors import Failure
from jackfield_common.events import DeliveryVerified
from jackfield_common.ids import derived_id
from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.normalisation import request_of
from jackfield_webhooks.service.payload import parse

MAX_BYTES: Final = 512


def lane_name(ordering: str) -> str:
    """An ordering key that can name a lane: short, without NUL; another one is stood for by its id."""
    if "\x00" in ordering or len(ordering.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return derived_id("ordering", ordering)
    return ordering


def ordering_of(value: bytes | None, catalogue: Catalogue) -> str:
    """The lane of a delivery's record, by its connector's selector; empty where there is none.

    Never raises: what does not parse is in the integration's own lane, and fails there.
    """
    try:
        document = pydantic_core.from_json(value or b"", cache_strings="keys")
        integration_id = document["integration_id"]
        source = catalogue.source_now(integration_id)
        if source is None or source.ordering is None:
            return ""
        delivery = DeliveryVerified.model_validate(document)
        body: JsonValue = None
        if source.ordering.needs_body:
            raw = delivery.raw_body()
            body = parse(raw, delivery.content_type, source.content_types).data
    except (Failure, KeyError, TypeError, ValueError):
        return ""
    return lane_name(source.ordering.of(request_of(delivery, body)) or "")
