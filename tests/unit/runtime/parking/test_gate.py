"""Who may be decided in one batch: every case of the rule of the queue."""

import pytest

from schemas.envelope import CloudEvent
from services.runtime.batch.items import WHOLE, Failure, Kind, QueuePosition
from services.runtime.parking.gate import ParkingGate
from services.runtime.rejections import Rejection
from tests.unit.runtime.parking.builders import (
    BUG,
    a_batch,
    a_row,
    a_slot,
    an_entrant,
)


class Run:
    """Items offered to lanes one after the other."""

    def __init__(self, held=None, **batch):
        self.batch = a_batch(**batch)
        self.lanes = ParkingGate(self.batch, held)

    def offer(self, slot, names, *, fails=False):
        """Whether the item was decided; a failing one is parked, as a docket does."""
        entrant = an_entrant(slot, names)
        self.lanes.begin(slot)
        if not self.lanes.admits(slot, lambda: entrant):
            return False
        if fails:
            self.lanes.fail(entrant, BUG)
            return False
        self.lanes.settle(slot, "applied")
        return True

    def joined(self):
        return [(j.entrant.slot.at.offset, j.failure.kind.value) for j in self.lanes.joining]


def test_with_nothing_parked_names_are_never_asked_for():
    lanes = ParkingGate(a_batch())

    assert lanes.admits(a_slot(1), lambda: pytest.fail("names cost something"))
    assert lanes.report.heard == [a_slot(1)]


def test_what_shares_a_name_with_a_failed_item_stands_behind_it():
    run = Run()

    assert not run.offer(a_slot(1), "A", fails=True)
    assert not run.offer(a_slot(2), "A")
    assert run.offer(a_slot(3), "B")
    assert run.joined() == [(1, "decision"), (2, "behind")]


def test_contagion_goes_on_from_name_to_name():
    run = Run()
    run.offer(a_slot(1), "A", fails=True)

    assert not run.offer(a_slot(2), "AB")
    assert not run.offer(a_slot(3), "BC")
    assert not run.offer(a_slot(4), "C")
    assert run.offer(a_slot(5), "D")


def test_what_came_before_the_failure_is_untouched():
    run = Run()

    assert run.offer(a_slot(1), "A")
    run.offer(a_slot(2), "A", fails=True)

    assert run.joined() == [(2, "decision")]


@pytest.mark.parametrize(("names", "is_decided"), [("A", False), ("AB", False), ("B", True)])
def test_new_items_stand_behind_what_is_stored(names, is_decided):
    run = Run(held={"A": QueuePosition(9, 0)})

    assert run.offer(a_slot(1), names) is is_decided


def test_a_doomed_item_is_parked_with_its_failure_and_never_heard():
    failure = Failure(Kind.WRITE, "refused")
    run = Run(doomed={a_slot(1): failure})

    assert not run.offer(a_slot(1), "A")
    assert not run.offer(a_slot(2), "A")
    assert run.joined() == [(1, "write"), (2, "behind")]
    assert run.batch.report.heard == []


def test_a_doomed_item_behind_another_is_behind():
    run = Run(held={"A": QueuePosition(1, 0)}, doomed={a_slot(1): Failure(Kind.WRITE, "refused")})

    run.offer(a_slot(1), "A")

    assert run.joined() == [(1, "behind")]


def test_a_crash_stays_a_crash_behind_another():
    run = Run(held={"A": QueuePosition(1, 0)})
    slot = a_slot(1, WHOLE)
    run.lanes.begin(slot)

    run.lanes.fail(an_entrant(slot, "A"), Failure(Kind.CRASH, "died"))

    assert run.joined() == [(1, "crash")]


# Retries.


def test_a_retried_item_looks_only_at_what_stands_before_it():
    row = a_row(5, a_slot(1), "A")

    assert Run(held={"A": QueuePosition(6, 0)}, retried=(row,)).offer(a_slot(1), "A")
    assert not Run(held={"A": QueuePosition(4, 0)}, retried=(row,)).offer(a_slot(1), "A")


def test_a_retried_item_that_is_decided_leaves_and_frees_the_next():
    rows = (a_row(1, a_slot(1), "A"), a_row(2, a_slot(2), "A", Kind.BEHIND))
    run = Run(retried=rows)

    assert run.offer(a_slot(1), "A")
    assert run.offer(a_slot(2), "A")
    assert list(run.lanes.ended) == [row.place for row in rows]
    assert [each.became for each in run.batch.report.settled] == ["applied", "applied"]


def test_a_retried_item_that_fails_stays_and_holds_the_next():
    rows = (a_row(1, a_slot(1), "A"), a_row(2, a_slot(2), "A", Kind.BEHIND))
    run = Run(retried=rows)

    run.offer(a_slot(1), "A", fails=True)
    assert not run.offer(a_slot(2), "A")

    (staying,) = run.lanes.staying
    assert (staying.parked.place, staying.attempts) == (QueuePosition(1, 0), 2)
    assert run.lanes.joining == []
    assert [each.became for each in run.batch.report.settled] == ["parked", "behind"]


