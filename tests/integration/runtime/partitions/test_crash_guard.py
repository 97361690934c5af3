"""How tries are counted: what stood beside a deadly record, or was merely held, is not accused."""

import pytest
from aiokafka import TopicPartition

from services.runtime.partitions.crash_guard import TRIES_MAX, CrashGuard
from services.runtime.partitions.positions import Positions
from services.runtime.postgres.connections import connect

HERE = TopicPartition("orders.commands", 0)


@pytest.fixture
async def connection(settings):
    connection = await connect(settings, "orders")
    yield connection
    await connection.close()


class Log:
    """The broker's answers for one partition with records 0 to 9; nothing is read from it."""

    def seek(self, partition, offset):
        """Where a consumer would go."""

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions):
        return dict.fromkeys(partitions, 10)

    async def getmany(self, *partitions, timeout_ms, max_records):
        raise AssertionError((partitions, timeout_ms, max_records))


class Process:
    """One owner of the partition after the other; a new one knows nothing of the last."""

    def __init__(self, connection):
        self.connection = connection
        self.positions = Positions("orders", "a-group")
        self.careful = CrashGuard(self.positions, records=3)

    async def take(self):
        placed = await self.positions.place(self.connection, Log(), [HERE], {})
        self.careful.begin(placed.abandoned)
        return bool(placed.abandoned)

    async def begin_alone(self, offset=0):
        return await self.careful.note(self.connection, HERE, offset)

    async def let_go(self):
        await self.positions.let_go(self.connection, {HERE: self.careful.ended(HERE)})


async def test_a_record_that_kills_is_known_by_its_third_death(connection):
    assert not await Process(connection).take()  # Dies in a batch.
    tries = []
    for _ in range(3):
        process = Process(connection)
        assert await process.take()
        tries.append(await process.begin_alone())  # Dies alone.

    assert tries == [1, 2, 3]
    assert [count > TRIES_MAX for count in tries] == [False, False, True]


async def test_owners_that_die_idle_count_nothing(connection):
    for _ in range(6):
        await Process(connection).take()

    last = Process(connection)
    assert await last.take()
    assert await last.begin_alone() == 1


async def test_who_lets_go_leaves_no_suspicion(connection):
    first = Process(connection)
    await first.take()
    await first.let_go()

    assert not await Process(connection).take()


async def test_a_try_that_its_process_survived_counts_no_more(connection):
    """SIGTERM, or a rebalance, in the middle of a record: the process lives to tell."""
    await Process(connection).take()
    for _ in range(4):
        process = Process(connection)
        assert await process.take()
        assert await process.begin_alone() == 1
        await process.let_go()


async def test_the_next_owner_goes_on_being_careful_where_the_last_was_not_done(connection):
    await Process(connection).take()
    second = Process(connection)
    await second.take()
    await second.let_go()

    assert await Process(connection).take()


async def test_a_process_that_was_put_out_while_it_slept_has_no_say(connection):
    """SIGSTOP past the session timeout: another took over; the sleeper wakes."""
    sleeper = Process(connection)
    await sleeper.take()
    owner = Process(connection)
    assert await owner.take()

    assert await sleeper.begin_alone() is None
    await sleeper.let_go()
    assert await owner.begin_alone() == 1


async def test_moving_on_clears_the_count(connection):
    await Process(connection).take()
    process = Process(connection)
    await process.take()
    await process.begin_alone()
    await connection.execute("UPDATE position SET next_offset = 0, tries = 1")

    await process.positions.save(connection, process.positions.step({HERE: Applied()}))

    assert await connection.fetchval("SELECT tries FROM position") == 0
    assert await process.begin_alone(1) == 1


class Applied:
    """The last record of a batch."""

    topic, partition, offset, timestamp = *HERE, 0, 1_772_000_000_000
    key, value, headers = b"k", b"v", ()


def test_so_many_records_are_read_alone_and_then_no_more():
    careful = CrashGuard(Positions("orders", "a-group"), records=2)
    careful.begin([HERE])
    records = [Record(HERE.topic, 0, n) for n in range(3)] + [Record(HERE.topic, 1, 0)]

    alone, together = careful.split(records)

    assert [r.offset for r in alone] == [0, 1]
    assert together == records[2:]
    careful.done(HERE)
    assert careful.split(records[:3]) == ([records[0]], records[1:3])
    careful.done(HERE)
    assert careful.split(records[:3]) == ((), records[:3])


class Record:
    """Where a record lies."""

    def __init__(self, topic, partition, offset):
        self.topic, self.partition, self.offset = topic, partition, offset
