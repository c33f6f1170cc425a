"""Every knob of the webhooks service, read from the environment with the prefix `JACKFIELD_`."""

from pydantic import Field

from jackfield_common.settings import Settings


class WebhooksSettings(Settings):
    """The settings of the webhooks service."""

    delivery_horizon_days: float = Field(default=14, gt=0)
    """How long a delivery is remembered, so that a copy of it is recognised as a duplicate."""
    history_days: float = Field(default=30, gt=0)
    """How long past deliveries are listed. Their content is read from the topics
    `webhooks.delivery.verified.v1` and `webhooks.event.ingested.v1`, which keep it 30 days unless
    created otherwise; `retention.ms` and `retention.bytes` there limit it by time and by size."""
    routing_in_flight: int = Field(default=256, ge=1, le=10_000)
    """Deliveries and events that are routed at once, each in a lane of its own."""
    routing_wait_seconds: float = Field(default=2.0, gt=0, le=20)
    """How long routing waits for an integration or a connector that it has not heard of, before the
    lane tries again later."""
    routing_retries: int = Field(default=1_000, ge=0)
    """How often a delivery is tried again whose integration stays unknown."""
    routing_retry_seconds: float = Field(default=1.0, gt=0)
    """The first of these waits; they double."""
    routing_retry_seconds_max: float = Field(default=60.0, gt=0)
    """The longest of them."""
    routing_budget_seconds: float = Field(default=86_400, gt=0)
    """After how long such a delivery is given up as a dead letter."""
    statistics_seconds: float = Field(default=2.0, gt=0, le=10)
    """How often this worker's figures are published for `GET /webhooks/stats`."""
