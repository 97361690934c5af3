"""Stalls: records that are not polled, or a group that never answers; an idle topic is none."""

import pytest
from aiokafka import TopicPartition

from services.runtime.consumer.poll import TROUBLE_SECONDS, PollMonitor
from services.runtime.consumer.stall_monitor import Reach, StallMonitor
from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.circuit_breaker import CircuitBreakerLimits
from services.runtime.partitions.partition_state import AssignedPartitions

HERE, THERE = TopicPartition("orders.commands", 0), TopicPartition("orders.commands", 1)


def a_monitor(seconds=100.0):
    """A monitor of two assigned partitions."""
    limits = CircuitBreakerLimits(2_000, 0.01, 1_000, 0.05)
    states = AssignedPartitions("orders", Metrics(), limits, guarded_records=5)
    states.assign([HERE, THERE])
    return StallMonitor(states, seconds)


def looked(*looks):
    stalls = a_monitor()
    for now, reached in looks:
        stalls.look(now, reached, is_joining=False)
    return stalls


@pytest.mark.parametrize(
    ("looks", "is_stalled"),
    [
        pytest.param([(0, {HERE: Reach(5, 9)}), (99, {HERE: Reach(5, 9)})], False, id="soon"),
        pytest.param([(0, {HERE: Reach(5, 9)}), (100, {HERE: Reach(5, 12)})], True, id="stalled"),
        pytest.param([(0, {HERE: Reach(5, 9)}), (500, {HERE: Reach(6, 9)})], False, id="slow"),
        pytest.param([(0, {HERE: Reach(9, 9)}), (500, {HERE: Reach(9, 9)})], False, id="idle"),
        pytest.param(
            [(0, {HERE: Reach(9, 9)}), (500, {HERE: Reach(9, 10)}), (599, {HERE: Reach(9, 10)})],
            False,
            id="idle until now",
        ),
        pytest.param(
            [(0, {HERE: Reach(5, 9)}), (50, {}), (120, {HERE: Reach(5, 9)})], False, id="was away"
        ),
        pytest.param(
            [
                (0, {HERE: Reach(5, 9), THERE: Reach(0, 900)}),
                (100, {HERE: Reach(5, 9), THERE: Reach(800, 900)}),
            ],
            True,
            id="one of two",
        ),
    ],
)
def test_stall_is_a_partition_with_records_that_is_not_polled(looks, is_stalled):
    assert bool(looked(*looks).trouble) is is_stalled


def test_stall_names_its_partition_and_time():
    stalls = looked((0, {HERE: Reach(5, 9)}), (130, {HERE: Reach(5, 9)}))

    assert stalls.trouble == "orders.commands[0] has records and is not polled for 130 seconds"


def test_stall_ends_when_records_come():
    stalls = looked((0, {HERE: Reach(5, 9)}), (130, {HERE: Reach(5, 9)}))

    stalls.look(131, {HERE: Reach(6, 9)}, is_joining=False)

    assert stalls.trouble is None


def test_stall_is_none_while_the_brokers_do_not_answer():
    stalls = looked((0, {HERE: Reach(5, 9)}), (130, {HERE: Reach(5, 9)}))

    stalls.reset()
    assert stalls.trouble is None
    stalls.look(500, {HERE: Reach(5, 9)}, is_joining=False)

    assert stalls.trouble is None


def test_stall_is_a_group_that_never_answers():
    stalls = a_monitor()
    for now in (0, 100):
        stalls.look(now, {}, is_joining=True)
    assert "for 100 seconds its group gives it no partitions" in stalls.trouble

    stalls.look(101, {}, is_joining=False)
    assert stalls.trouble is None


class Time:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def test_poll_monitor_does_not_count_time_spent_applying():
    loop = PollMonitor(time := Time())
    time.now = 10
    with loop.applying():
        time.now = 70
        assert loop.waited_seconds() == 10
    time.now = 75

    assert loop.waited_seconds() == 15


async def test_poll_monitor_reports_a_failed_poll_for_a_while():
    loop = PollMonitor(time := Time())

    async def poll():
        raise PermissionError("not your topic")

    with pytest.raises(PermissionError):
        await loop.watch(poll())

    assert loop.trouble == "PermissionError: not your topic"
    time.now += TROUBLE_SECONDS + 1
    assert loop.trouble is None
