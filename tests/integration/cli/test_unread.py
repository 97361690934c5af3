"""What a service has not read, beside topics that transactions are written to."""

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from orderflow.console.unread import count_unread
from schemas.topics import CLAIMS_EVENTS
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import partitions_of

RECORDS = 3


@pytest.fixture
async def written(topics, kafka_bootstrap_servers, topic_prefix) -> TopicPartition:
    """A partition with a transaction of three records, then one that was given up."""
    topic = topic_prefix + CLAIMS_EVENTS
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap_servers, transactional_id=f"{topic_prefix}teller"
    )
    await producer.start()
    async with producer.transaction():
        for _ in range(RECORDS):
            await producer.send_and_wait(topic, b"{}", partition=0)
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"{}", partition=0)
    await producer.abort_transaction()
    await producer.stop()
    return TopicPartition(topic, 0)


async def test_unread_count_excludes_markers_and_abandoned_records(
    written, kafka_bootstrap_servers, topic_prefix
):
    settings = Settings(
        kafka_bootstrap_servers=kafka_bootstrap_servers, kafka_topic_prefix=topic_prefix
    )
    empty = TopicPartition(written.topic, 1)
    gone = TopicPartition("no-such-topic", 0)

    found = await count_unread(settings, {written: RECORDS, empty: 0, gone: 0})

    assert found == {written: 0, empty: 0}
    assert (await count_unread(settings, {written: RECORDS - 1}))[written] > 0
    assert await partitions_of(settings, written.topic) == [0, 1, 2]
    assert await partitions_of(settings, gone.topic) == []
