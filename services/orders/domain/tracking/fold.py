"""Fold: the oldest scans of a shipment, added up and not kept one by one (rule 3b).

A fold stands for the first scans in the order of rule 8. The kept scans are added to its sum, so
that both give the state that all scans together give. Rules: docs/scan-rules.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from services.orders.domain.tracking.catalogue import entry_of
from services.orders.domain.tracking.legs import PICK_UPS
from services.orders.domain.tracking.ordering import Retracted
from services.orders.domain.tracking.resume_point import ResumePoint
from services.orders.domain.tracking.running_total import RunningTotal
from services.orders.domain.tracking.scan import Precision, Scan
from services.orders.domain.tracking.state import FINISHED, TrackingState
from services.orders.domain.value import Value, replace

RETRACTIONS_MAX = 500
"""Most folded retractions whose scans are still taken back if they come later."""
OPENED_MAX = 4
"""Most sums within one another: a pick-up after the end of a leg that another pick-up opened."""
_DAY = timedelta(days=1)


class FoldedSum(Value, frozen=True, kw_only=True):
    """What folded scans add up to."""

    state: TrackingState
    point: ResumePoint
    """What the state does not show. Its `taken_back` is empty: see `Fold.taken_back`."""
    leg_since: datetime | None = None
    """When the leg was opened; None for the first."""
    opened: FoldedSum | None = None
    """The sum that replaces this one if a later scan confirms the pick-up at `point.picked_up_at`
    (rule 6b): the same scans with a leg that the pick-up opened."""


class Fold(Value, frozen=True, kw_only=True):
    """The folded scans of one shipment. Members are only added, with a default."""

    count: int
    """How many scans were folded, those that do not count included."""
    until: datetime
    """The latest time of a folded scan that counts."""
    total: FoldedSum
    taken_back: tuple[Retracted, ...] = ()
    """What folded retractions take back, in the order in which they were folded."""

    def is_after(self, scan: Scan) -> bool:
        """Whether a scan certainly belongs before the last of the folded ones.

        The place of a scan of day precision is known to a day (rule 11).
        """
        if scan.precision is Precision.DAY:
            return self.until - scan.occurred_at >= _DAY
        return scan.occurred_at < self.until

    def misses(self, scan: Scan) -> bool:
        """Whether a scan is an end that the folded leg has not seen."""
        return _misses(self.total, scan)


def retracted_by(fold: Fold | None) -> Collection[Retracted]:
    """The scans that folded retractions take back."""
    return fold.taken_back if fold is not None else ()


def begin(fold: Fold | None, later: Sequence[Scan]) -> RunningTotal:
    """The total of the folded scans; `later` are the scans after them that count, in order."""
    if fold is None:
        total = RunningTotal()
    else:
        total = _resumed(_confirmed(fold.total, later))
        total.taken_back.update(fold.taken_back)
    total.machine.ordered = later
    return total


def fold_in(
    fold: Fold | None,
    scans: Sequence[Scan],
    later: Sequence[Scan],
    uncounted: Sequence[Scan] = (),
) -> Fold:
    """Fold the next scans in order, at least one; `later` are those after them, which stay.

    `uncounted` are retracted scans: they are folded and add nothing.
    """
    start = _confirmed(fold.total, (*scans, *later)) if fold is not None else _EMPTY
    return Fold(
        count=(fold.count if fold is not None else 0) + len(scans) + len(uncounted),
        until=_latest(fold, scans or uncounted),
        total=_add(start, scans, later, OPENED_MAX) if scans else start,
        taken_back=_with_retractions(fold, scans),
    )


def with_late(fold: Fold, scan: Scan) -> Fold:
    """The fold with a scan that belongs before its last one.

    The scan adds nothing, unless it is an end that the folded leg has not seen: this counts as if
    it came directly after the folded scans.
    """
    return replace(
        fold,
        count=fold.count + 1,
        total=_with_end(fold.total, scan),
        taken_back=_with_retractions(fold, (scan,)),
    )


def _latest(fold: Fold | None, scans: Sequence[Scan]) -> datetime:
    newest = max(scan.occurred_at for scan in scans)
    return newest if fold is None else max(newest, fold.until)


def _with_retractions(fold: Fold | None, scans: Sequence[Scan]) -> tuple[Retracted, ...]:
    found = [(scan.carrier, scan.retracts) for scan in scans if scan.retracts is not None]
    held = retracted_by(fold)
    return (*held, *(each for each in found if each not in held))[-RETRACTIONS_MAX:]


def _resumed(held: FoldedSum) -> RunningTotal:
    return RunningTotal.resumed(held.state, held.point)


def _confirmed(held: FoldedSum, later: Sequence[Scan]) -> FoldedSum:
    """The sum that holds with the scans after it."""
    while held.opened is not None and _resumed(held).machine.has_confirmed_pick_up(later):
        held = held.opened
    return held


def _add(
    start: FoldedSum,
    scans: Sequence[Scan],
    later: Sequence[Scan],
    depth: int,
    assumed: Scan | None = None,
) -> FoldedSum:
    """Add scans to a sum, and to the sums that may replace it."""
    total, since = _resumed(start), start.leg_since
    machine = total.machine
    machine.ordered, machine.assumed = (*scans, *later), assumed
    # The sum before a pick-up that opened no leg, and the place of that pick-up.
    before, place = (start.opened, 0) if start.opened is not None else (None, 0)
    is_open = before is not None
    for index, scan in enumerate(scans):
        pending, leg = machine.picked_up_at, machine.leg
        held = _sum_of(total, since) if pending is None and scan.event_name in PICK_UPS else None
        total.take(scan)
        if machine.leg != leg:
            since = scan.occurred_at
        if held is not None and machine.picked_up_at is not None:
            before, place, is_open = held, index, False
    result = _sum_of(total, since)
    if machine.picked_up_at is None or before is None or not depth:
        return result
    pick_up = None if is_open else scans[place]
    opened = _add(before, scans[place:], later, depth - 1, pick_up)
    return replace(result, opened=opened)


def _sum_of(total: RunningTotal, since: datetime | None) -> FoldedSum:
    point = total.trail(0)
    if point is None:
        raise ValueError("a scan in the future cannot be folded")
    point = replace(point, taken_back=())
    return FoldedSum(state=total.machine.state(), point=point, leg_since=since)


_EMPTY = _sum_of(RunningTotal(), None)


def _misses(held: FoldedSum, scan: Scan) -> bool:
    entry, state, at = entry_of(scan.event_name), held.state, scan.occurred_at
    if not entry.physical or entry.phase not in FINISHED:
        return False
    if state.phase not in FINISHED:
        return held.leg_since is None or at >= held.leg_since
    ended_at = held.point.settled_at
    return ended_at is not None and at >= ended_at and _resumed(held).machine.opens_leg(scan)


def _with_end(held: FoldedSum, scan: Scan) -> FoldedSum:
    if _misses(held, scan):
        total, leg = _resumed(held), held.state.leg
        total.take(scan)
        since = held.leg_since if total.machine.leg == leg else scan.occurred_at
        return _sum_of(total, since)
    if held.opened is None:
        return held
    opened = _with_end(held.opened, scan)
    return held if opened is held.opened else replace(held, opened=opened)
