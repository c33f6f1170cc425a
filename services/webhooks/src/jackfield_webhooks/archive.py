"""The archive of deliveries and events: their topics, read at a place."""

import asyncio
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from jackfield_common.errors import ErrorKind, Failure, NotReady
from jackfield_common.kafka import Kafka
from jackfield_common.topics import find
from jackfield_webhooks.models import Place

log = structlog.get_logger(__name__)

READ_SECONDS: Final = 10.0


class Archive:
    """Reads single records. One at a time: whoever else reads waits."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._reading = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def read(self, place: Place) -> ConsumerRecord:
        """The record at a place.

        Raises Failure(NOT_FOUND) when it is older than its topic's retention, NotReady when Kafka
        does not answer.
        """
        async with self._reading:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    return await self._read(place)
            except OffsetOutOfRangeError:
                raise Failure(
                    ErrorKind.NOT_FOUND, "the record is older than the archive keeps them"
                ) from None
            except (TimeoutError, KafkaError, OSError) as error:
                await self.stop()
                raise NotReady(f"the archive cannot be read: {type(error).__name__}") from error

    async def _read(self, place: Place) -> ConsumerRecord:
        if self._consumer is None:
            # an offset that is gone is an error here, not a reason to read another record
            consumer = self._kafka.consumer(
                group_id=None, auto_offset_reset="none", max_partition_fetch_bytes=64 * 1024
            )
            await consumer.start()
            self._consumer = consumer
        consumer = self._consumer
        tp = TopicPartition(self._kafka.naming.physical(find(place.topic)), place.partition)
        consumer.assign([tp])
        consumer.seek(tp, place.offset)
        record = await consumer.getone(tp)
        if record.offset != place.offset:
            raise OffsetOutOfRangeError(f"{place.topic}/{place.partition}/{place.offset}")
        return record
