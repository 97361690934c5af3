"""Webhooks and feeds have bounds of their own."""

from collections import Counter

from services.deliveries.sending.window import CROWDED_FROM, CROWDED_MAX, FRESH_MAX, Bounds, Window
from services.deliveries.sending.windows import Windows
from tests.unit.deliveries.test_window import a_row

FEEDS = {8, 9}
WEBHOOKS, RECORDS = Bounds(8, 2, 1_000), Bounds(16, 4, 1_000)


def made(webhooks=WEBHOOKS, feeds=RECORDS):
    """Windows in which all destinations below ten answer, and FEEDS are feeds."""
    windows = Windows(Window(webhooks), Window(feeds))
    windows.know_feeds(FEEDS)
    for destination in (*range(1, 10), *range(1, 10), *range(1, 10)):
        windows.of(destination).answered(destination)
    return windows


def admit(windows, destinations, first=0):
    """Admit a row of another order for each of these destinations; returns whether all were."""
    rows = [a_row(first + n, each, str(first + n)) for n, each in enumerate(destinations)]
    admitted = [windows.of(row.destination).admit(row) for row in rows]
    return all(admitted)


def test_feed_has_more_under_way_than_a_webhook():
    windows = made()
    assert admit(windows, [1, 8] * 6)

    started = Counter(row.destination for row in windows.start())

    assert started == {1: 2, 8: 4}


def test_webhooks_begin_while_feeds_have_all_of_theirs_under_way():
    windows = made(feeds=Bounds(1, 1, 1_000))
    admit(windows, [8, 9])
    assert len(list(windows.start())) == 1

    admit(windows, [1], first=50)

    assert windows.has_room()
    assert [row.destination for row in windows.start()] == [1]


def test_feeds_begin_while_webhooks_have_all_of_theirs_under_way():
    windows = made(webhooks=Bounds(1, 1, 1_000))
    admit(windows, [1, 2])
    assert len(list(windows.start())) == 1

    admit(windows, [8], first=50)

    assert [row.destination for row in windows.start()] == [8]


def test_feed_has_as_many_rows_in_memory_as_its_bounds_say():
    windows = made(feeds=Bounds(16, 4, 1_000, fresh_of_one=FRESH_MAX + 2, rows_of_one=300))

    assert admit(windows, [8] * (FRESH_MAX + 2))
    assert not admit(windows, [8], first=1_000)
    assert not admit(windows, [1] * (FRESH_MAX + 1), first=2_000)


def test_rows_of_feeds_in_memory_are_bounded_whatever_their_number():
    window = Window(Bounds(1_000, 500, 1_000_000, 1_000, 1_500))
    taken = Counter(
        destination
        for number in range(80)
        for destination in range(1_000)
        if window.admit(a_row(number, destination, str(number)))
    )

    assert taken.total() <= CROWDED_FROM + 1_000 * CROWDED_MAX


def test_what_is_released_and_under_way_is_of_both():
    windows = made()
    admit(windows, [1, 8])
    assert [row.destination for row in windows.start()] == [1, 8]
    admit(windows, [1, 8], first=50)

    windows.release(frozenset((99,)))

    assert windows.fresh_ids() == [0, 1]
    assert windows.shards_under_way() == {0}
