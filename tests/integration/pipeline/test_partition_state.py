"""What is kept and what is dropped of a partition's state, by each event (decision 0111)."""

from types import SimpleNamespace

import pytest

from services.runtime.batch.batch import ItemCounts
from services.runtime.partitions.circuit_breaker import CircuitBreakerLevel
from services.runtime.partitions.log_identity import OffsetOutOfRange, RecordFingerprint
from services.runtime.partitions.partition_state import Unpolled
from tests.integration.pipeline.commands import Command
from tests.integration.pipeline.log import TOPIC_ID, Cursor, Log
from tests.integration.pipeline.messages import Message
from tests.integration.pipeline.process import WRITTEN, Died, Process

RESUME = "UPDATE position SET stopped_kind = NULL, stopped_detail = NULL, stopped_at = NULL"

FROM_ROW = {"last reader died", "failures allowed"}
POSITION = {"position", "gap", "expected record"}
GUARD = {"guarded records", "attempt"}
KEPT = {"topic id", "doubt", "breaker", "lag", "unpolled"}
COMMITTED = {"committed offset"}
ALL = {*FROM_ROW, *POSITION, *GUARD, *KEPT, *COMMITTED}
"""All but a stop."""


def held(state):
    """Which parts of a state are not as in a state that was just made."""
    found = {
        "position": state.next_offset is not None,
        "gap": state.offset_after_gap is not None,
        "expected record": state.log.expected is not None,
        "topic id": state.log.topic_id is not None,
        "doubt": state.log.is_doubted,
        "last reader died": state.was_abandoned,
        "failures allowed": state.failures_allowed > 0,
        "stop": state.stop is not None,
        "guarded records": state.crash_guard.left > 0,
        "attempt": state.crash_guard.is_attempting,
        "breaker": state.breaker._level != CircuitBreakerLevel(),
        "lag": state.gauges._is_shown,
        "committed offset": state.committed_offset is not None,
        "unpolled": state.unpolled is not None,
    }
    return {part for part, is_held in found.items() if is_held}


def fill(state):
    """Hold something in every part but the stop."""
    state.next_offset = 0
    state.offset_after_gap = 2
    state.log.expected = RecordFingerprint(0, 0, 0)
    state.log.topic_id = TOPIC_ID
    state.log.is_doubted = True
    state.was_abandoned = True
    state.failures_allowed = 7
    state.crash_guard.left = 2
    state.crash_guard.is_attempting = True
    state.breaker.keep(state.breaker.level_after(ItemCounts(3, 1, {})))
    state.gauges.measure(5, 0, 1_000)
    state.committed_offset = 0
    state.unpolled = Unpolled(0, 1.0)


class Pausable(Cursor):
    """A cursor whose partitions may be stopped."""

    def __init__(self, log):
        super().__init__(log)
        self.paused = set()

    def pause(self, partition):
        self.paused.add(partition)

    def resume(self, partition):
        self.paused.discard(partition)


@pytest.fixture
def log():
    """One partition with a record, and one that another process reads at times."""
    log = Log(2)
    message = Message((Command("place", "1", "Berlin"),), "c-1")
    log.append(log.partitions[0], message.key, message.value, message.headers, 1_772_366_400_000)
    return log


@pytest.fixture
def process(stage, log):
    """A process that reads both partitions and holds something in every part of the first."""
    stage.empty()
    process = Process(stage, log)
    process.cursor = Pausable(log)
    stage.run(process.assign(log.partitions))
    fill(process.assignment.states[log.partitions[0]])
    return process


async def revoke(process, _):
    await process.revoke()


async def reassign(process, here):
    """A rebalance that gives the partition back."""
    partitions = process.assignment.partitions
    await process.revoke()
    await process.assign(partitions)


async def assign_again(process, here):
    """An assignment without a revocation before it."""
    await process.assign(process.assignment.partitions)


async def lose_and_regain(process, here):
    """Another process has the partition for a while."""
    partitions = process.assignment.partitions
    await process.revoke()
    await process.assign(partitions - {here})
    assert here not in process.assignment.states
    await process.revoke()
    await process.assign(partitions)


