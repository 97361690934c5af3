"""Replay: a set of scans that grows, with the state after each scan that was added (P5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.orders.domain.tracking.notifications import group_of_scan, is_fresh_scan
from services.orders.domain.tracking.ordering import arrange, is_believed, sort_key
from services.orders.domain.tracking.running_total import RunningTotal, Taken
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.value import Value


class Heard(Value, frozen=True):
    """A new scan, the state of all scans so far, and whether to notify of it."""

    scan: Scan
    state: TrackingState
    group: str | None
    notify: bool


class Replay:
    """The sum of the scans so far, always that of their set.

    A scan that comes last of all that count is added to the sum as it stands; for any other the
    set is put in order and added up again.
    """

    def __init__(self, scans: Iterable[Scan], as_of: datetime) -> None:
        self._scans = list(scans)
        self._as_of = as_of
        self._tally = None if self._scans else RunningTotal()

    @property
    def tally(self) -> RunningTotal:
        """The sum so far."""
        if self._tally is None:
            self._tally, _ = self._add_up(None)
        return self._tally

    def hear(self, new: tuple[Scan, ...]) -> Iterator[Heard]:
        """Add scans whose keys are new, by time."""
        for scan in self._in_order(new):
            yield self._hear(scan)

    def _in_order(self, new: tuple[Scan, ...]) -> list[Scan]:
        """As they are arranged where they follow all others and all count; else by instant."""
        if len(new) > 1:
            ordered, aside = arrange((*self._scans, *new), self._as_of)
            count, added = len(self._scans), {scan.key for scan in new}
            if not aside and all(scan.key in added for scan in ordered[count:]):
                return ordered[count:]
        return sorted(new, key=sort_key)

    def _hear(self, scan: Scan) -> Heard:
        self._scans.append(scan)
        tally, taken = self._tally, None
        if tally is not None and tally.omits(scan, self._as_of):
            tally.has_future = tally.has_future or not is_believed(scan, self._as_of)
        elif tally is not None and tally.is_next(scan, self._as_of):
            taken = tally.take(scan)
        else:
            tally, taken = self._add_up(scan)
        self._tally = tally
        return heard(scan, taken, tally, self._as_of)

    def _add_up(self, new: Scan | None) -> tuple[RunningTotal, Taken | None]:
        """The sum of all scans, and what `new` did if it counts: news only as the last word."""
        ordered, aside = arrange(self._scans, self._as_of)
        tally = RunningTotal()
        tally.leave(aside)
        found = None
        for scan in ordered:
            taken = tally.take(scan)
            if scan is new:
                found = taken
            elif found is not None and taken.is_effective:
                found = Taken(found.group, found.is_effective, is_news=False)
        return tally, found


def extend(tally: RunningTotal, new: tuple[Scan, ...], now: datetime) -> list[Heard]:
    """Add scans to a tally, by time; none, and the tally is of no use, if one is not the next."""
    added: list[Heard] = []
    for scan in sorted(new, key=sort_key):
        if not tally.is_next(scan, now):
            return []
        added.append(heard(scan, tally.take(scan), tally, now))
    return added


def heard(scan: Scan, taken: Taken | None, tally: RunningTotal, now: datetime) -> Heard:
    """What is to be said of a scan that was added to `tally`; `taken` is None if it was omitted."""
    state = tally.course.state()
    if taken is None:
        return Heard(scan, state, group_of_scan(scan, state.direction), notify=False)
    return Heard(scan, state, taken.group, notify=taken.is_news and is_fresh_scan(scan, now))
