"""What counts as standing still, and that waiting for others does not."""

import pytest
from aiokafka import TopicPartition

from services.runtime.consumer.poll import TROUBLE_SECONDS, PollMonitor
from services.runtime.consumer.stall_monitor import Reach, Stalls

HERE, THERE = TopicPartition("orders.commands", 0), TopicPartition("orders.commands", 1)


def looked(*looks, seconds=100.0):
    stalls = Stalls(seconds)
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
def test_a_partition_with_records_that_is_not_polled_is_stalled(looks, is_stalled):
    assert bool(looked(*looks).trouble) is is_stalled


def test_it_is_said_which_and_for_how_long():
    stalls = looked((0, {HERE: Reach(5, 9)}), (130, {HERE: Reach(5, 9)}))

    assert stalls.trouble == "orders.commands[0] has records and is not polled for 130 seconds"


def test_a_stall_ends_when_records_come():
    stalls = looked((0, {HERE: Reach(5, 9)}), (130, {HERE: Reach(5, 9)}))

    stalls.look(131, {HERE: Reach(6, 9)}, is_joining=False)

    assert stalls.trouble is None


def test_while_the_broker_is_away_nothing_stalls():
    stalls = looked((0, {HERE: Reach(5, 9)}), (130, {HERE: Reach(5, 9)}))

    stalls.forget()
    assert stalls.trouble is None
    stalls.look(500, {HERE: Reach(5, 9)}, is_joining=False)

    assert stalls.trouble is None


def test_a_group_that_never_answers_is_a_stall():
    stalls = Stalls(100)
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


def test_time_spent_applying_is_no_waiting():
    loop = PollMonitor(time := Time())
    time.now = 10
    with loop.applying():
        time.now = 70
        assert loop.waited_seconds() == 10
    time.now = 75

    assert loop.waited_seconds() == 15


async def test_a_poll_that_fails_is_told_for_a_while():
    loop = PollMonitor(time := Time())

    async def poll():
        raise PermissionError("not your topic")

    with pytest.raises(PermissionError):
        await loop.watch(poll())

    assert loop.trouble == "PermissionError: not your topic"
    time.now += TROUBLE_SECONDS + 1
    assert loop.trouble is None
