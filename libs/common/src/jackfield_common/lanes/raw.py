"""Reads a batch that aiokafka cannot: one of its records has a header name that is not UTF-8.

aiokafka decodes header names while it unpacks a batch and raises UnicodeDecodeError, each time it meets
that batch, even to skip into its middle. The batch is fetched here once more and unpacked with
replacement characters (record batch format, version 2:
https://kafka.apache.org/documentation/#recordbatch), so that the odd record becomes a dead letter with
its own bytes and the others are handled.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.protocol.fetch import FetchRequest

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_READ_COMMITTED: Final = 1
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
_CODECS: Final = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


@dataclass(frozen=True, slots=True)
class Batch:
    """Committed records of one batch, whether all header names of each are UTF-8, and what follows."""

    records: tuple[tuple[ConsumerRecord, bool], ...]
    next: int


async def read_batch(consumer: AIOKafkaConsumer, tp: TopicPartition, position: int) -> Batch | None:
    """The batch at `position`, from there on; None when the broker has none to give now."""
    client: Any = consumer._client  # pyright: ignore[reportPrivateUsage]
    node = client.cluster.leader_for_partition(tp)
    # A broker answers with at least one whole batch, however small the limit.
    request = FetchRequest(500, 1, 1, _READ_COMMITTED, [(tp.topic, [(tp.partition, position, 1)])])
    answer = await client.send(node, request)
    for _, partitions in answer.topics:
        for _, code, _, *rest in partitions:
            if code == 0 and rest[-1]:
                # Versions differ in what else is there: the aborted transactions are the one list.
                lists: list[Any] = [part for part in rest if isinstance(part, list)]
                return unpack(tp, bytes(rest[-1]), position, lists[0] if lists else ())
    return None


def unpack(tp: TopicPartition, data: bytes, position: int, aborted: Any = ()) -> Batch | None:
    """The first batch in `data`; `aborted` holds (producer id, first offset) of aborted transactions."""
    if len(data) < _HEADER.size:
        return None
    fields = _HEADER.unpack_from(data)
    base, length, attributes, delta = fields[0], fields[1], fields[5], fields[6]
    end = 12 + length
    if end > len(data):
        return None
    gone = attributes & _TRANSACTIONAL and any(
        producer == fields[9] and first <= base for producer, first in aborted
    )
    if attributes & _CONTROL or gone:
        return Batch((), base + delta + 1)
    payload = data[_HEADER.size : end]
    codec = _CODECS.get(attributes & 7)
    records = _records(tp, codec(payload) if codec else payload, fields[12], base, fields[7])
    wanted = tuple(one for one in records if one[0].offset >= position)
    return Batch(wanted, base + delta + 1)


def _records(
    tp: TopicPartition, payload: bytes, count: int, base: int, first_timestamp: int
) -> Iterator[tuple[ConsumerRecord, bool]]:
    cursor = _Cursor(payload)
    for _ in range(count):
        yield _record(tp, cursor, base, first_timestamp)


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def varint(self) -> int:
        """A zigzag-encoded integer of variable length."""
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def take(self, length: int) -> bytes | None:
        """So many bytes; None for a negative length."""
        if length < 0:
            return None
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken


def _record(
    tp: TopicPartition, cursor: _Cursor, base: int, first_timestamp: int
) -> tuple[ConsumerRecord, bool]:
    cursor.varint()  # length
    cursor.take(1)  # attributes
    timestamp = first_timestamp + cursor.varint()
    offset = base + cursor.varint()
    key = cursor.take(cursor.varint())
    value = cursor.take(cursor.varint())
    readable = True
    headers: list[tuple[str, bytes]] = []
    for _ in range(cursor.varint()):
        name = cursor.take(cursor.varint()) or b""
        text = name.decode("utf-8", "replace")
        readable = readable and text.encode() == name
        headers.append((text, cursor.take(cursor.varint()) or b""))
    record = ConsumerRecord(
        topic=tp.topic,
        partition=tp.partition,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=-1 if key is None else len(key),
        serialized_value_size=-1 if value is None else len(value),
        headers=tuple(headers),
    )
    return record, readable
