"""The parking gate over several items: who stays behind whom, who is retried, what is counted."""

from dataclasses import replace

import pytest

from services.runtime.batch.items import WHOLE, FailureKind, ItemRef, QueuePosition
from services.runtime.config.allowed_sources import SOURCE_NOT_ALLOWED
from services.runtime.parking.gate import ParkingGate
from tests.unit.runtime.parking.builders import (
    BUG,
    EARLIER,
    FIFTH,
    FIRST,
    ITEM,
    NINTH,
    REFUSED,
    a_batch,
    a_candidate,
    a_record,
    a_ref,
    a_rejection,
    a_row,
    done,
    fail,
)


def joined(gate):
    return [(row.candidate.ref.at.offset, row.failure.kind.value) for row in gate.newly_parked]


def became(gate):
    return [result.became for result in gate.report.retry_results]


def test_gate_parks_what_shares_a_key_behind_a_failed_item():
    gate = ParkingGate(a_batch())

    assert done(gate, a_ref(0), "A")  # Before the failure: not touched by it.
    assert fail(gate, a_ref(1), "A")
    assert not done(gate, a_ref(2), "A")
    assert done(gate, a_ref(3), "B")
    assert joined(gate) == [(1, "decision"), (2, "behind")]


def test_gate_holds_the_keys_of_items_behind_a_failed_one_too():
    gate = ParkingGate(a_batch())
    fail(gate, a_ref(1), "A")

    assert not done(gate, a_ref(2), "AB")
    assert not done(gate, a_ref(3), "BC")
    assert not done(gate, a_ref(4), "C")
    assert done(gate, a_ref(5), "D")


def test_gate_holds_a_shared_key_against_those_that_have_it_for_their_own():
    def turn(ref, keys, shared):
        candidate = replace(a_candidate(ref, keys), shared=frozenset(shared))
        with gate.turn(ref, lambda: candidate) as turn:
            if not turn.blocked:
                turn.fail(BUG)
        return not turn.blocked

    gate = ParkingGate(a_batch())
    assert turn(a_ref(1), "A", "N")

    assert turn(a_ref(2), "B", "N")
    assert not done(gate, a_ref(3), "N")
    assert not done(gate, a_ref(4), "B")
    assert done(gate, a_ref(5), "C")


def test_gate_keeps_a_retried_item_with_a_shared_key_apart_from_earlier_ones():
    rows = [a_row(1, a_ref(1), "AN"), a_row(2, a_ref(2), "BN")]
    gate = ParkingGate(a_batch(retried=rows), {"A": rows[0].position, "N": rows[0].position})
    assert fail(gate, a_ref(1), "AN")
    candidate = replace(a_candidate(a_ref(2), "B"), shared=frozenset("N"))

    with gate.turn(a_ref(2), lambda: candidate) as turn:
        assert not turn.blocked
        turn.done("applied")


def test_gate_holds_the_keys_of_an_item_that_is_known_to_fail():
    gate = ParkingGate(a_batch(known_failures={a_ref(1): REFUSED}))

    assert not done(gate, a_ref(1), "A")
    assert not done(gate, a_ref(2), "A")
    assert joined(gate) == [(1, "write"), (2, "behind")]
    assert gate.report.started == []


def test_gate_retries_two_items_of_a_key_in_order():
    rows = (a_row(1, a_ref(1), "A"), a_row(2, a_ref(2), "A", FailureKind.BEHIND))
    gate = ParkingGate(a_batch(retried=rows))

    assert done(gate, a_ref(1), "A")
    assert done(gate, a_ref(2), "A")
    assert list(gate.unparked) == [row.position for row in rows]
    assert became(gate) == ["applied", "applied"]


def test_gate_holds_the_next_item_behind_a_retried_one_that_fails():
    rows = (a_row(1, a_ref(1), "A"), a_row(2, a_ref(2), "A", FailureKind.BEHIND))
    gate = ParkingGate(a_batch(retried=rows))

    assert fail(gate, a_ref(1), "A")
    assert not done(gate, a_ref(2), "A")

    assert [row.parked.position for row in gate.still_parked] == [FIRST]
    assert gate.newly_parked == []
    assert became(gate) == ["parked", "behind"]


def test_gate_keeps_the_stored_keys_of_a_retried_item():
    gate = ParkingGate(a_batch(retried=(a_row(FIFTH, ITEM, "A"),)), {"A": FIRST})

    assert not done(gate, ITEM, "B")


def test_gate_adds_keys_that_a_retried_item_has_by_now():
    rows = (a_row(1, a_ref(1), "A"), a_row(2, a_ref(2), "B", FailureKind.BEHIND))
    gate = ParkingGate(a_batch(retried=rows))

    fail(gate, a_ref(1), "AB")

    assert gate.still_parked[0].keys == {"A", "B"}
    assert not done(gate, a_ref(2), "B")


def test_gate_keeps_the_error_of_a_failed_item_that_is_now_behind():
    gate = ParkingGate(a_batch(retried=(a_row(FIFTH, ITEM, "A"),)), {"A": FIRST})

    done(gate)

    (row,) = gate.still_parked
    assert (row.failure.kind, row.failure.error) == (FailureKind.BEHIND, BUG.error)


