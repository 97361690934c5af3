"""The relay sends nothing behind a failed record and reads a backlog in portions."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.clock import SystemClock
from services.runtime.kafka.clients import make_producer
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.delivery import AtLeastOnce, delete
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.outbox.record_sender import send_rows
from services.runtime.outbox.rows import OutboxRow, read_rows
from services.runtime.outbox.shard_publisher import (
    BYTES_A_SHARD,
    ROWS_A_SHARD,
    SQL,
    Drained,
    PublicationMetrics,
    ShardPublisher,
)
from services.runtime.outbox.wiring import publisher_factory
from services.runtime.postgres.connections import connect, create_pool
from tests.integration.runtime.conftest import NO_HEADERS, WRITTEN
from tests.integration.runtime.outbox.relaying import DEADLINE_SECONDS, Feed


class BatchOfOne:
    """A record batch that is full with one record."""

    value = None

    def append(self, *, timestamp, key, value, headers):
        if self.value is not None:
            return None
        self.value = value
        return self

    def close(self):
        pass


class FailingProducer:
    """A producer whose third record fails while the fourth is accepted."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def partitions_for(self, topic):
        return {0}

    def create_batch(self):
        return BatchOfOne()

    async def send_batch(self, batch, topic, *, partition):
        future = asyncio.get_running_loop().create_future()
        self.sent.append(batch.value)
        if len(self.sent) == 3:
            future.set_exception(TimeoutError("no leader"))
        await asyncio.sleep(0)
        return future


async def test_record_sender_sends_nothing_behind_a_failed_record():
    producer = FailingProducer()
    count = 9
    row = OutboxRow(
        shard=0,
        id=1,
        segment=0,
        topics=["t"] * count,
        keys=[b"k"] * count,
        headers=[NO_HEADERS] * count,
        values=[str(n).encode() for n in range(count)],
        created_at=datetime.now(UTC),
        caused_at=None,
        is_last=True,
    )

    with pytest.raises(TimeoutError):
        await send_rows(producer, [row], lambda name: name)

    assert len(producer.sent) <= 4


async def test_producer_abort_drops_pending_records(settings):
    slow = settings.model_copy(update={"kafka_linger_ms": 1000})
    producer = make_producer(slow)
    await producer.start()
    partition = TopicPartition(settings.topic(WRITTEN), 0)
    pending = await producer.send(partition.topic, b"late", b"key", partition=0)

    await producer.abort()

    assert pending.exception() is not None
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await reader.start()
    assert await reader.end_offsets([partition]) == {partition: 0}
    await reader.stop()


async def test_outbox_backlog_is_read_in_portions_that_fit_in_memory(settings):
    pool = await create_pool(settings, "orders")
    noise = random.Random(1).randbytes(5_000)
    portions = []
    async with pool.acquire() as connection:
        for size in (5_000, 100, 200, 5_000, 100):
            outgoing = Outgoing(WRITTEN, b"k", noise[:size], NO_HEADERS, "k")
            await Outbox(1).append(connection, [outgoing])
        while found := await connection.fetch(SQL["read_outbox"], [0], ROWS_A_SHARD, 1_050):
            rows, _ = read_rows(found)
            portions.append([len(row.values[0]) for row in rows])
            await delete(connection, rows)
    pool.terminate()

    assert portions == [[5_000], [100, 200], [5_000], [100]]


@pytest.fixture
async def watched(settings):
    """A publisher that never polls, and its statements that read the outbox."""
    looks = []

    async def open_connection():
        connection = await connect(settings, "orders", "relay.publisher")
        connection.add_query_logger(
            lambda seen: looks.append(seen.query) if "read_outbox" in seen.query else None
        )
        return connection

    publisher = ShardPublisher(
        range(settings.outbox_shards),
        connect=open_connection,
        open_delivery=lambda connection: AtLeastOnce(
            make_producer(settings), connection, settings.topic
        ),
        metrics=PublicationMetrics("orders", Metrics(), SystemClock().now),
        poll_seconds=3_600,
    )
    task = asyncio.create_task(publisher.run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not looks:
            await asyncio.sleep(0.01)
    yield publisher, looks
    publisher.drain()
    assert await asyncio.wait_for(task, DEADLINE_SECONDS) == Drained()


async def test_publisher_reads_the_outbox_once_after_a_commit(watched, settings):
    publisher, looks = watched
    async with Feed(settings) as feed:
        for count in range(1, 6):
            await feed.write()
            publisher.wake()
            await feed.until_published()
            assert len(looks) == 1 + count


async def test_publisher_reads_the_rows_a_round_left_in_the_next_round(watched, settings):
    publisher, looks = watched
    async with Feed(settings) as feed:
        await feed.write(batches=2 * ROWS_A_SHARD + 1)
        publisher.wake()
        await feed.until_published()
    assert len(looks) > 2


async def test_publisher_reads_the_bytes_a_round_left_in_the_next_round(watched, settings):
    publisher, looks = watched
    noise = random.Random(1).randbytes(BYTES_A_SHARD // 3).hex()  # Kafka accepts no larger ones.
    async with Feed(settings) as feed:
        await feed.write(batches=2, padding=noise)
        publisher.wake()
        await feed.until_published()
    assert len(looks) > 2


@pytest.mark.parametrize(
    ("publication", "waits"), [("at_least_once", "off"), ("exactly_once", "on")]
)
async def test_delivery_waits_for_the_disk_only_exactly_once(settings, publication, waits):
    settings = settings.model_copy(update={"publication": publication})
    factory = publisher_factory(settings, "orders")
    connection = await factory.connect("relay.publisher")
    await connection.execute("SET synchronous_commit = local")
    delivery = factory.shard_delivery(connection, 0)
    try:
        await delivery.start()
        assert await connection.fetchval("SHOW synchronous_commit") == waits
    finally:
        await delivery.abort()
        connection.terminate()
