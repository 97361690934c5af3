"""The relay: nothing goes out behind a record that failed, and a backlog is read in portions."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.kafka.clients import make_producer
from services.runtime.outbox.delivery import AtLeastOnce, delete
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.outbox.record_sender import send_rows
from services.runtime.outbox.rows import OutboxRow, read_rows
from services.runtime.outbox.shard_publisher import BYTES_A_SHARD, ROWS_A_SHARD, SQL, ShardPublisher
from services.runtime.outbox.wiring import ways_of
from services.runtime.postgres.connections import connect, create_pool
from tests.integration.runtime.conftest import NO_HEADERS, WRITTEN
from tests.integration.runtime.outbox.relaying import DEADLINE_SECONDS, Feed


class OfOne:
    """A packet that one record fills."""

    value = None

    def append(self, *, timestamp, key, value, headers):
        if self.value is not None:
            return None
        self.value = value
        return self

    def close(self):
        pass


class Refusing:
    """A producer whose third record fails while the fourth is taken."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def partitions_for(self, topic):
        return {0}

    def create_batch(self):
        return OfOne()

    async def send_batch(self, batch, topic, *, partition):
        future = asyncio.get_running_loop().create_future()
        self.sent.append(batch.value)
        if len(self.sent) == 3:
            future.set_exception(TimeoutError("no leader"))
        await asyncio.sleep(0)
        return future


async def test_nothing_is_sent_behind_a_record_that_failed():
    producer = Refusing()
    count = 9
    row = OutboxRow(
        shard=0,
        id=1,
        slot=0,
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


async def test_a_producer_thrown_away_sends_no_more(settings):
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


async def test_a_backlog_is_read_in_portions_that_fit_in_memory(settings):
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
async def lane(settings):
    """A lane that never polls, and how often it has looked for rows."""
    looks = []

    async def open_connection():
        connection = await connect(settings, "orders", "relay.lane")
        connection.add_query_logger(
            lambda told: looks.append(told.query) if "read_outbox" in told.query else None
        )
        return connection

    lane = ShardPublisher(
        range(settings.outbox_shards),
        connect=open_connection,
        open_publishing=lambda connection: AtLeastOnce(
            make_producer(settings), connection, settings.topic
        ),
        published=lambda rows: None,
        interrupted=lambda error, attempt: None,
        refused=lambda lane, error: None,
        poll_seconds=3_600,
    )
    task = asyncio.create_task(lane.run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not looks:
            await asyncio.sleep(0.01)
    yield lane, looks
    lane.drain()
    await asyncio.wait_for(task, DEADLINE_SECONDS)


async def test_after_a_commit_the_outbox_is_read_once(lane, settings):
    lane, looks = lane
    async with Feed(settings) as feed:
        for count in range(1, 6):
            await feed.write()
            lane.wake()
            await feed.until_published()
            assert len(looks) == 1 + count


async def test_what_one_round_left_is_read_by_the_next_one_unasked(lane, settings):
    lane, looks = lane
    async with Feed(settings) as feed:
        await feed.write(batches=2 * ROWS_A_SHARD + 1)
        lane.wake()
        await feed.until_published()
    assert len(looks) > 2


async def test_what_the_bytes_of_one_round_left_as_well(lane, settings):
    lane, looks = lane
    noise = random.Random(1).randbytes(BYTES_A_SHARD // 3).hex()  # Kafka takes no larger.
    async with Feed(settings) as feed:
        await feed.write(batches=2, padding=noise)
        lane.wake()
        await feed.until_published()
    assert len(looks) > 2


@pytest.mark.parametrize(
    ("publication", "waits"), [("at_least_once", "off"), ("exactly_once", "on")]
)
async def test_only_exactly_once_waits_for_the_disk_when_it_deletes(settings, publication, waits):
    settings = settings.model_copy(update={"publication": publication})
    ways = ways_of(settings, "orders")
    connection = await ways.connect("relay.lane")
    await connection.execute("SET synchronous_commit = local")
    publishing = ways.alone(connection, 0)
    try:
        await publishing.start()
        assert await connection.fetchval("SHOW synchronous_commit") == waits
    finally:
        await publishing.abort()
        connection.terminate()
