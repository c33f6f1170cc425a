"""Reading: a record's event, normalised by the manifest of the integration that it is for."""

from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import DeliveryVerified, EventIngested
from jackfield_webhooks.models import Normalised
from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.normalisation import normalise_delivery, normalise_ingested


class Reading:
    """Normalises deliveries and ingested events with what the catalogue knows."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def delivery(self, delivery: DeliveryVerified) -> Normalised:
        """A delivery as an event. Raises Failure."""
        integration = await self._catalogue.integration(delivery.tenant, delivery.integration_id)
        source = await self._catalogue.source(integration.connector)
        if source is None:
            raise Failure(
                ErrorKind.INVALID, f"the connector {integration.connector} declares no webhook"
            )
        return normalise_delivery(delivery, source)

    async def ingested(self, ingested: EventIngested) -> Normalised:
        """An event sent in, as an event of its integration where it names one. Raises Failure."""
        if ingested.integration_id is None:
            return normalise_ingested(ingested, None)
        integration = await self._catalogue.integration(ingested.tenant, ingested.integration_id)
        return normalise_ingested(ingested, await self._catalogue.source(integration.connector))
