"""What a poll brings: not only what the client held, but what has come since."""

import asyncio
from itertools import chain

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.protocol.fetch import FetchRequest

from services.runtime.consumer import poll as polling
from services.runtime.consumer.poll import FreshPolls
from tests.integration.runtime.conftest import READ, values

FIRST, SECOND, THIRD = values(3)
ASKS = {"records_max": 500, "held_seconds": 60, "again_ms": 10_000}


@pytest.fixture
async def kafka(settings, publish):
    """A consumer that holds a first record, fetched before the second was there."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    await consumer.start()
    partition = TopicPartition(settings.topic(READ), 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    await publish([FIRST], partition=0)
    await until_held(consumer)
    await publish([SECOND], partition=0)
    yield consumer
    await consumer.stop()


async def until_held(consumer):
    """Wait until the consumer has fetched something of its one partition."""
    (partition,) = consumer.assignment()
    async with asyncio.timeout(30):
        while partition not in consumer._fetcher._records:
            await asyncio.sleep(0.01)


async def poll(consumer):
    return tuple(chain(*(await consumer.getmany(timeout_ms=10_000)).values()))


def of(records):
    return [record.value for record in records]


async def test_a_plain_poll_brings_what_was_held_alone(kafka):
    assert of(await poll(kafka)) == [FIRST]


async def test_a_fresh_one_brings_what_came_since_as_well_and_after_it(kafka):
    records = await FreshPolls(poll, **ASKS).poll(kafka)

    assert of(records) == [FIRST, SECOND]


async def test_a_poll_that_had_to_wait_is_fresh(kafka):
    records = await FreshPolls(poll, **ASKS | {"held_seconds": 0}).poll(kafka)

    assert of(records) == [FIRST]


async def test_where_enough_is_in_hand_nothing_more_is_asked_for(kafka):
    async def poll_many(consumer):
        return await poll(consumer) * 100

    records = await FreshPolls(poll_many, **ASKS).poll(kafka)

    assert of(records) == [FIRST] * 100


async def test_never_more_than_was_asked_for(kafka):
    records = await FreshPolls(poll, **ASKS | {"records_max": 1}).poll(kafka)

    assert of(records) == [FIRST]


async def test_what_was_polled_before_a_seek_is_not_mixed_with_what_comes_after_it(kafka):
    """As where a partition is placed beside the poll: one batch that goes back would go unseen."""
    (partition,) = kafka.assignment()

    async def poll_and_seek(consumer):
        records = await poll(consumer)
        consumer.seek(partition, 0)
        return records

    records = await FreshPolls(poll_and_seek, **ASKS).poll(kafka)

    assert [record.offset for record in records] == [0, 1]


async def test_an_error_comes_after_what_is_in_hand(kafka, settings):
    """A partition that cannot be read holds up no other: what was polled of it is applied."""
    (partition,) = kafka.assignment()

    async def poll_and_go_astray(consumer):
        records = await poll(consumer)
        consumer.seek(partition, 1_000)
        return records

    polls = FreshPolls(poll_and_go_astray, **ASKS)

    assert of(await polls.poll(kafka)) == [FIRST]
    with pytest.raises(OffsetOutOfRangeError):
        await polls.poll(kafka)
    kafka.seek(partition, 1)
    assert of(await polls.poll(kafka)) == [SECOND]


# Where batches are small, nothing is fetched while one is applied.


@pytest.fixture
async def fetches(kafka):
    """The fetch requests that the consumer has sent."""
    found, send = [], kafka._client.send

    async def send_noted(node, request, **options):
        if isinstance(request, FetchRequest):
            found.append(request)
        return await send(node, request, **options)

    kafka._client.send = send_noted
    return found


async def test_a_small_batch_costs_one_fetch_that_brings_what_came_during_it(
    kafka, publish, fetches
):
    polls = FreshPolls(poll, records_max=500, held_seconds=0)
    assert of(await polls.poll(kafka)) == [FIRST]
    polls.fetch_ahead()
    assert of(await polls.poll(kafka)) == [SECOND]

    for _ in range(5):
        await publish([FIRST], partition=0)
        await publish([THIRD], partition=0)
        polls.fetch_ahead()
        assert of(await polls.poll(kafka)) == [FIRST, THIRD]

    assert len(fetches) == 6


async def test_without_a_batch_the_next_poll_fetches(kafka):
    polls = FreshPolls(poll, records_max=500, held_seconds=0)

    assert of(await polls.poll(kafka)) == [FIRST]
    assert kafka.paused() == kafka.assignment()
    assert of(await polls.poll(kafka)) == [SECOND]


async def test_what_was_fetched_long_ago_is_taken_with_what_came_since(kafka, publish):
    polls = FreshPolls(poll, **ASKS | {"fresh_seconds": 0})
    assert of(await polls.poll(kafka)) == [FIRST, SECOND]
    await publish([THIRD], partition=0)
    polls.fetch_ahead()
    await until_held(kafka)
    await publish([FIRST], partition=0)

    assert of(await polls.poll(kafka)) == [THIRD, FIRST]


async def test_a_backlog_is_fetched_during_the_batch(kafka):
    polls = FreshPolls(poll, records_max=1)

    assert of(await polls.poll(kafka)) == [FIRST]
    assert not kafka.paused()
    await until_held(kafka)


async def test_few_records_of_many_bytes_are_no_small_batch(kafka, monkeypatch):
    monkeypatch.setattr(polling, "SMALL_BYTES", len(FIRST))
    polls = FreshPolls(poll, records_max=500, held_seconds=0)

    assert of(await polls.poll(kafka)) == [FIRST]
    assert not kafka.paused()
    await until_held(kafka)


async def test_a_partition_that_was_stopped_meanwhile_stays_paused(kafka):
    (partition,) = kafka.assignment()
    stopped = set()
    polls = FreshPolls(poll, records_max=500, held_seconds=0, stopped=lambda: stopped)
    await polls.poll(kafka)

    stopped.add(partition)
    polls.fetch_ahead()

    assert kafka.paused() == {partition}


async def test_a_partition_that_was_taken_away_meanwhile_is_left_alone(kafka, settings):
    polls = FreshPolls(poll, records_max=500, held_seconds=0)
    await polls.poll(kafka)

    kafka.assign([TopicPartition(settings.topic(READ), 1)])
    polls.fetch_ahead()

    assert not kafka.paused()
