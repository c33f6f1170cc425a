"""The other way to unpack a batch agrees with aiokafka's wherever both can."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingModuleSource=false
# pyright: reportMissingImports=false, reportUnknownArgumentType=false

from typing import Any

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.lanes.raw import unpack

TP = TopicPartition("topic", 3)
RECORDS = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=20),
        st.none() | st.binary(max_size=200),
        st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=20)), max_size=3),
        st.integers(0, 2**41),
    ),
    min_size=1,
    max_size=8,
)
NONE, GZIP = 0, 1


def pack(
    records: list[Any], *, compression: int = NONE, producer: int = -1, transactional: int = 0
) -> bytes:
    builder: Any = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=transactional,
        producer_id=producer,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 20,
    )
    for offset, (key, value, headers, timestamp) in enumerate(records):
        builder.append(offset, timestamp=timestamp, key=key, value=value, headers=headers)
    return bytes(builder.build())


@given(records=RECORDS, position=st.integers(0, 8), compression=st.sampled_from([NONE, GZIP]))
def test_it_reads_what_aiokafka_reads(records: list[Any], position: int, compression: int) -> None:
    data = pack(records, compression=compression)
    theirs = [
        (one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
        for one in MemoryRecords(data).next_batch()  # pyright: ignore[reportOptionalIterable]
        if one.offset >= position
    ]
    batch = unpack(TP, data, position)
    assert batch is not None
    assert [
        (one.offset, one.timestamp, one.key, one.value, one.headers) for one, _ in batch.records
    ] == theirs
    assert all(readable for _, readable in batch.records)
    assert batch.next == len(records)


@given(records=RECORDS, cut=st.integers(0, 400))
def test_half_a_batch_is_none(records: list[Any], cut: int) -> None:
    data = pack(records)
    if cut < len(data):
        assert unpack(TP, data[:cut], 0) is None


def test_what_a_transaction_took_back_is_passed_over() -> None:
    data = pack([(b"k", b"v", [], 0)] * 3, producer=7, transactional=1)
    assert unpack(TP, data, 0, [(7, 0)]) is not None
    aborted = unpack(TP, data, 0, [(7, 0)])
    committed = unpack(TP, data, 0, [(8, 0)])
    assert aborted is not None
    assert committed is not None
    assert (len(aborted.records), aborted.next) == (0, 3)
    assert (len(committed.records), committed.next) == (3, 3)
