"""Outbox rows and the positions of their batch are stored by one statement."""

import random

import asyncpg
import pytest
from aiokafka import TopicPartition

from services.runtime.outbox.delivery import SQL
from services.runtime.outbox.leases import lock_class
from services.runtime.outbox.outbox import ROW_BYTES, Outbox, Outgoing
from services.runtime.outbox.rows import read_rows
from services.runtime.partitions.positions import Positions
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import NO_HEADERS, READ, WRITTEN

GROUP = "a-group"
PARTITIONS = [TopicPartition(READ, number) for number in range(3)]
POSITIONS = "SELECT partition, next_offset FROM position ORDER BY partition"


class Applied:
    """The last record of a batch."""

    key, value, timestamp = b"k", b"v", 1

    def __init__(self, offset):
        self.offset = offset


@pytest.fixture
async def session(settings):
    """A connection of the service, with the positions of three partitions at offset 5."""
    connection = await connect(settings, "orders")
    await connection.executemany(
        "INSERT INTO position (consumer_group, topic, partition, next_offset)"
        " VALUES ($1, $2, $3, 5)",
        [(GROUP, READ, each.partition) for each in PARTITIONS],
    )
    yield connection
    await connection.close()


@pytest.fixture
def positions():
    """What the service knows of where it stands."""
    return Positions("orders", GROUP, states={})


def a_step(positions):
    """The first two partitions' new positions."""
    return positions.step({PARTITIONS[0]: Applied(6), PARTITIONS[1]: Applied(9)})


def a_record(value, shard_by="k"):
    return Outgoing(WRITTEN, b"k", value, NO_HEADERS, shard_by)


async def stored(connection):
    return [tuple(row) for row in await connection.fetch(POSITIONS)]


async def test_outbox_stores_positions_and_rows_together_and_once(session, positions):
    step = a_step(positions)

    await Outbox(4).append(session, [a_record(b"1")], step=step)
    assert step.is_stored
    assert await stored(session) == [(0, 7), (1, 10), (2, 5)]

    await session.execute("UPDATE position SET next_offset = 0")
    await Outbox(4).append(session, [a_record(b"2")], step=step)
    await positions.save(session, step)
    assert await stored(session) == [(0, 0), (1, 0), (2, 0)]
    assert await session.fetchval("SELECT count(*) FROM outbox") == 2


async def test_outbox_rejected_row_leaves_the_positions_unchanged(session, positions):
    step = a_step(positions)
    await session.execute("INSERT INTO outbox_shards (shards) VALUES (8)")

    with pytest.raises(asyncpg.ObjectInUseError):
        await Outbox(4).append(session, [a_record(b"1")], step=step)

    assert not step.is_stored
    assert await stored(session) == [(0, 5), (1, 5), (2, 5)]


async def test_outbox_without_records_leaves_the_positions_to_the_consumer(session, positions):
    step = a_step(positions)

    await Outbox(4).append(session, [], step=step)
    assert not step.is_stored

    await positions.save(session, step)
    assert await stored(session) == [(0, 7), (1, 10), (2, 5)]


async def test_outbox_beside_an_old_relay_leaves_the_positions_to_the_consumer(
    session, positions, settings
):
    step = a_step(positions)
    old = await connect(settings, "orders", "relay")
    pid = old.get_server_pid()
    assert await old.fetchval(SQL["try_lease"], lock_class("orders/member"), pid)

    await Outbox(4).append(session, [a_record(b"1")], step=step)
    await old.close()

    assert await session.fetchval("SELECT count(topics) FROM outbox") == 1
    assert not step.is_stored
    assert await stored(session) == [(0, 5), (1, 5), (2, 5)]


async def test_outbox_row_ids_rise_in_the_order_of_a_shards_records(session):
    """Large records make many rows of a shard; rows are published in the order of ids."""
    noise = random.Random(3)
    records = [
        a_record(number.to_bytes(4, "big") + noise.randbytes(ROW_BYTES // 3), str(number % 2))
        for number in range(60)
    ]

    await Outbox(2).append(session, records)

    found = await session.fetch("SELECT shard, id FROM outbox ORDER BY id")
    assert len(found) >= 20
    rows, failed = read_rows(await session.fetch(SQL["read_outbox"], [0, 1], 64, 10**9))
    assert not failed
    values = {shard: [] for shard in (0, 1)}
    for row in rows:
        values[row.shard] += [int.from_bytes(value[:4], "big") for value in row.values]
    assert sorted(values[0] + values[1]) == list(range(60))
    assert all(each == sorted(each) for each in values.values())