async def reseek(process, here):
    """The fence refused a batch."""
    await process.assignment.reseek({here: 0})


async def stop(process, here):
    await process.assignment.stops.stop(here, OffsetOutOfRange("orders", here, 0, 5, 9))


async def stop_and_reassign(process, here):
    await stop(process, here)
    await reassign(process, here)


async def stop_and_resume(process, here):
    await stop(process, here)
    await process._stage.pool.execute(RESUME)
    await process.assignment.resume_stopped()
    for seeking in list(process.assignment._seeking):
        await seeking


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(revoke, {*FROM_ROW, *KEPT, *COMMITTED}, id="revoked"),
        # What the row said is used by the seek: the crash guard begins.
        pytest.param(reassign, {*KEPT, "position", "guarded records"}, id="revoked and given back"),
        pytest.param(assign_again, {*KEPT, *GUARD, "position"}, id="assigned again"),
        # No other process read it: the row names this one, and the crash guard does not begin.
        pytest.param(lose_and_regain, {"position", "topic id"}, id="lost and regained"),
        pytest.param(reseek, {*KEPT, *COMMITTED, *GUARD, "position"}, id="sought again"),
        pytest.param(stop, {*ALL - POSITION, "stop"}, id="stopped"),
        pytest.param(
            stop_and_reassign, {*FROM_ROW, *KEPT, "stop"}, id="stopped, revoked and given back"
        ),
        pytest.param(
            stop_and_resume,
            {*KEPT, *COMMITTED, *GUARD, "position"},
            id="stopped and resumed",
        ),
    ],
)
def test_partition_state_keeps_and_drops(stage, log, process, event, expected):
    here = log.partitions[0]
    assert held(process.assignment.states[here]) == ALL

    stage.run(event(process, here))

    assert held(process.assignment.states[here]) == expected


def test_partition_state_is_as_before_after_a_failed_batch(stage, log, process):
    here = log.partitions[0]
    state = process.assignment.states[here]
    state.log.expected = None  # The first poll after a seek compares it, whatever comes of it.
    state.crash_guard.clear()
    before = held(state)
    level = state.breaker._level
    process.poll(most=10)

    with pytest.raises(Died):
        stage.run(process.handle(WRITTEN))

    assert held(state) == before
    assert (state.next_offset, state.breaker._level) == (0, level)


def test_partition_state_moves_with_a_committed_batch(stage, log, process):
    here = log.partitions[0]
    state = process.assignment.states[here]
    state.log.expected = None
    state.crash_guard.clear()
    level = state.breaker._level
    process.poll(most=10)

    stage.run(process.handle())

    assert (state.next_offset, state.offset_after_gap) == (1, None)
    assert state.breaker._level.items == level.items + 1


def test_partition_that_was_lost_meanwhile_is_not_stopped_nor_held(stage, log, process):
    """Its batch failed for good after the rebalance: its next reader is to stop it."""
    here, elsewhere = log.partitions
    stage.run(process.assign([elsewhere]))

    stage.run(stop(process, here))
    process.assignment.states.record_commit({here: SimpleNamespace(offset=8, timestamp=0)}, {})

    assert list(process.assignment.states) == [elsewhere]
    assert process.assignment.stops.reasons == {}


def test_partition_with_a_stop_is_paused_again_after_a_rebalance(stage, log, process):
    here = log.partitions[0]
    stage.run(stop(process, here))
    process.cursor.paused.clear()

    stage.run(reassign(process, here))

    assert process.cursor.paused == {here}


def test_partition_released_before_its_seek_leaves_the_next_reader_careful(stage, log, process):
    """The row says once that its last reader died, and this process has not used it."""
    here = log.partitions[0]
    state = process.assignment.states[here]
    state.crash_guard.clear()
    stage.run(process.revoke())

    other = Process(stage, log)
    stage.run(other.assign([here]))

    assert other.assignment.states[here].crash_guard.left > 0
