"""Kafka clients, built from settings in one place; and the publisher that every service uses.

aiokafka's idempotent producer has two states it cannot leave (seen, and covered by tests): after a
refused batch every later batch of that partition fails with OutOfOrderSequence, and after 2**31 records
of one partition all fail. The publisher therefore checks sizes before it appends, and replaces its
producer after a non-retriable error.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    for_code,
)

from jackfield_common.envelope import OutgoingRecord, encode
from jackfield_common.errors import ErrorKind, Failure, NotReady
from jackfield_common.events.message import Event
from jackfield_common.settings import Settings
from jackfield_common.telemetry import current_trace
from jackfield_common.topics import Naming, Service, Topic, owned_by

log = structlog.get_logger(__name__)

Record = ConsumerRecord
"""A record as it was read: topic, partition, offset, key, headers, value. Rules name it so."""

REQUEST_TIMEOUT_MS: Final = 10_000
PUBLISH_TIMEOUT: Final = 5.0
"""Seconds until an unacknowledged record is reported as unknown."""
_RECORD_OVERHEAD: Final = 512


class Kafka:
    """Makes Kafka clients with this service's connection settings, and knows its topic names."""

    def __init__(self, settings: Settings, service: Service, instance: str) -> None:
        self.settings = settings
        self.service = service
        self.instance = instance
        self.naming = Naming(settings.topic_prefix)

    def connection(self) -> dict[str, Any]:
        """What every client needs to connect."""
        settings = self.settings
        options: dict[str, Any] = {
            "bootstrap_servers": settings.kafka_bootstrap_servers,
            "client_id": f"jackfield-{self.service}-{self.instance}",
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "security_protocol": settings.kafka_security_protocol,
        }
        if settings.kafka_security_protocol in ("SSL", "SASL_SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
        if settings.kafka_security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = settings.kafka_sasl_mechanism
            options["sasl_plain_username"] = settings.kafka_sasl_username
            options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
        return options

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """An idempotent producer with acks=all."""
        defaults: dict[str, Any] = {
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": 0,
            "max_request_size": 48 * 1024 * 1024,
            "max_batch_size": 256 * 1024,
        }
        return AIOKafkaProducer(**(self.connection() | defaults | options))

    def consumer(self, *topics: Topic, **options: Any) -> AIOKafkaConsumer:
        """A consumer of committed records that starts at the earliest and never commits by itself."""
        defaults: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "max_partition_fetch_bytes": 4 * 1024 * 1024,
            "fetch_max_wait_ms": 100,
        }
        names = [self.naming.physical(topic) for topic in topics]
        return AIOKafkaConsumer(*names, **(self.connection() | defaults | options))

    def group(self, name: str) -> str:
        """A consumer group's name, with the operator's prefix."""
        return f"{self.settings.topic_prefix}jackfield.{name}"

    async def create_topics(self) -> None:
        """Create the topics that this service owns; those that exist stay as they are. Raises KafkaError."""
        if self.settings.topics_created_by == "administrator":
            return
        wanted = owned_by(self.service, self.settings.tenants)
        most = self.settings.topic_partitions
        admin = AIOKafkaAdminClient(**self.connection())
        await admin.start()
        try:
            answer = await admin.create_topics(
                [
                    NewTopic(
                        name=self.naming.physical(topic),
                        num_partitions=min(topic.partitions, most or topic.partitions),
                        replication_factor=self.settings.topic_replication,
                        topic_configs=topic.configuration(),
                    )
                    for topic in wanted
                ]
            )
            for name, code, message, *_ in answer.topic_errors:
                error = for_code(code)
                if code != 0 and error is not TopicAlreadyExistsError:
                    raise error(f"topic {name}: {message}")
        finally:
            await admin.close()

    async def partitions(self, topic: Topic) -> list[TopicPartition]:
        """The partitions of a topic as the broker has them; waits as long as the topic is not there.

        Raises KafkaError when no broker answers.
        """
        name = self.naming.physical(topic)
        admin = AIOKafkaAdminClient(**self.connection())
        await admin.start()
        try:
            while True:
                (described,) = await admin.describe_topics([name])
                if described["error_code"] == 0:
                    numbers = sorted(entry["partition"] for entry in described["partitions"])
                    return [TopicPartition(name, number) for number in numbers]
                await asyncio.sleep(0.2)
        finally:
            await admin.close()

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each partition ends now, transactions whose markers are still to come included."""
        consumer = self.consumer(group_id=None, isolation_level="read_uncommitted")
        await consumer.start()
        try:
            return await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()


class Publisher:
    """Publishes events, each acknowledged by all in-sync replicas before `publish` returns."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._replacing = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises KafkaConnectionError when no broker answers."""
        self._producer = await self._connected()

    async def stop(self) -> None:
        """Flush what is under way, then close."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def publish(self, event: Event, trace: Mapping[str, str] | None = None) -> None:
        """Publish one event and wait for the acknowledgement.

        Raises Failure(INVALID) when it is too large for its topic, NotReady when Kafka does not
        acknowledge in time: then the record may still appear.
        """
        record = encode(
            event,
            self._kafka.service,
            self._kafka.naming,
            current_trace() if trace is None else trace,
        )
        limit = type(event).topic.max_message_bytes if hasattr(type(event), "topic") else None
        await self.send(record, limit=limit)

    async def send(self, record: OutgoingRecord, *, limit: int | None = None) -> None:
        """Publish one record; as `publish`. `limit` is the topic's size limit in bytes."""
        size = len(record.value or b"") + sum(len(k) + len(v) for k, v in record.headers)
        if limit is not None and size + _RECORD_OVERHEAD > limit:
            raise Failure(ErrorKind.INVALID, f"{size} bytes are too many for {record.topic}")
        producer = self._producer
        if producer is None:
            raise NotReady("the publisher is not connected")
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                await producer.send_and_wait(
                    record.topic, value=record.value, key=record.key, headers=record.headers
                )
        except (TimeoutError, KafkaTimeoutError, KafkaConnectionError) as error:
            raise NotReady("Kafka did not acknowledge in time") from error
        except KafkaError as error:
            if not error.retriable:
                await self._replace(producer)
            raise NotReady(f"Kafka refused a record of {record.topic}: {error!r}") from error

    async def _connected(self) -> AIOKafkaProducer:
        producer = self._kafka.producer()
        await producer.start()
        return producer

    async def _replace(self, broken: AIOKafkaProducer) -> None:
        async with self._replacing:
            if self._producer is not broken:
                return
            log.warning("producer_replaced", service=self._kafka.service)
            self._producer = await self._connected()
        await broken.stop()
