"""Scan history: a set of scans that grows, with the state after each scan that is added.

The state depends on the set alone (docs/promises.md, P5; docs/scan-rules.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.orders.domain.tracking.fold import Fold, begin, fold_in, retracted_by, with_late
from services.orders.domain.tracking.notifications import Standing, group_of_scan
from services.orders.domain.tracking.ordering import (
    SetAside,
    is_believed,
    order_scans,
    sort_key,
)
from services.orders.domain.tracking.running_total import RunningTotal
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.value import Value


class ScanResult(Value, frozen=True):
    """A new scan, and the state after it."""

    scan: Scan
    state: TrackingState
    group: str | None
    """The notification group of the scan's event."""


class ScanHistory:
    """Scans so far with their running total.

    A scan that is last by time is added to the total; for any other scan the set is sorted and
    added up again. With a fold, the scans are those kept beside it.
    """

    def __init__(self, scans: Iterable[Scan], as_of: datetime, fold: Fold | None = None) -> None:
        self._scans = list(scans)
        self._as_of = as_of
        self.fold = fold
        self._total = None if self._scans or fold is not None else RunningTotal()
        self.standings: dict[str, Standing] = {}
        """Where each scan that counts stands now, by key; empty until they are added up."""

    @property
    def total(self) -> RunningTotal:
        """The running total of all scans so far."""
        if self._total is None:
            self._total = self._add_up()
        return self._total

    def add(self, new: tuple[Scan, ...]) -> list[ScanResult]:
        """Add scans with new keys, by time; returns the result of each."""
        return [self._add(scan) for scan in self._in_order(new)]

    def add_late(self, scan: Scan) -> ScanResult:
        """Add a scan that belongs before those that are kept to the fold; a first one makes it."""
        held = self.fold
        self.fold = self._folded_in(scan)
        if held is None or self.fold.total is not held.total:
            self._total = None
        return result_of(scan, None, self.total)

    def _folded_in(self, scan: Scan) -> Fold:
        if self.fold is not None and self.fold.is_after(scan):
            return with_late(self.fold, scan)
        ordered, _ = self._ordered((scan, *self._scans))
        later = [each for each in ordered if each.key != scan.key]
        counted, uncounted = ((scan,), ()) if len(later) < len(ordered) else ((), (scan,))
        return fold_in(self.fold, counted, later, uncounted)

    def _in_order(self, new: tuple[Scan, ...]) -> list[Scan]:
        """The new scans in the order of rule 8 if all are last and count; else by instant."""
        if len(new) > 1:
            ordered, aside = self._ordered((*self._scans, *new))
            count, added = len(self._scans), {scan.key for scan in new}
            if not aside and all(scan.key in added for scan in ordered[count:]):
                return ordered[count:]
        return sorted(new, key=sort_key)

    def _add(self, scan: Scan) -> ScanResult:
        self._scans.append(scan)
        total = self._total
        if total is not None and total.omits(scan, self._as_of):
            total.has_future = total.has_future or not is_believed(scan, self._as_of)
        elif total is not None and total.is_next(scan, self._as_of):
            self.standings[scan.key] = total.take(scan)
        else:
            self._total = total = self._add_up()
        return result_of(scan, self.standings.get(scan.key), total)

    def _add_up(self) -> RunningTotal:
        """The total of all scans; they stand where it has them."""
        ordered, aside = self._ordered(self._scans)
        total = begin(self.fold, ordered)
        total.leave(aside)
        self.standings = {scan.key: total.take(scan) for scan in ordered}
        return total

    def _ordered(self, scans: Iterable[Scan]) -> tuple[list[Scan], list[SetAside]]:
        return order_scans(scans, self._as_of, retracted_by(self.fold))


def extend(
    total: RunningTotal, new: tuple[Scan, ...], now: datetime
) -> tuple[list[ScanResult], dict[str, Standing]]:
    """Add scans to a total, by time; returns the results, and where each scan stands.

    Returns no result if one scan is not the next by time; the total must not be used then.
    """
    results: list[ScanResult] = []
    standings: dict[str, Standing] = {}
    for scan in sorted(new, key=sort_key):
        if not total.is_next(scan, now):
            return [], {}
        standings[scan.key] = standing = total.take(scan)
        results.append(result_of(scan, standing, total))
    return results, standings


def result_of(scan: Scan, standing: Standing | None, total: RunningTotal) -> ScanResult:
    """The result of a scan added to `total`; `standing` is None if the scan does not count."""
    state = total.machine.state()
    if standing is None:
        return ScanResult(scan, state, group_of_scan(scan, state.direction))
    return ScanResult(scan, state, standing.group)
