"""Writes a record as a client in another language may: with a header name that is not UTF-8."""

# aiokafka refuses to write such a record, so that its batch is made here and sent through its client.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingModuleSource=false
# pyright: reportMissingImports=false, reportUnknownArgumentType=false

import struct
import zlib
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

PLACEHOLDER = "header-name"
NAME = b"\xff" + PLACEHOLDER.encode()[1:]
GZIP = 1


async def send_foreign(
    producer: AIOKafkaProducer,
    tp: TopicPartition,
    records: list[tuple[bytes, bytes, bool]],
    *,
    compression: int = 0,
) -> None:
    """Write one batch of (key, value, whether it has the odd header)."""
    builder: Any = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for offset, (key, value, odd) in enumerate(records):
        headers = [("ce_tenant", b"default")]
        if odd:
            headers.append((PLACEHOLDER, b"\x01"))
        builder.append(offset, timestamp=1_700_000_000_000, key=key, value=value, headers=headers)
    batch = bytearray(bytes(builder.build()).replace(PLACEHOLDER.encode(), NAME))
    if compression == GZIP:
        packer = zlib.compressobj(wbits=31)
        batch[61:] = packer.compress(bytes(batch[61:])) + packer.flush()
        struct.pack_into(">i", batch, 8, len(batch) - 12)
        struct.pack_into(">h", batch, 21, GZIP)
    struct.pack_into(">I", batch, 17, calc_crc32c(batch[21:]))
    client = producer.client
    node = client.cluster.leader_for_partition(tp)
    request = ProduceRequest(
        transactional_id=None,
        required_acks=-1,
        timeout=10_000,
        topics=[(tp.topic, [(tp.partition, bytes(batch))])],
    )
    answer = await client.send(node, request)
    ((_, ((_, code, *_),)),) = answer.topics
    assert code == 0, code
