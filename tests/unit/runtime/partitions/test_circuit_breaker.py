"""The circuit breaker: how much of a partition may fail before it stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.batch.batch import ItemCounts
from services.runtime.partitions.circuit_breaker import CircuitBreakerLevel, CircuitBreakerLimits

LIMITS = CircuitBreakerLimits(
    window_items=1_000, parked_share=0.01, parked_in_a_row=100, malformed_share=0.05
)


def good(items):
    return ItemCounts(items, 0, {})


def bad(parked, of):
    return ItemCounts(of - parked, parked, {})


def malformed(of, **by_source):
    return ItemCounts(of, 0, by_source)


def level_after(*batches, limits=LIMITS, allowed=0):
    level = CircuitBreakerLevel(allowed=allowed)
    for counts in batches:
        level = level.after(counts, limits)
    return level


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        pytest.param([], None, id="nothing read"),
        pytest.param([bad(1, 3)], None, id="1 of 3 is no flood"),
        pytest.param([bad(10, 10)], None, id="as many as a whole window may have"),
        pytest.param([bad(11, 11)], "11 of the last 11 items failed", id="one more, at once"),
        pytest.param([bad(1, 100)] * 10, None, id="1 % is allowed"),
        pytest.param([bad(1, 90)] * 11, "11 of the last 990 items failed", id="more than 1 %"),
        pytest.param([bad(10, 500), *[good(500)] * 2, bad(10, 500)], None, id="long ago"),
        pytest.param([bad(10, 500), good(500), bad(1, 1)], "11 of the last", id="not long ago"),
        pytest.param([malformed(500, a=500)], None, id="one bad source alone"),
        pytest.param([malformed(500, a=400, b=51)], None, id="two bad sources"),
        pytest.param(
            [malformed(500, a=400, b=50, c=1)], "from 3 sources are malformed", id="three sources"
        ),
        pytest.param([malformed(900, a=800, b=1, c=1)], None, id="one bad source and some noise"),
        pytest.param([malformed(900, a=20, b=15, c=15)], None, id="a few from each"),
        pytest.param(
            [malformed(300, a=20, b=20, c=20, d=20)], "80 of the last 300", id="many from many"
        ),
    ],
)
def test_breaker_trips_above_its_limits(shares, why):
    found = level_after(*shares).why_tripped(LIMITS)

    assert (found is None) == (why is None)
    assert why is None or why in found


@pytest.mark.parametrize(
    ("shares", "trips"),
    [
        ([bad(99, 99)], False),
        ([bad(50, 50), bad(50, 50)], True),
        ([bad(50, 50), bad(49, 50), bad(50, 50)], False),
    ],
)
def test_breaker_trips_on_failures_in_a_row_whatever_their_share(shares, trips):
    limits = CircuitBreakerLimits(1_000, parked_share=0, parked_in_a_row=100, malformed_share=0)

    assert bool(level_after(*shares, limits=limits).why_tripped(limits)) is trips


def test_breaker_rules_can_each_be_turned_off():
    off = CircuitBreakerLimits(1_000, parked_share=0, parked_in_a_row=0, malformed_share=0)
    level = level_after(bad(900, 900), malformed(900, a=300, b=300, c=300), limits=off)

    assert level.why_tripped(off) is None
    assert level.bad_sources(off) == ()
    assert level.fullness(off) == 0


def test_breaker_does_not_count_what_an_operator_allows():
    level = level_after(bad(30, 30), bad(10, 10), allowed=30)

    assert level.why_tripped(LIMITS) is None
    assert level.after(bad(1, 1), LIMITS).why_tripped(LIMITS)


def test_breaker_names_one_bad_source():
    assert level_after(malformed(500, a=51, b=50)).bad_sources(LIMITS) == ("a",)


def test_breaker_ignores_a_batch_of_items_behind_others():
    level = level_after(good(10))

    assert level.after(ItemCounts(0, 0, {}), LIMITS) == level


@st.composite
def batches(draw):
    parked = draw(st.integers(0, 40))
    decided = draw(st.integers(0, 400))
    sources = draw(st.dictionaries(st.sampled_from("abcd"), st.integers(0, decided // 4)))
    return ItemCounts(decided, parked, sources)


@given(st.lists(batches(), max_size=30))
def test_breaker_level_equals_a_count_of_the_window(shares):
    """A plain count of the newest batches that make up a window; and it trips above 1 alone."""
    level = level_after(*shares)
    window, items = [], 0
    for share in reversed([s for s in shares if s.decided + s.parked]):
        if items >= LIMITS.window_items:
            break
        window.append(share)
        items += share.decided + share.parked
    parked = sum(share.parked for share in window)

    assert level.parked == parked
    assert sum(level.malformed.values()) == sum(sum(s.malformed.values()) for s in window)
    assert level.items == sum(share.decided + share.parked for share in window)
    if parked > 10:
        assert level.why_tripped(LIMITS)
    if level.why_tripped(LIMITS):
        assert level.fullness(LIMITS) >= 1
    if level.fullness(LIMITS) > 1:
        assert level.why_tripped(LIMITS)
