"""Markers of exactly-once publication: the last committed one of a shard is found."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.kafka.clients import make_marker_reader, make_producer
from services.runtime.kafka.topics import PUBLISHED
from services.runtime.outbox.delivery import ExactlyOnce
from services.runtime.outbox.markers import FIRST_SPAN, Markers, PublishedRows
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import NO_HEADERS, WRITTEN

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARTITION = 0


@pytest.fixture
def markers(settings):
    """The markers of the relays of orders."""
    return Markers("orders", settings.topic(PUBLISHED), lambda: make_marker_reader(settings))


@pytest.fixture
async def producer(settings):
    """A function that starts transactional producers; they are aborted after the test."""
    started = []

    async def start(name):
        made = make_producer(settings, f"{settings.kafka_topic_prefix}{name}")
        started.append(made)
        await made.start()
        return made

    yield start
    for made in started:
        await made.abort()


def published(*ids):
    """The marker of rows created at noon."""
    return PublishedRows(ids, (NOON,) * len(ids))


async def put(producer, markers, shard, what):
    """Send a marker within the producer's transaction."""
    sent = await producer.send(markers.topic, what.pack(), markers.key(shard), partition=PARTITION)
    await sent


def test_marker_is_read_as_it_was_written():
    what = PublishedRows((3, 7), (NOON, NOON + timedelta(microseconds=1)))

    assert PublishedRows.unpack(what.pack()) == what


async def test_marker_of_a_new_shard_is_none(markers):
    assert await markers.last(0, PARTITION) is None


async def test_marker_is_found_before_many_of_others_and_an_aborted_one(markers, producer):
    mine, other = await producer("mine"), await producer("other")
    for ids in ((1, 2), (3,)):
        await mine.begin_transaction()
        await put(mine, markers, 0, published(*ids))
        await mine.commit_transaction()
    for number in range(FIRST_SPAN):
        await other.begin_transaction()
        await put(other, markers, 6, published(number))
        await other.commit_transaction()
    await mine.begin_transaction()
    await put(mine, markers, 0, published(4))
    await mine.abort_transaction()

    assert await markers.last(0, PARTITION) == published(3)


async def test_marker_behind_an_open_transaction_of_another_shard_is_waited_for(markers, producer):
    """The last stable offset is before it: a read to there would miss it and repeat its rows."""
    mine, other = await producer("mine"), await producer("other")
    await other.begin_transaction()
    await put(other, markers, 6, published(1))
    await mine.begin_transaction()
    await put(mine, markers, 0, published(5))
    await mine.commit_transaction()

    asked = asyncio.create_task(markers.last(0, PARTITION))
    done, _ = await asyncio.wait([asked], timeout=1)
    assert not done
    await other.commit_transaction()

    assert await asyncio.wait_for(asked, 20) == published(5)


async def test_marker_does_not_match_a_new_row_with_a_published_rows_id(
    settings, markers, producer
):
    """A database restored to an earlier time gives ids again while the marker is still there."""
    connection = await connect(settings, "orders")
    await Outbox(1).append(connection, [Outgoing(WRITTEN, b"k", b"new", NO_HEADERS, "k")])
    row = await connection.fetchrow("SELECT id, created_at FROM outbox")
    mine = await producer("mine")
    for moment, left in ((NOON, 1), (row["created_at"], 0)):
        await mine.begin_transaction()
        await put(mine, markers, 0, PublishedRows((row["id"],), (moment,)))
        await mine.commit_transaction()
        taking_over = ExactlyOnce(
            make_producer(settings, f"{settings.kafka_topic_prefix}taker"),
            connection,
            settings.topic,
            markers=markers,
            shard=0,
        )

        await taking_over.start()
        await taking_over.abort()

        assert await connection.fetchval("SELECT count(*) FROM outbox") == left
    await connection.close()
