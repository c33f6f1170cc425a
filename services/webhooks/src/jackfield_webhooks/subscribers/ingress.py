"""The tenants' public topics.

They are not consumed in lanes: other people's clients choose any key or none, and nothing relies on the
order before the re-keyed topic. A batch is read, each record of it taken over or refused, everything
published in the order read and acknowledged, and only then are the offsets committed. What is read twice
has the same ids.
"""

import asyncio
import base64
from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from prometheus_client import Counter

from jackfield_common import telemetry
from jackfield_common.envelope import OutgoingRecord, encode, read_cloudevent
from jackfield_common.errors import ContractError, ErrorKind, Failure, NotReady
from jackfield_common.events import DeadLetter, EventIngested
from jackfield_common.ids import TenantId, derived_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.topics import events_dead, events_in, tenant_of
from jackfield_webhooks.service.ingress import Ingress
from jackfield_webhooks.service.statistics import INGRESS

log = structlog.get_logger(__name__)

REFUSED: Final = Counter(
    "jackfield_ingress_refused_total", "CloudEvents that were dead-lettered", ["tenant", "kind"]
)

GROUP: Final = "webhooks.ingress"
BATCH_RECORDS: Final = 500
BATCH_BYTES: Final = 32 * 1024 * 1024
_POLL_MS: Final = 500
_BACKOFF_MAX: Final = 2.0


class IngressConsumer:
    """Follows the public topics of every tenant."""

    def __init__(self, kafka: Kafka, publisher: Publisher, ingress: Ingress) -> None:
        self._kafka = kafka
        self._publisher = publisher
        self._ingress = ingress
        self.ready = False

    async def run(self) -> None:
        """Consume until cancelled; survives Kafka being away."""
        delay = 0.05
        while True:
            try:
                await self._consume()
            except (KafkaError, OSError) as error:
                log.warning("ingress_reconnects", error=type(error).__name__)
            finally:
                self.ready = False
            await asyncio.sleep(delay)
            delay = min(delay * 2, _BACKOFF_MAX)

    async def _consume(self) -> None:
        topics = [events_in(tenant) for tenant in self._kafka.settings.tenants]
        consumer = self._kafka.consumer(
            *topics, group_id=self._kafka.group(GROUP), max_partition_fetch_bytes=1024 * 1024
        )
        await consumer.start()
        try:
            self.ready = True
            while True:
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=BATCH_RECORDS)
                for partition, records in batches.items():
                    for batch in by_size(records, BATCH_BYTES):
                        await self._take_all(batch)
                        await self._commit(consumer, partition, batch[-1].offset + 1)
        finally:
            await consumer.stop()

    async def _commit(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int
    ) -> None:
        try:
            await consumer.commit({partition: offset})
        except CommitFailedError:
            # the partition has moved: its new owner reads these again, and gives them the same ids
            log.info("ingress_partition_moved", partition=partition.partition)

    async def _take_all(self, records: Sequence[ConsumerRecord]) -> None:
        taken = await asyncio.gather(*(self._taken(record) for record in records))
        while True:
            # Sent in the order read; one that fails sends the batch again, under the same ids.
            sent = await asyncio.gather(
                *(self._publisher.send(record) for record in taken), return_exceptions=True
            )
            failed = next((error for error in sent if error is not None), None)
            if failed is None:
                return
            if not isinstance(failed, NotReady):
                raise failed
            log.warning("ingress_waits_for_kafka", reason=str(failed))
            await asyncio.sleep(failed.retry_after)

    async def _taken(self, record: ConsumerRecord) -> OutgoingRecord:
        """The record that takes this one's place: the event to process, or a dead letter."""
        tenant = tenant_of(self._kafka.naming.logical(record.topic))
        with telemetry.consuming("ingress take", record.headers):
            try:
                event = await self._ingress.take(
                    tenant, read_cloudevent(record.headers, record.value)
                )
                taken = self._encoded(event)
            except ContractError as error:
                return self._dead(tenant, record, ErrorKind.INVALID, str(error))
            except Failure as failure:
                return self._dead(tenant, record, failure.kind, failure.message)
            except Exception as error:
                # A fault of ours must not stop everything behind this record.
                log.exception("ingress_failed", partition=record.partition, offset=record.offset)
                return self._dead(tenant, record, ErrorKind.BUG, type(error).__name__)
            INGRESS.labels(tenant).inc()
            return taken

    def _encoded(self, event: EventIngested) -> OutgoingRecord:
        naming = self._kafka.naming
        record = encode(event, self._kafka.service, naming, telemetry.current_trace())
        if size_of(record) > type(event).topic.max_message_bytes:
            raise Failure(ErrorKind.INVALID, f"{size_of(record)} bytes are too many")
        return record

    def _dead(
        self, tenant: TenantId, record: ConsumerRecord, kind: ErrorKind, message: str
    ) -> OutgoingRecord:
        REFUSED.labels(tenant, kind.value).inc()
        topic = events_dead(tenant)
        letter = dead_letter(tenant, record, kind, message)
        encoded = self._letter(tenant, letter)
        if size_of(encoded) > topic.max_message_bytes:
            where = f"{letter.source_topic}/{record.partition}/{record.offset}"
            bare = letter.model_copy(
                update={
                    "value": None,
                    "headers": (),
                    "message": f"{message} [too large to be repeated here: read {where}]",
                }
            )
            encoded = self._letter(tenant, bare)
        return encoded

    def _letter(self, tenant: TenantId, letter: DeadLetter) -> OutgoingRecord:
        topic = events_dead(tenant)
        key = letter.key().encode()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", letter.id.encode()),
            ("ce_source", f"/jackfield/{self._kafka.service}".encode()),
            ("ce_type", topic.name.encode()),
            ("ce_time", letter.at.isoformat().encode()),
            ("ce_subject", key),
            ("ce_tenant", tenant.encode()),
            ("ce_partitionkey", key),
            ("content-type", b"application/json"),
            *((name, value.encode()) for name, value in telemetry.current_trace().items()),
        ]
        return OutgoingRecord(self._kafka.naming.physical(topic), key, letter.to_bytes(), headers)


def dead_letter(
    tenant: TenantId, record: ConsumerRecord, kind: ErrorKind, message: str
) -> DeadLetter:
    """What was refused, with its own bytes and headers; its place gives it its id."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return DeadLetter(
        id=derived_id("dead", place),
        tenant=tenant,
        source_topic=events_in(tenant).name,
        partition=record.partition,
        offset=record.offset,
        lane_key=place,
        kind=kind,
        message=message,
        record_key=_base64(record.key),
        headers=tuple((name, _base64(value) or "") for name, value in record.headers),
        value=_base64(record.value),
    )


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")


def size_of(record: OutgoingRecord) -> int:
    """What a record takes on the wire, roughly, in bytes."""
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key) + len(record.value or b"") + headers + 512


def by_size(records: Iterable[ConsumerRecord], limit: int) -> Iterable[list[ConsumerRecord]]:
    """The records in order, in batches of at most `limit` bytes; a larger one is alone."""
    batch: list[ConsumerRecord] = []
    size = 0
    for record in records:
        bytes_ = len(record.value or b"")
        if batch and size + bytes_ > limit:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += bytes_
    if batch:
        yield batch
