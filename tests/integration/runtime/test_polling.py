"""What a poll brings: not only what the client held, but what has come since."""

import asyncio
from itertools import chain

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.polling import poll_afresh
from tests.integration.runtime.conftest import READ, values

FIRST, SECOND = values(2)


@pytest.fixture
async def kafka(settings, publish):
    """A consumer that holds a first record, fetched before the second was there."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    await consumer.start()
    partition = TopicPartition(settings.topic(READ), 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    await publish([FIRST], partition=0)
    async with asyncio.timeout(30):
        while partition not in consumer._fetcher._records:
            await asyncio.sleep(0.01)
    await publish([SECOND], partition=0)
    yield consumer
    await consumer.stop()


async def poll(consumer):
    return tuple(chain(*(await consumer.getmany(timeout_ms=10_000)).values()))


def of(records):
    return [record.value for record in records]


async def test_a_plain_poll_brings_what_was_held_alone(kafka):
    assert of(await poll(kafka)) == [FIRST]


async def test_a_fresh_one_brings_what_came_since_as_well_and_after_it(kafka):
    records = await poll_afresh(poll, kafka, records_max=500, held_seconds=60, again_ms=10_000)

    assert of(records) == [FIRST, SECOND]


async def test_a_poll_that_had_to_wait_is_fresh(kafka):
    records = await poll_afresh(poll, kafka, records_max=500, held_seconds=0, again_ms=10_000)

    assert of(records) == [FIRST]


async def test_where_enough_is_in_hand_nothing_more_is_asked_for(kafka):
    async def poll_many(consumer):
        return await poll(consumer) * 100

    records = await poll_afresh(poll_many, kafka, records_max=500, held_seconds=60)

    assert of(records) == [FIRST] * 100
