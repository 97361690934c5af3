"""The outbox stays small while another transaction keeps its deleted rows on disk."""

import asyncio
import random

import asyncpg
import pytest

from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.outbox.segments import OutboxSegments
from services.runtime.outbox.shard_publisher import BYTES_A_SHARD, ROWS_A_SHARD, SQL
from services.runtime.postgres.connections import connect
from services.runtime.postgres.migrate import SERVICES_FOLDER, migrate
from tests.integration.runtime.conftest import NO_HEADERS, WRITTEN

SHARDS = 4
PERIODS = 12
BATCHES_A_PERIOD = 25
RECORD_BYTES = 2_000
WORN_BYTES = 64 * 1024
SIZE = (
    "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = $1::regclass"
)
DEAD = "SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname LIKE 'outbox\\_%'"
# The clock of the test: it moves to the next segment by an UPDATE, the real one every ten seconds.
SLOT = """
CREATE TABLE orders.turn (slot smallint); INSERT INTO orders.turn VALUES (0);
GRANT SELECT ON orders.turn TO orderflow_orders;
CREATE OR REPLACE FUNCTION orders.outbox_slot() RETURNS smallint LANGUAGE sql VOLATILE
    AS 'SELECT slot FROM orders.turn'
"""


@pytest.fixture
async def owner(database_url):
    """The database's owner."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def held_open(database_url):
    """A transaction with a snapshot, idle: a forgotten session, or a slow report."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    await connection.fetchval("SELECT count(*) FROM pg_class")
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
async def work(settings):
    """The relay's connection."""
    connection = await connect(settings, "orders")
    yield connection
    await connection.close()


def a_batch(noise):
    """One record for each shard, of what does not compress."""
    return [
        Outgoing(WRITTEN, b"k", noise.randbytes(RECORD_BYTES), NO_HEADERS, str(shard))
        for shard in range(SHARDS * 2)
    ]


async def publish_all(connection):
    """Read and delete rows as a relay does, without Kafka; returns ids in the order of reading."""
    rows = await connection.fetch(
        SQL["read_outbox"], list(range(SHARDS)), ROWS_A_SHARD, BYTES_A_SHARD
    )
    done = [[row[column] for row in rows] for column in ("shard", "id", "slot")]
    await connection.execute(SQL["delete_published"], *done)
    return [(row["shard"], row["id"]) for row in rows]


async def steady_load(owner, work, *, rotating):
    """Write and publish for some periods; returns the outbox's size at the end of each."""
    noise, sizes = random.Random(5), []
    segments = OutboxSegments(WORN_BYTES)
    for period in range(PERIODS):
        if rotating:
            await owner.execute("UPDATE orders.turn SET slot = $1", period % 3)
        for _ in range(BATCHES_A_PERIOD):
            await Outbox(SHARDS).append(work, a_batch(noise))
            await publish_all(work)
        segments._check_at = 0.0
        await segments.truncate_empty(work)
        sizes.append(await owner.fetchval(SIZE, "orders.outbox"))
    return sizes


async def test_outbox_size_is_bounded_with_a_transaction_held_open(owner, work, held_open):
    await owner.execute(SLOT)
    a_period = BATCHES_A_PERIOD * SHARDS * 2 * RECORD_BYTES

    standing = await steady_load(owner, work, rotating=False)
    rotating = await steady_load(owner, work, rotating=True)

    bound = 2.5 * a_period
    assert standing[-1] > 4 * bound, (
        "without rotation the outbox must grow, or the test shows nothing"
    )
    assert max(rotating[3:]) < bound
    await work.execute("SELECT pg_stat_force_next_flush()")  # Report this session's counts at once.
    # Each of the three segments holds at most one period's rows, also if one was locked just then.
    assert await owner.fetchval(DEAD) <= 3 * BATCHES_A_PERIOD * SHARDS


async def test_segment_with_a_waiting_row_is_not_truncated(owner, work):
    await owner.execute(SLOT)
    noise = random.Random(7)
    for slot in (0, 1, 2, 0, 1):
        await owner.execute("UPDATE orders.turn SET slot = $1", slot)
        await Outbox(SHARDS).append(work, a_batch(noise))

    assert await OutboxSegments(worn_bytes=0).truncate_empty(work) == []
    found = await publish_all(work)

    assert found == sorted(found)
    assert len(found) == 5 * len({shard for shard, _ in found})
    assert await OutboxSegments(worn_bytes=0).truncate_empty(work) == ["outbox_0", "outbox_2"]


async def test_segment_locked_by_a_reader_is_left_for_later(owner, work, held_open):
    await held_open.fetchval("SELECT count(*) FROM orders.outbox_0")
    segments = OutboxSegments(worn_bytes=0)

    await owner.execute(SLOT)
    await owner.execute("UPDATE orders.turn SET slot = 1")
    async with asyncio.timeout(60):
        assert "outbox_0" not in await segments.truncate_empty(work)

    assert segments._pause_seconds > 1


async def test_segment_with_an_uncommitted_row_is_not_truncated(
    owner, work, database_url, settings
):
    writer = await connect(settings, "orders")
    await owner.execute(SLOT)
    async with writer.transaction():
        await Outbox(SHARDS).append(writer, a_batch(random.Random(9)))
        await owner.execute("UPDATE orders.turn SET slot = 1")
        assert "outbox_0" not in await OutboxSegments(worn_bytes=0).truncate_empty(work)
    await writer.close()

    assert len(await publish_all(work)) > 0


async def test_segments_migration_keeps_waiting_rows(empty_database_url, tmp_path):
    """Rows of the outbox of migration 0001 come first; new rows get higher ids."""
    old = tmp_path / "services"
    (old / "runtime" / "migrations").mkdir(parents=True)
    for file in sorted((SERVICES_FOLDER / "runtime" / "migrations").glob("000[123]*.sql")):
        (old / "runtime" / "migrations" / file.name).write_text(file.read_text())
    await migrate(empty_database_url, ["orders"], folder=old)
    owner = await asyncpg.connect(empty_database_url)
    await owner.execute(
        "INSERT INTO orders.outbox (shard, topics, keys, headers, values)"
        " SELECT 1, '{t}', '{k}', '{h}', ARRAY[n::text::bytea] FROM generate_series(1, 5) AS n"
    )
    (new := tmp_path / "new" / "runtime" / "migrations").mkdir(parents=True)
    for file in (SERVICES_FOLDER / "runtime" / "migrations").glob("*.sql"):
        (new / file.name).write_text(file.read_text())

    await migrate(empty_database_url, ["orders"], folder=tmp_path / "new")

    await owner.execute(
        "INSERT INTO orders.outbox (shard, topics, keys, headers, values)"
        " VALUES (1, '{t}', '{k}', '{h}', '{new}')"
    )
    rows = await owner.fetch(SQL["read_outbox"].replace("outbox", "orders.outbox"), [1], 64, 10**6)
    assert [row["values"][0] for row in rows] == [b"1", b"2", b"3", b"4", b"5", b"new"]
    await owner.close()
