"""Which shards a run of the upkeep serves: all, or some in turn where it takes long."""

from services.deliveries.names import SHARDS
from services.deliveries.sending.upkeep import ROWS_SECONDS, Turns


def runs(shards, *seconds):
    """The shards of runs that took so long."""
    turns, found = Turns(), []
    for each in seconds:
        found.append(turns.take(shards))
        turns.took(each)
    return found


def test_upkeep_serves_all_shards_while_it_takes_little():
    assert runs({1, 4, 9}, *([0.0] * 3)) == [[1, 4, 9]] * 3


def test_upkeep_that_takes_long_serves_fewer_shards_and_each_in_turn():
    held = set(range(SHARDS))

    found = runs(held, *([2 * ROWS_SECONDS] * 30))

    assert [len(each) for each in found[:6]] == [16, 8, 4, 2, 1, 1]
    assert {each for (each,) in found[-SHARDS:]} == held


def test_upkeep_serves_more_shards_again_when_it_takes_little():
    found = runs(set(range(SHARDS)), *([2 * ROWS_SECONDS] * 4), *([0.0] * 5))

    assert [len(each) for each in found[4:]] == [1, 2, 4, 8, 16]


def test_upkeep_of_shards_that_change_leaves_none_out():
    turns = Turns()
    for _ in range(4):
        turns.take(range(SHARDS))
        turns.took(2 * ROWS_SECONDS)

    found = [turns.take(range(3, 9)) for _ in range(6)]

    assert sorted(each for (each,) in found) == list(range(3, 9))
