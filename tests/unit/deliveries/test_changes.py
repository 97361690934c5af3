"""What the result of an attempt means for the stored rows."""

from datetime import UTC, datetime

import pytest

from services.deliveries.domain.destination import WhenExhausted
from services.deliveries.domain.schedule import CLOSED, DELAYS, OPENS_AFTER, Answer, Circuit
from services.deliveries.sending.changes import NEVER, Attempt, Changes
from services.deliveries.sending.window import Row

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
FRESH = Row(1, 0, 7, "order", "event", 0, 10, segment=2)
KEPT = Row(2, 0, 7, "order", "event", 0, 10, segment=None, failures=3, skipped=1)
LAST = Row(3, 0, 7, "order", "event", 0, 10, segment=None, failures=len(DELAYS))
OK, DOWN, GONE, REFUSED = Answer(204), Answer(503), Answer(410), Answer(422)


def taken(row, answer, circuit=CLOSED, when_exhausted=WhenExhausted.HOLD):
    """The changes after one attempt, and whether its group goes on."""
    changes = Changes()
    attempt = Attempt(row, answer, NOW, 5, "", when_exhausted, "https://a.example/")
    return changes, changes.take(attempt, circuit, 0.5)


def test_fresh_row_that_was_delivered_ends_without_a_group():
    changes, goes_on = taken(FRESH, OK)

    assert goes_on
    assert changes.ended == [FRESH]
    assert (changes.groups, changes.finished, changes.deferred) == ({}, [], [])


def test_kept_row_that_was_delivered_lets_the_next_of_its_group_be_due():
    changes, goes_on = taken(KEPT, OK)

    state = changes.groups[KEPT.group]
    assert goes_on
    assert changes.ended == [KEPT]
    assert changes.finished == [KEPT.group]
    assert (state.attempts, state.due_at, state.skipped) == (0, NOW, 0)


def test_fresh_row_that_failed_moves_to_the_backlog():
    changes, goes_on = taken(FRESH, DOWN)

    state = changes.groups[FRESH.group]
    assert not goes_on
    assert changes.deferred == [FRESH]
    assert state.attempts == 1
    assert state.due_at == NOW + DELAYS[0]


def test_kept_row_that_failed_waits_longer():
    changes, _ = taken(KEPT, DOWN)

    state = changes.groups[KEPT.group]
    assert changes.deferred == []
    assert (state.attempts, state.skipped) == (4, 1)
    assert state.due_at == NOW + DELAYS[3]


def test_row_that_is_exhausted_is_held():
    changes, goes_on = taken(LAST, DOWN)

    assert not goes_on
    assert changes.groups[LAST.group].due_at == NEVER
    assert changes.ended == []


def test_row_that_is_exhausted_is_skipped_where_the_destination_says_so():
    changes, goes_on = taken(LAST, DOWN, when_exhausted=WhenExhausted.SKIP)

    assert goes_on
    assert changes.ended == [LAST]
    assert changes.groups[LAST.group].skipped == 1


def test_answer_410_ends_the_destination():
    changes, goes_on = taken(FRESH, GONE)

    assert not goes_on
    assert changes.gone == {7: ("https://a.example/", "the receiver answered 410 Gone")}


@pytest.mark.parametrize(
    ("answer", "circuit", "failures"),
    [
        (DOWN, CLOSED, 1),
        (Answer(None, "no answer"), CLOSED, 1),
        (Answer(429), CLOSED, 1),
        (Answer(408), CLOSED, 1),
        (REFUSED, CLOSED, None),
        (Answer(404), CLOSED, None),
        (Answer(301), CLOSED, None),
        (Answer(None, "the event is not kept", is_receivers=False), CLOSED, None),
        (OK, CLOSED, None),
        (OK, Circuit(3, NOW), 0),
        (REFUSED, Circuit(3, NOW), None),
    ],
    ids=str,
)
def test_circuit_counts_what_says_something_about_the_destination(answer, circuit, failures):
    changes, _ = taken(FRESH, answer, circuit)

    moved = changes.circuits.get(7)
    assert (moved.failures if moved else None) == failures


def test_circuit_after_several_results_of_one_turn_opens():
    changes = Changes()
    for number in range(OPENS_AFTER):
        row = Row(number, 0, 7, f"order-{number}", "event", 0, 10, segment=0)
        changes.take(Attempt(row, DOWN, NOW, 5), changes.circuits.get(7, CLOSED), 0.5)

    assert changes.circuits[7].is_open
