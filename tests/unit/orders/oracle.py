"""Results of new scans, the slow and simple way: after each of them the whole set is replayed.

`extend.ScanHistory` must give the same results for any scans.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from services.orders.domain.tracking.extend import ScanResult
from services.orders.domain.tracking.notifications import group_of_scan
from services.orders.domain.tracking.ordering import sort_key
from services.orders.domain.tracking.replay import ReplayedScans, replay
from services.orders.domain.tracking.scan import Scan


def results(known: tuple[Scan, ...], new: tuple[Scan, ...], now: datetime) -> Iterator[ScanResult]:
    """Each new scan, by time, with the state of `known` and of the new ones up to it."""
    whole = replay((*known, *new), now)
    is_appended = _is_appended(whole, known)
    later = [step.scan for step in whole.steps[len(known) :]]
    so_far = list(known)
    for scan in later if is_appended else sorted(new, key=sort_key):
        so_far.append(scan)
        yield _result_of_last(replay(so_far, now), scan)


def _is_appended(whole: ReplayedScans, known: tuple[Scan, ...]) -> bool:
    keys = {scan.key for scan in known}
    return not whole.aside and all(step.scan.key in keys for step in whole.steps[: len(known)])


def _result_of_last(replayed: ReplayedScans, scan: Scan) -> ScanResult:
    step = next((step for step in replayed.steps if step.scan is scan), None)
    direction = (step or replayed).state.direction
    return ScanResult(scan, replayed.state, group_of_scan(scan, direction))
