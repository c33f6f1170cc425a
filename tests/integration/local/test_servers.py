"""The servers every other integration test stands on."""

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def test_kafka_takes_a_record_as_large_as_any_topic_may_want(
    kafka: str, topic_prefix: str
) -> None:
    topic = f"{topic_prefix}large"
    limit = 41 * 1024 * 1024
    value = b"x" * (40 * 1024 * 1024)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": str(limit)})]
        )
    finally:
        await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, max_request_size=limit
    ) as producer:
        await producer.send_and_wait(topic, value)
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=limit,
        fetch_max_bytes=limit,
    ) as consumer:
        record = await consumer.getone()
    assert record.value == value


async def test_a_database_is_empty_and_of_its_own(database: str, postgres: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE here (id int)")
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        version = await connection.fetchval("SHOW server_version_num")
    finally:
        await connection.close()
    assert tables == 1
    assert int(version) >= 180000
    assert database != postgres
