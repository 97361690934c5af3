"""A fresh poll returns what the client has fetched and what has come since, in few fetches."""

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


async def test_plain_poll_returns_only_what_was_fetched(kafka):
    assert of(await poll(kafka)) == [FIRST]


async def test_fresh_poll_returns_later_records_as_well(kafka):
    records = await FreshPolls(poll, **ASKS).poll(kafka)

    assert of(records) == [FIRST, SECOND]


async def test_fresh_poll_is_one_poll_where_it_had_to_wait(kafka):
    records = await FreshPolls(poll, **ASKS | {"held_seconds": 0}).poll(kafka)

    assert of(records) == [FIRST]


async def test_fresh_poll_is_one_poll_where_it_returned_many(kafka):
    async def poll_many(consumer):
        return await poll(consumer) * 100

    records = await FreshPolls(poll_many, **ASKS).poll(kafka)

    assert of(records) == [FIRST] * 100


async def test_fresh_poll_returns_at_most_the_maximum(kafka):
    records = await FreshPolls(poll, **ASKS | {"records_max": 1}).poll(kafka)

    assert of(records) == [FIRST]


async def test_fresh_poll_does_not_mix_records_from_before_and_after_a_seek(kafka):
    """As where a partition is sought beside the poll: a batch that goes back would go unnoticed."""
    (partition,) = kafka.assignment()

    async def poll_and_seek(consumer):
        records = await poll(consumer)
        consumer.seek(partition, 0)
        return records

    records = await FreshPolls(poll_and_seek, **ASKS).poll(kafka)

    assert [record.offset for record in records] == [0, 1]


async def test_fresh_poll_raises_an_error_after_the_records_it_has(kafka, settings):
    """A partition that cannot be read must not stop the others: what was polled is applied."""
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


async def test_small_batch_costs_one_fetch(kafka, publish, fetches):
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


async def test_next_poll_fetches_where_no_batch_did(kafka):
    polls = FreshPolls(poll, records_max=500, held_seconds=0)

    assert of(await polls.poll(kafka)) == [FIRST]
    assert kafka.paused() == kafka.assignment()
    assert of(await polls.poll(kafka)) == [SECOND]


async def test_fresh_poll_adds_later_records_to_those_fetched_long_ago(kafka, publish):
    polls = FreshPolls(poll, **ASKS | {"fresh_seconds": 0})
    assert of(await polls.poll(kafka)) == [FIRST, SECOND]
    await publish([THIRD], partition=0)
    polls.fetch_ahead()
    await until_held(kafka)
    await publish([FIRST], partition=0)

    assert of(await polls.poll(kafka)) == [THIRD, FIRST]


async def test_backlog_is_fetched_during_the_batch(kafka):
    polls = FreshPolls(poll, records_max=1)

    assert of(await polls.poll(kafka)) == [FIRST]
    assert not kafka.paused()
    await until_held(kafka)


async def test_few_records_of_many_bytes_are_fetched_during_the_batch(kafka, monkeypatch):
    monkeypatch.setattr(polling, "SMALL_BYTES", len(FIRST))
    polls = FreshPolls(poll, records_max=500, held_seconds=0)

    assert of(await polls.poll(kafka)) == [FIRST]
    assert not kafka.paused()
    await until_held(kafka)


async def test_partition_stopped_meanwhile_stays_paused(kafka):
    (partition,) = kafka.assignment()
    stopped = set()
    polls = FreshPolls(poll, records_max=500, held_seconds=0, stopped=lambda: stopped)
    await polls.poll(kafka)

    stopped.add(partition)
    polls.fetch_ahead()

    assert kafka.paused() == {partition}


async def test_partition_lost_meanwhile_is_not_resumed(kafka, settings):
    polls = FreshPolls(poll, records_max=500, held_seconds=0)
    await polls.poll(kafka)

    kafka.assign([TopicPartition(settings.topic(READ), 1)])
    polls.fetch_ahead()

    assert not kafka.paused()
