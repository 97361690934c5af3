"""The crash guard counts attempts: records beside a deadly one are not parked."""

import pytest
from aiokafka import TopicPartition

from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.circuit_breaker import CircuitBreakerLimits
from services.runtime.partitions.crash_guard import ATTEMPTS_MAX
from services.runtime.partitions.partition_state import AssignedPartitions
from services.runtime.partitions.positions import Positions, Released
from services.runtime.postgres.connections import connect

HERE = TopicPartition("orders.commands", 0)
LIMITS = CircuitBreakerLimits(2_000, 0.01, 1_000, 0.05)


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
    """One reader of the partition after the other; a new one knows only the position row."""

    def __init__(self, connection):
        self.connection = connection
        self.states = AssignedPartitions("orders", Metrics(), LIMITS, guarded_records=3)
        self.states.assign([HERE])
        self.positions = Positions("orders", "a-group", self.states)

    async def take(self):
        """Seek the partition; whether it is read record by record then."""
        await self.positions.seek_to_stored(self.connection, Log(), [HERE], {})
        self.states[HERE].begin_reading()
        return bool(self.states[HERE].crash_guard.left)

    async def begin_alone(self, offset=0):
        return await self.positions.record_attempt(self.connection, HERE, offset)

    async def release(self):
        await self.positions.release(self.connection, [Released.of(self.states[HERE])])


async def test_crash_guard_knows_a_deadly_record_by_the_third_death(connection):
    assert not await Process(connection).take()  # Dies in a batch.
    tries = []
    for _ in range(3):
        process = Process(connection)
        assert await process.take()
        tries.append(await process.begin_alone())  # Dies alone.

    assert tries == [1, 2, 3]
    assert [count > ATTEMPTS_MAX for count in tries] == [False, False, True]


async def test_crash_guard_counts_no_reader_that_died_idle(connection):
    for _ in range(6):
        await Process(connection).take()

    last = Process(connection)
    assert await last.take()
    assert await last.begin_alone() == 1


async def test_crash_guard_does_not_begin_after_a_release(connection):
    first = Process(connection)
    await first.take()
    await first.release()

    assert not await Process(connection).take()


async def test_crash_guard_does_not_count_an_attempt_that_was_survived(connection):
    """SIGTERM, or a rebalance, in the middle of a record: the process lives on."""
    await Process(connection).take()
    for _ in range(4):
        process = Process(connection)
        assert await process.take()
        assert await process.begin_alone() == 1
        await process.release()


async def test_crash_guard_goes_on_with_the_next_reader_where_it_was_not_done(connection):
    await Process(connection).take()
    second = Process(connection)
    await second.take()
    await second.release()

    assert await Process(connection).take()


async def test_crash_guard_ignores_a_process_that_lost_its_partition_while_it_slept(connection):
    """SIGSTOP past the session timeout: another took over; the sleeper wakes."""
    sleeper = Process(connection)
    await sleeper.take()
    owner = Process(connection)
    assert await owner.take()

    assert await sleeper.begin_alone() is None
    await sleeper.release()
    assert await owner.begin_alone() == 1


async def test_crash_guard_begins_to_count_again_at_the_next_position(connection):
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


def test_crash_guard_reads_so_many_records_alone_and_then_no_more():
    states = AssignedPartitions("orders", Metrics(), LIMITS, guarded_records=2)
    states.assign([HERE])
    guard = states[HERE].crash_guard
    guard.begin()
    records = [Record(HERE.topic, 0, n) for n in range(3)] + [Record(HERE.topic, 1, 0)]

    alone, together = states.split_guarded(records)

    assert [r.offset for r in alone] == [0, 1]
    assert together == records[2:]
    apply_one(guard)
    assert states.split_guarded(records[:3]) == ([records[0]], records[1:3])
    apply_one(guard)
    assert states.split_guarded(records[:3]) == ((), records[:3])


@pytest.mark.parametrize("is_attempting", [True, False])
def test_crash_guard_counts_no_record_that_was_not_applied(is_attempting):
    states = AssignedPartitions("orders", Metrics(), LIMITS, guarded_records=1)
    states.assign([HERE])
    guard = states[HERE].crash_guard
    guard.begin()

    guard.is_attempting = is_attempting
    guard.end_attempt(is_applied=not is_attempting)

    assert (guard.left, guard.is_attempting) == (1, False)


def apply_one(guard):
    """As the consumer does with a record at the position."""
    guard.is_attempting = True
    guard.end_attempt(is_applied=True)


class Record:
    """Where a record lies."""

    def __init__(self, topic, partition, offset):
        self.topic, self.partition, self.offset = topic, partition, offset
