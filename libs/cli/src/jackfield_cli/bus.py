"""Kafka from the command's side: reads, never commits, joins no group."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import state_directory
from jackfield_common.errors import ContractError
from jackfield_common.events.integration_event import IntegrationEvent
from jackfield_common.ids import tenant_id
from jackfield_common.topics import Naming, events_out

LARGEST_RECORD_BYTES = 48 * 1024 * 1024


def bootstrap_servers(environment: Mapping[str, str] = os.environ) -> str:
    """What JACKFIELD_KAFKA_BOOTSTRAP_SERVERS names, or the local installation's Kafka.

    Raises `LocalError` before the first local run.
    """
    named = environment.get("JACKFIELD_KAFKA_BOOTSTRAP_SERVERS")
    if named:
        return named
    run = Installation(state_directory()).last_run()
    if run is None:
        raise LocalError(
            "No Kafka is named, and nothing has run here yet.",
            "Run `jackfield up`, or set JACKFIELD_KAFKA_BOOTSTRAP_SERVERS.",
        )
    return run.kafka_bootstrap_servers


async def follow_events(tenant: str, *, from_beginning: bool) -> AsyncGenerator[IntegrationEvent]:
    """A tenant's normalised events, from now on or from the first that is kept.

    Raises `LocalError` when Kafka cannot be reached or the tenant's name is none.
    """
    try:
        topic = events_out(tenant_id(tenant))
    except ValueError as error:
        raise LocalError(f"{error}.", "Give the name of a tenant.") from None
    naming = Naming(os.environ.get("JACKFIELD_TOPIC_PREFIX", ""))
    servers = bootstrap_servers()
    consumer = AIOKafkaConsumer(
        naming.physical(topic),
        bootstrap_servers=servers,
        auto_offset_reset="earliest" if from_beginning else "latest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=LARGEST_RECORD_BYTES,
        metadata_max_age_ms=2_000,  # the topic may be made a moment later
    )
    try:
        await consumer.start()
        async for record in consumer:
            with suppress(ContractError):  # another version's event is no reason to end
                yield IntegrationEvent.from_bytes(record.value or b"")
    except KafkaError as error:
        raise LocalError(
            f"Kafka at {servers} cannot be read: {error}.", "Is it running? See `jackfield status`."
        ) from error
    finally:
        await consumer.stop()
