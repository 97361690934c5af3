"""The parking gate: every state of an item and of the queue, with every call."""

import gc
import weakref
from itertools import product

import pytest

from services.runtime.batch.items import Failure, FailureKind
from services.runtime.parking.gate import ParkingGate, TurnEnded, TurnNotEnded
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
    a_rejection,
    a_row,
    done,
    fail,
)

UNREADABLE = Failure(FailureKind.READING, "unreadable")
DEADLY = Failure(FailureKind.CRASH, "its process died")

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


def test_gate_and_its_caller_are_freed_without_the_garbage_collector():
    """The collector runs rarely (`serve`): a cycle would keep the items of many batches."""

    class Caller:
        def __init__(self):
            self.gate = ParkingGate(a_batch())

        def decide(self, ref):
            with self.gate.turn(ref, lambda: self.gate) as turn:
                turn.done("applied")

    gc.disable()
    try:
        caller = Caller()
        caller.decide(ITEM)
        found = weakref.ref(caller), weakref.ref(caller.gate)
        del caller
        assert [each() for each in found] == [None, None]
    finally:
        gc.enable()