def test_gate_keeps_a_held_record_whole_whatever_its_items_are():
    gate = ParkingGate(a_batch(retried=(a_record(kind=FailureKind.CRASH),)), {"A": FIRST})

    assert not done(gate, ItemRef(ITEM.at, 0), "A")
    assert not done(gate, ItemRef(ITEM.at, 1), "B")

    assert (gate.still_parked, gate.newly_parked, gate.unparked) == ([], [], {})
    assert became(gate) == ["behind"]


def test_gate_parks_items_of_a_retried_record_at_its_position():
    gate = ParkingGate(a_batch(retried=(a_record(),)))

    assert done(gate, ItemRef(ITEM.at, 0), "A")
    assert fail(gate, ItemRef(ITEM.at, 1), "B")
    assert not done(gate, ItemRef(ITEM.at, 2), "B")
    assert done(gate, ItemRef(ITEM.at, 3), "A")

    assert list(gate.unparked) == [FIFTH]
    assert [(row.candidate.index, row.beside) for row in gate.newly_parked] == [
        (1, FIFTH),
        (2, FIFTH),
    ]


def test_gate_parks_a_woken_item_at_the_position_of_its_waker():
    rows = (a_row(1, a_ref(1), "A"), a_row(2, a_ref(2), "A", FailureKind.BEHIND))
    gate = ParkingGate(a_batch(retried=rows))
    done(gate, a_ref(1), "A")

    assert fail(gate, a_ref(0), "A", waker=a_ref(1))

    assert gate.newly_parked[0].beside == FIRST
    assert not done(gate, a_ref(2), "A")


def test_gate_moves_an_item_of_the_same_id_behind_what_its_neighbour_woke():
    rows = (
        a_row(QueuePosition(1, 1), ItemRef(ITEM.at, 0), "A"),
        a_row(QueuePosition(1, 2), ItemRef(ITEM.at, 1), "A", FailureKind.BEHIND),
    )
    gate = ParkingGate(a_batch(retried=rows))
    done(gate, ItemRef(ITEM.at, 0), "A")
    fail(gate, a_ref(0), "A", waker=ItemRef(ITEM.at, 0))

    assert not done(gate, ItemRef(ITEM.at, 1), "A")

    assert list(gate.unparked) == [row.position for row in rows]
    assert [(row.candidate.ref, row.failure.kind.value) for row in gate.newly_parked] == [
        (a_ref(0), "decision"),
        (ItemRef(ITEM.at, 1), "behind"),
    ]


@pytest.mark.parametrize(
    ("retried", "keys", "waker"),
    [
        ((), "A", None),
        ((a_row(1, EARLIER, "B"),), "A", None),
        ((a_row(1, EARLIER, "AB"), a_row(5, a_ref(9), "A")), "A", EARLIER),
        ((a_row(1, EARLIER, "A"), a_row(5, ITEM, "A")), "A", ITEM),
        ((a_record(),), "B", ItemRef(ITEM.at, WHOLE)),
    ],
)
def test_gate_finds_the_waker_of_a_waiting_item_by_key(retried, keys, waker):
    gate = ParkingGate(a_batch(retried=retried))

    assert gate.waker_of(ITEM, lambda: a_candidate(ITEM, keys)) == waker


def test_gate_puts_new_items_after_retried_ones_that_stay():
    gate = ParkingGate(a_batch(retried=(a_row(1, a_ref(1), "A"),)))
    fail(gate, a_ref(1), "A")

    assert not done(gate, a_ref(7), "A")
    assert gate.newly_parked[0].beside is None


def test_gate_counts_malformed_items_by_source():
    gate = ParkingGate(a_batch(), {"A": FIRST})

    assert gate.refuse(a_rejection(ITEM))

    assert gate.report.malformed == [(ITEM, "/shop")]


def test_gate_counts_no_refusal_by_an_operators_rule_as_malformed():
    gate = ParkingGate(a_batch())

    assert gate.refuse(a_rejection(ITEM, SOURCE_NOT_ALLOWED))

    assert gate.report.malformed == []


@pytest.mark.parametrize(("held", "ends"), [(FIRST, False), (NINTH, True)])
def test_gate_ends_a_dismissed_item_only_if_it_is_behind_nothing(held, ends):
    gate = ParkingGate(a_batch(retried=(a_row(FIFTH, ITEM, "A"),)), {"A": held})

    assert gate.refuse(a_rejection(ITEM, "skipped_by_operator")) is ends

    assert became(gate) == ["rejected" if ends else "behind"]


def test_gate_blocks_everything_after_the_end_of_a_trial():
    gate = ParkingGate(a_batch(stop_after=2))

    assert [done(gate, a_ref(n), "ABC"[n]) for n in range(3)] == [True, True, False]
    assert len(gate.report.started) == 2


def test_gate_reports_counts_by_partition():
    gate = ParkingGate(a_batch())
    done(gate, a_ref(1), "A")
    fail(gate, a_ref(2), "A")
    done(gate, a_ref(3), "A")
    gate.refuse(a_rejection(a_ref(4)))

    (tally,) = gate.report.counts_by_partition().values()

    assert (tally.decided, tally.parked, dict(tally.malformed)) == (2, 1, {"/shop": 1})