def test_names_once_given_stay():
    row = a_row(2, a_slot(1), "A")
    run = Run(held={"A": QueuePosition(1, 0)}, retried=(row,))

    assert not run.offer(a_slot(1), "B")


def test_names_found_since_are_added():
    run = Run(retried=(a_row(1, a_slot(1), "A"), a_row(2, a_slot(2), "B", Kind.BEHIND)))

    run.offer(a_slot(1), "AB", fails=True)

    assert run.lanes.staying[0].names == {"A", "B"}
    assert not run.offer(a_slot(2), "B")


def test_a_failed_item_found_behind_another_rests_until_that_is_gone():
    run = Run(held={"A": QueuePosition(1, 0)}, retried=(a_row(2, a_slot(1), "A"),))

    run.offer(a_slot(1), "A")

    (staying,) = run.lanes.staying
    assert (staying.failure.kind, staying.failure.error) == (Kind.BEHIND, BUG.error)


def test_a_crashed_record_behind_another_stays_for_the_operator():
    row = a_row(2, a_slot(1, WHOLE), "A", Kind.CRASH)
    run = Run(held={"A": QueuePosition(1, 0)}, retried=(row,))

    assert not run.offer(a_slot(1, 0), "A")
    assert not run.offer(a_slot(1, 1), "B")

    assert (run.lanes.staying, run.lanes.joining, run.lanes.ended) == ([], [], {})
    assert [each.became for each in run.batch.report.settled] == ["behind"]


def test_a_record_parked_unread_becomes_its_items_at_its_place():
    row = a_row(5, a_slot(1, WHOLE), "A", Kind.READING)
    run = Run(retried=(row,))

    assert run.offer(a_slot(1, 0), "A")
    assert not run.offer(a_slot(1, 1), "B", fails=True)
    assert not run.offer(a_slot(1, 2), "B")
    assert run.offer(a_slot(1, 3), "A")

    assert list(run.lanes.ended) == [row.place]
    assert [(j.entrant.index, j.beside) for j in run.lanes.joining] == [
        (1, row.place),
        (2, row.place),
    ]


def test_what_a_retried_item_calls_up_stands_where_it_stands():
    rows = (a_row(1, a_slot(1), "A"), a_row(2, a_slot(2), "A", Kind.BEHIND))
    run = Run(retried=rows)
    run.offer(a_slot(1), "A")
    called = an_entrant(a_slot(0), "A")

    assert run.lanes.admits(called.slot, lambda: called)
    run.lanes.fail(called, BUG)

    assert run.lanes.joining[0].beside == rows[0].place
    assert not run.offer(a_slot(2), "A")


def test_new_items_come_after_retried_ones_that_stay():
    run = Run(retried=(a_row(1, a_slot(1), "A"),))
    run.offer(a_slot(1), "A", fails=True)

    assert not run.offer(a_slot(7), "A")
    assert run.lanes.joining[0].beside is None


def a_refusal(slot, reason="invalid_fields"):
    entrant = an_entrant(slot, "")
    return Rejection(entrant.original, slot.index, CloudEvent(source="/shop"), reason, "")


def test_malformed_items_end_at_once_and_are_told_by_source():
    run = Run(held={"A": QueuePosition(1, 0)})

    run.lanes.begin(a_slot(1))
    assert run.lanes.refuses(a_slot(1), a_refusal(a_slot(1)))

    assert run.batch.report.malformed == [(a_slot(1), "/shop")]


@pytest.mark.parametrize(("before", "ends"), [(1, False), (9, True)])
def test_a_dismissed_item_ends_in_its_turn(before, ends):
    row = a_row(5, a_slot(1), "A")
    run = Run(held={"A": QueuePosition(before, 0)}, retried=(row,))

    run.lanes.begin(row.slot)
    assert run.lanes.refuses(row.slot, a_refusal(row.slot, "skipped_by_operator")) is ends

    became = "rejected" if ends else "behind"
    assert [each.became for each in run.batch.report.settled] == [became]


def test_a_trial_goes_only_so_far():
    run = Run(heard_max=2)

    assert [run.offer(a_slot(n), "ABC"[n]) for n in range(3)] == [True, True, False]
    assert len(run.batch.report.heard) == 2


def test_a_report_counts_by_partition():
    run = Run()
    run.offer(a_slot(1), "A")
    run.offer(a_slot(2), "A", fails=True)
    run.offer(a_slot(3), "A")
    run.lanes.begin(a_slot(4))
    run.lanes.refuses(a_slot(4), a_refusal(a_slot(4)))

    (tally,) = run.batch.report.tallies().values()

    assert (tally.decided, tally.parked, dict(tally.malformed)) == (2, 1, {"/shop": 1})
