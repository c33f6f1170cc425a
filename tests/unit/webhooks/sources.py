"""Sources and deliveries for the unit tests."""

from typing import Any

from jackfield_common.connector.webhook import Webhook
from jackfield_common.events import DeliveryVerified
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from jackfield_webhooks.service.sources import Source


def source_of(slug: str = "forge", **webhook: Any) -> Source:
    """A source; `webhook` are fields of its declaration."""
    return Source(
        slug,
        Webhook.model_validate(
            {
                "verify": {"kind": "token", "header": "X-Token"},
                "event_type": "header:X-Event",
                "setup": ["Enter {url}"],
                **webhook,
            }
        ),
    )


def delivered(body: str = "{}", **more: Any) -> DeliveryVerified:
    """A delivery; `more` are its fields."""
    fields: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "integration_id": IntegrationId("i-1"),
        "connector": "forge",
        "content_type": "application/json",
        "headers": {"x-event": "push"},
        "body": body,
        **more,
    }
    return DeliveryVerified.model_validate(fields)
