"""The parking gate: every state of an item and of the queue, with every call."""

from itertools import product

import pytest

from schemas.envelope import CloudEvent
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemRef, QueuePosition
from services.runtime.config.allowed_sources import SOURCE_NOT_ALLOWED
from services.runtime.parking.gate import ParkingGate, TurnEnded, TurnNotEnded
from services.runtime.rejections import Rejection
from tests.unit.runtime.parking.builders import BUG, a_batch, a_candidate, a_ref, a_row

ITEM, EARLIER = a_ref(2), a_ref(1)
UNREADABLE = Failure(FailureKind.READING, "unreadable")
DEADLY = Failure(FailureKind.CRASH, "its process died")
REFUSED = Failure(FailureKind.WRITE, "refused by Postgres")
FIRST, FIFTH, NINTH = (QueuePosition(n, 0) for n in (1, 5, 9))


def a_record(keys="A", kind=FailureKind.READING):
    """The record of the item, parked unread at the fifth position."""
    return a_row(FIFTH, ItemRef(ITEM.at, WHOLE), keys, kind)


# What is parked and known when the item with the key A comes.
STATES = {
    "nothing is parked": {},
    "its key is held": {"held": {"A": FIRST}},
    "another key is held": {"held": {"B": FIRST}},
    "its key is held by this batch": {"parked_before": "A"},
    "it is known to fail": {"known_failures": {ITEM: REFUSED}},
    "it is known to fail and held": {"known_failures": {ITEM: REFUSED}, "held": {"A": FIRST}},
    "a trial stops before it": {"stop_after": 0},
    "it is retried": {"retried": (a_row(FIFTH, ITEM, "A"),)},
    "it is retried, held earlier": {"retried": (a_row(FIFTH, ITEM, "A"),), "held": {"A": FIRST}},
    "it is retried, held later": {"retried": (a_row(FIFTH, ITEM, "A"),), "held": {"A": NINTH}},
    "it was behind, still held": {
        "retried": (a_row(FIFTH, ITEM, "A", FailureKind.BEHIND),),
        "held": {"A": FIRST},
    },
    "its record is retried": {"retried": (a_record(),)},
    "its record is retried, held": {"retried": (a_record(),), "held": {"A": FIRST}},
    "its record is retried, only it held": {"retried": (a_record("B"),), "held": {"A": FIRST}},
    "its record crashed, held": {
        "retried": (a_record(kind=FailureKind.CRASH),),
        "held": {"A": FIRST},
    },
    "it is woken by a retried item": {
        "retried": (a_row(FIFTH, EARLIER, "A"),),
        "waker": EARLIER,
    },
    "it is woken, held later": {
        "retried": (a_row(FIFTH, EARLIER, "A"),),
        "held": {"A": NINTH},
        "waker": EARLIER,
    },
}


def a_gate(held=None, parked_before="", waker=None, **batch):
    """The gate of a batch in one of the states."""
    gate = ParkingGate(a_batch(**batch), held)
    if parked_before:
        gate.park(a_candidate(EARLIER, parked_before), BUG)
    return gate


def a_rejection(ref, reason="invalid_fields"):
    """A refusal of the item without a decision."""
    original = a_candidate(ref, "").original
    return Rejection(original, ref.index, CloudEvent(source="/shop"), reason, "")


def done(gate, ref=ITEM, keys="A", waker=None):
    """A turn of an item that is decided; whether it was."""
    with gate.turn(ref, lambda: a_candidate(ref, keys), waker) as turn:
        if not turn.blocked:
            turn.done("applied")
    return not turn.blocked


def fail(gate, ref=ITEM, keys="A", waker=None):
    """A turn of an item whose decision fails; whether it was begun."""
    with gate.turn(ref, lambda: a_candidate(ref, keys), waker) as turn:
        if not turn.blocked:
            turn.fail(BUG)
    return not turn.blocked


CALLS = {
    "done": lambda gate, waker: done(gate, waker=waker),
    "fail": lambda gate, waker: fail(gate, waker=waker),
    "park": lambda gate, _: gate.park(a_candidate(ITEM, "A"), UNREADABLE),
    "park dead": lambda gate, _: gate.park(a_candidate(ITEM, "A"), DEADLY),
    "refuse": lambda gate, _: gate.refuse(a_rejection(ITEM)),
    "end": lambda gate, _: gate.end(ITEM, "applied"),
}


def effects(gate):
    """What became of the item: decided, new and changed rows, left rows, results of retries."""
    report = gate.report
    new = [row for row in gate.newly_parked if row.candidate.ref != EARLIER]
    return " ".join(
        [
            *("decided" for _ in report.started),
            *("malformed" for _ in report.malformed),
            *(f"new:{row.failure.kind}{_beside(row)}" for row in new),
            *(f"stays:{row.failure.kind}x{row.attempts}" for row in gate.still_parked),
            *(f"leaves:{position}" for position in gate.unparked),
            *(f"became:{result.became}" for result in report.retry_results),
        ]
    )


def _beside(row):
    return f"@{row.beside}" if row.beside else ""


