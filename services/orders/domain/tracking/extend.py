"""Scan history: a set of scans that grows, with the state after each scan that is added.

The state depends on the set alone (docs/promises.md, P5; docs/scan-rules.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.orders.domain.tracking.notifications import group_of_scan, is_fresh_scan
from services.orders.domain.tracking.ordering import is_believed, order_scans, sort_key
from services.orders.domain.tracking.running_total import RunningTotal, ScanEffect
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.value import Value


class ScanResult(Value, frozen=True):
    """A new scan, the state after it, and whether to notify the customer."""

    scan: Scan
    state: TrackingState
    group: str | None
    notify: bool


class ScanHistory:
    """Scans so far with their running total.

    A scan that is last by time is added to the total; for any other scan the set is sorted and
    added up again.
    """

    def __init__(self, scans: Iterable[Scan], as_of: datetime) -> None:
        self._scans = list(scans)
        self._as_of = as_of
        self._total = None if self._scans else RunningTotal()

    @property
    def total(self) -> RunningTotal:
        """The running total of all scans so far."""
        if self._total is None:
            self._total, _ = self._add_up(None)
        return self._total

    def add(self, new: tuple[Scan, ...]) -> Iterator[ScanResult]:
        """Add scans with new keys, by time; yields the result of each."""
        for scan in self._in_order(new):
            yield self._add(scan)

    def _in_order(self, new: tuple[Scan, ...]) -> list[Scan]:
        """The new scans in the order of rule 8 if all are last and count; else by instant."""
        if len(new) > 1:
            ordered, aside = order_scans((*self._scans, *new), self._as_of)
            count, added = len(self._scans), {scan.key for scan in new}
            if not aside and all(scan.key in added for scan in ordered[count:]):
                return ordered[count:]
        return sorted(new, key=sort_key)

    def _add(self, scan: Scan) -> ScanResult:
        self._scans.append(scan)
        total, taken = self._total, None
        if total is not None and total.omits(scan, self._as_of):
            total.has_future = total.has_future or not is_believed(scan, self._as_of)
        elif total is not None and total.is_next(scan, self._as_of):
            taken = total.take(scan)
        else:
            total, taken = self._add_up(scan)
        self._total = total
        return result_of(scan, taken, total, self._as_of)

    def _add_up(self, new: Scan | None) -> tuple[RunningTotal, ScanEffect | None]:
        """The total of all scans, and the effect of `new` if it counts.

        `new` is the first of its group only if no effective scan follows it.
        """
        ordered, aside = order_scans(self._scans, self._as_of)
        total = RunningTotal()
        total.leave(aside)
        total.machine.ordered = ordered
        found = None
        for scan in ordered:
            taken = total.take(scan)
            if scan is new:
                found = taken
            elif found is not None and taken.is_effective:
                found = ScanEffect(found.group, found.is_effective, is_first=False)
        return total, found


def extend(total: RunningTotal, new: tuple[Scan, ...], now: datetime) -> list[ScanResult]:
    """Add scans to a total, by time.

    Returns no result if one scan is not the next by time; the total must not be used then.
    """
    added: list[ScanResult] = []
    for scan in sorted(new, key=sort_key):
        if not total.is_next(scan, now):
            return []
        added.append(result_of(scan, total.take(scan), total, now))
    return added


def result_of(
    scan: Scan, taken: ScanEffect | None, total: RunningTotal, now: datetime
) -> ScanResult:
    """The result of a scan added to `total`; `taken` is None if the scan does not count."""
    state = total.machine.state()
    if taken is None:
        return ScanResult(scan, state, group_of_scan(scan, state.direction), notify=False)
    return ScanResult(scan, state, taken.group, notify=taken.is_first and is_fresh_scan(scan, now))
