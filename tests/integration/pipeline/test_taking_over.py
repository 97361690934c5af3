"""The crash guard begins with the first record of a partition whose last reader died."""

from contextlib import asynccontextmanager

import pytest

from tests.integration.pipeline.commands import Command
from tests.integration.pipeline.log import Log
from tests.integration.pipeline.messages import Message
from tests.integration.pipeline.process import BEGUN, CAREFUL_RECORDS, LIMITS, Died, Process

TRIES = "SELECT max(tries) FROM position"


def append(log, partition, order):
    message = Message((Command("place", order, "Berlin"),), f"c-{order}")
    log.append(partition, message.key, message.value, message.headers, 1_772_366_400_000)


def apply_and_die(stage, process, partitions):
    """Its last act is a batch that kills it."""
    stage.run(process.assign(partitions))
    process.poll(most=10)
    with pytest.raises(Died):
        stage.run(process.handle(BEGUN))


def tries(stage):
    return stage.run(stage.pool.fetchval(TRIES))


class Eager(Process):
    """Its first poll is there while the connection that placed it is still being given back."""

    is_eager = True

    @asynccontextmanager
    async def acquire(self):
        async with super().acquire() as connection:
            yield connection
        if self.is_eager:
            self.is_eager = False
            self.poll(most=10)
            await self.handle(BEGUN)


def test_crash_guard_reads_the_first_record_alone_however_early_it_is_polled(stage):
    stage.empty()
    log = Log(1)
    append(log, *log.partitions, "1")
    apply_and_die(stage, Process(stage, log), log.partitions)

    with pytest.raises(Died):
        stage.run(Eager(stage, log).assign(log.partitions))

    assert tries(stage) == 1


class Placing(Process):
    """It is given a partition while it applies a chunk of a poll that has records of it."""

    coming = ()

    async def apply(self, connection, batch):
        await super().apply(connection, batch)
        coming, self.coming = self.coming, ()
        await self.assignment.seek_to_stored(coming)


def test_crash_guard_reads_again_alone_what_was_polled_before_the_seek(stage):
    stage.empty()
    log = Log(2)
    known, abandoned = log.partitions
    for number in range(LIMITS.orders_max):
        append(log, known, f"{number}")
    append(log, abandoned, "deadly")
    apply_and_die(stage, Process(stage, log), [abandoned])

    process = Placing(stage, log)
    stage.run(process.assign([known]))
    process.assignment.states.assign(log.partitions)
    stage.run(process.assignment.seek_to_stored([known]))
    process.cursor.seek(abandoned, 0)  # Where Kafka would have it read.
    process.poll(most=10)
    process.coming = [abandoned]
    stage.run(process.handle())
    assert {at.partition for at in process.applied} == {known.partition}

    process.poll(most=10)
    with pytest.raises(Died):
        stage.run(process.handle(BEGUN))
    assert tries(stage) == 1


@pytest.mark.parametrize("stale", [1, 2, 5])
def test_crash_guard_finds_the_deadly_record_behind_stale_ones(stage, stale):
    """Kafka would have the process read further back than the position: such records count not."""
    stage.empty()
    log = Log(1)
    (partition,) = log.partitions
    for number in range(CAREFUL_RECORDS + stale):
        append(log, partition, f"{number}")
    first = Process(stage, log)
    stage.run(first.assign([partition]))
    first.poll(most=10)
    stage.run(first.handle())
    append(log, partition, "deadly")
    first.poll(most=10)
    with pytest.raises(Died):
        stage.run(first.handle(BEGUN))

    deaths = 1
    for _ in range(2):
        process = Process(stage, log)
        stage.run(process.assign([partition]))
        process.cursor.seek(partition, 0)  # What was polled before the seek.
        process.poll(most=CAREFUL_RECORDS + stale)
        stage.run(process.handle())
        assert process.applied == []
        process.poll(most=10)
        with pytest.raises(Died):
            stage.run(process.handle(BEGUN))
        deaths += 1
        assert tries(stage) == deaths - 1
    last = Process(stage, log)
    stage.run(last.assign([partition]))
    last.poll(most=10)
    stage.run(last.handle())

    assert deaths == 3
    assert stage.run(stage.unread()) == {(0, CAREFUL_RECORDS + stale)}


def test_crash_guard_reads_past_gaps_of_the_log_within_one_poll(stage):
    """A producer's transaction leaves a gap at its end; each would cost a seek otherwise."""
    stage.empty()
    log = Log(1)
    (partition,) = log.partitions
    for number in range(CAREFUL_RECORDS):
        append(log, partition, f"{number}")
        log.leave_gap(partition)
    apply_and_die(stage, Process(stage, log), [partition])

    process = Process(stage, log)
    stage.run(process.assign([partition]))
    process.poll(most=10)
    stage.run(process.handle())

    assert [at.offset for at in process.applied] == [0, 2, 4]