NOTHING = ""
# By state: the effects of done, fail, park, park dead, refuse and end.
EFFECTS = {
    "nothing is parked": (
        "decided",
        "decided new:decision",
        "new:reading",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "its key is held": (
        "new:behind",
        "new:behind",
        "new:behind",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "another key is held": (
        "decided",
        "decided new:decision",
        "new:reading",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "its key is held by this batch": (
        "new:behind",
        "new:behind",
        "new:behind",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "it is known to fail": (
        "new:write",
        "new:write",
        "new:reading",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "it is known to fail and held": (
        "new:behind",
        "new:behind",
        "new:behind",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "a trial stops before it": (
        NOTHING,
        NOTHING,
        "new:reading",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "it is retried": (
        "decided leaves:5 became:applied",
        "decided stays:decisionx2 became:parked",
        "stays:readingx2 became:parked",
        "stays:crashx2 became:parked",
        "decided leaves:5 became:rejected",
        "leaves:5 became:applied",
    ),
    "it is retried, held earlier": (
        "stays:behindx1 became:behind",
        "stays:behindx1 became:behind",
        "stays:behindx1 became:behind",
        "stays:crashx2 became:parked",
        "stays:behindx1 became:behind",
        "leaves:5 became:applied",
    ),
    "it is retried, held later": (
        "decided leaves:5 became:applied",
        "decided stays:decisionx2 became:parked",
        "stays:readingx2 became:parked",
        "stays:crashx2 became:parked",
        "decided leaves:5 became:rejected",
        "leaves:5 became:applied",
    ),
    "it was behind, still held": (
        "became:behind",
        "became:behind",
        "became:behind",
        "stays:crashx2 became:parked",
        "became:behind",
        "leaves:5 became:applied",
    ),
    "its record is retried": (
        "decided leaves:5 became:applied",
        "decided new:decision@5 leaves:5 became:parked",
        "new:reading@5 leaves:5 became:parked",
        "new:crash@5 leaves:5 became:parked",
        "decided leaves:5 became:rejected",
        "leaves:5 became:applied",
    ),
    "its record is retried, held": (
        "stays:behindx1 became:behind",
        "stays:behindx1 became:behind",
        "stays:behindx1 became:behind",
        "stays:behindx1 became:behind",
        "stays:behindx1 became:behind",
        "leaves:5 became:applied",
    ),
    "its record is retried, only it held": (
        "new:behind@5 leaves:5 became:behind",
        "new:behind@5 leaves:5 became:behind",
        "new:behind@5 leaves:5 became:behind",
        "new:crash@5 leaves:5 became:parked",
        "decided leaves:5 became:rejected",
        "leaves:5 became:applied",
    ),
    "its record crashed, held": (
        "became:behind",
        "became:behind",
        "became:behind",
        "became:behind",
        "became:behind",
        "leaves:5 became:applied",
    ),
    "it is woken by a retried item": (
        "decided",
        "decided new:decision@5",
        "new:reading",
        "new:crash",
        "malformed",
        NOTHING,
    ),
    "it is woken, held later": (
        "decided",
        "decided new:decision@5",
        "new:behind",
        "new:crash",
        "malformed",
        NOTHING,
    ),
}
TABLE = {
    (state, call): effect
    for state, by_call in EFFECTS.items()
    for call, effect in zip(CALLS, by_call, strict=True)
}


@pytest.mark.parametrize(("state", "call"), list(product(STATES, CALLS)))
def test_gate_call_in_each_state_has_the_effects_of_the_table(state, call):
    gate = a_gate(**STATES[state])

    CALLS[call](gate, STATES[state].get("waker"))

    assert effects(gate) == TABLE[state, call]


@pytest.mark.parametrize("state", STATES)
def test_gate_turn_is_either_blocked_or_to_be_ended_once(state):
    gate, waker = a_gate(**STATES[state]), STATES[state].get("waker")
    turn = gate.turn(ITEM, lambda: a_candidate(ITEM, "A"), waker)

    if turn.blocked:
        with turn:  # A blocked turn needs no end.
            pass
    else:
        with pytest.raises(TurnNotEnded, match="item 0 of orders"), turn:
            pass
    for end in (lambda: turn.done("applied"), lambda: turn.fail(BUG)):
        with pytest.raises(TurnEnded):
            end()


@pytest.mark.parametrize("first", ["done", "fail"])
@pytest.mark.parametrize("second", ["done", "fail"])
def test_gate_turn_is_ended_only_once(first, second):
    ends = {"done": ("applied",), "fail": (BUG,)}
    gate = ParkingGate(a_batch())
    with gate.turn(ITEM, lambda: a_candidate(ITEM, "A")) as turn:
        getattr(turn, first)(*ends[first])
        with pytest.raises(TurnEnded):
            getattr(turn, second)(*ends[second])

    assert len(gate.newly_parked) == (first == "fail")


def test_gate_turn_without_an_end_stops_the_next_one():
    gate = ParkingGate(a_batch())
    gate.turn(EARLIER, lambda: a_candidate(EARLIER, "A"))  # Without `with`, and forgotten.

    with pytest.raises(TurnNotEnded):
        gate.turn(ITEM, lambda: a_candidate(ITEM, "A"))


def test_gate_turn_lets_an_error_through_and_the_next_turn_begins():
    gate = ParkingGate(a_batch())
    with pytest.raises(KeyError), gate.turn(EARLIER, lambda: a_candidate(EARLIER, "A")):
        raise KeyError("a bug outside the decision")

    assert done(gate)
    assert gate.newly_parked == []


def test_gate_asks_for_no_keys_where_nothing_is_parked():
    gate = ParkingGate(a_batch())

    with gate.turn(ITEM, lambda: pytest.fail("computing keys costs time")) as turn:
        turn.done("applied")

    assert gate.report.started == [ITEM]


def test_gate_asks_for_no_keys_in_a_trial_where_nothing_is_parked():
    gate = ParkingGate(a_batch(stop_after=1))

    with gate.turn(ITEM, lambda: pytest.fail("computing keys costs time")) as turn:
        turn.done("applied")

    assert gate.report.started == [ITEM]


# Sequences of items.


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
