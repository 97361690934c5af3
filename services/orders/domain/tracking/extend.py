"""Replay: a set of scans that grows, with the state after each scan that was added (P5)."""

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
    """A new scan, the state of all scans so far, and whether to notify of it."""

    scan: Scan
    state: TrackingState
    group: str | None
    notify: bool


class ScanHistory:
    """The sum of the scans so far, always that of their set.

    A scan that comes last of all that count is added to the sum as it stands; for any other the
    set is put in order and added up again.
    """

    def __init__(self, scans: Iterable[Scan], as_of: datetime) -> None:
        self._scans = list(scans)
        self._as_of = as_of
        self._total = None if self._scans else RunningTotal()

    @property
    def total(self) -> RunningTotal:
        """The sum so far."""
        if self._total is None:
            self._total, _ = self._add_up(None)
        return self._total

    def add(self, new: tuple[Scan, ...]) -> Iterator[ScanResult]:
        """Add scans whose keys are new, by time."""
        for scan in self._in_order(new):
            yield self._add(scan)

    def _in_order(self, new: tuple[Scan, ...]) -> list[Scan]:
        """As they are arranged where they follow all others and all count; else by instant."""
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
        """The sum of all scans, and what `new` did if it counts: news only as the last word."""
        ordered, aside = order_scans(self._scans, self._as_of)
        total = RunningTotal()
        total.leave(aside)
        found = None
        for scan in ordered:
            taken = total.take(scan)
            if scan is new:
                found = taken
            elif found is not None and taken.is_effective:
                found = ScanEffect(found.group, found.is_effective, is_first=False)
        return total, found


def extend(total: RunningTotal, new: tuple[Scan, ...], now: datetime) -> list[ScanResult]:
    """Add scans to a tally, by time; none, and the tally is of no use, if one is not the next."""
    added: list[ScanResult] = []
    for scan in sorted(new, key=sort_key):
        if not total.is_next(scan, now):
            return []
        added.append(result_of(scan, total.take(scan), total, now))
    return added


def result_of(
    scan: Scan, taken: ScanEffect | None, total: RunningTotal, now: datetime
) -> ScanResult:
    """What is to be said of a scan that was added to `total`; `taken` is None if it was omitted."""
    state = total.machine.state()
    if taken is None:
        return ScanResult(scan, state, group_of_scan(scan, state.direction), notify=False)
    return ScanResult(scan, state, taken.group, notify=taken.is_first and is_fresh_scan(scan, now))
