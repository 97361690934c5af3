"""Results of new scans, the slow and simple way: after each of them the whole set is replayed.

`extend.ScanHistory` must give the same results for any scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from services.orders.domain.tracking.extend import ScanResult
from services.orders.domain.tracking.notifications import group_of_scan, is_fresh_scan
from services.orders.domain.tracking.ordering import sort_key
from services.orders.domain.tracking.replay import ReplayedScans, replay
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import ScanStep


def results(known: tuple[Scan, ...], new: tuple[Scan, ...], now: datetime) -> Iterator[ScanResult]:
    """Each new scan, by time, with the state of `known` and of the new ones up to it."""
    whole = replay((*known, *new), now)
    is_appended = _is_appended(whole, known)
    later = [step.scan for step in whole.steps[len(known) :]]
    so_far = list(known)
    for scan in later if is_appended else sorted(new, key=sort_key):
        so_far.append(scan)
        yield _result_of_last(replay(so_far, now), scan, now)


def _is_appended(whole: ReplayedScans, known: tuple[Scan, ...]) -> bool:
    keys = {scan.key for scan in known}
    return not whole.aside and all(step.scan.key in keys for step in whole.steps[: len(known)])


def _result_of_last(replayed: ReplayedScans, scan: Scan, now: datetime) -> ScanResult:
    index = next((at for at, step in enumerate(replayed.steps) if step.scan is scan), None)
    if index is None:
        group = group_of_scan(scan, replayed.state.direction)
        return ScanResult(scan, replayed.state, group, notify=False)
    result = _result_at(replayed.steps, index, now)
    return ScanResult(scan, replayed.state, result.group, result.notify)


def _result_at(steps: Sequence[ScanStep], index: int, now: datetime) -> ScanResult:
    step = steps[index]
    group = group_of_scan(step.scan, step.state.direction)
    return ScanResult(step.scan, step.state, group, notify=_notifies(steps, index, now))


def _notifies(steps: Sequence[ScanStep], index: int, now: datetime) -> bool:
    """Whether the scan is fresh, the newest that counts, first of its key (rules 4, 16 and 17)."""
    step = steps[index]
    key = _key(step)
    if key is None or not step.is_effective or not is_fresh_scan(step.scan, now):
        return False
    if any(later.is_effective for later in steps[index + 1 :]):
        return False
    return not any(other.is_effective and _key(other) == key for other in steps[:index])


def _key(step: ScanStep) -> tuple[int, str, int] | None:
    """One notification per leg, group and attempt; None where the scan has no group."""
    group = group_of_scan(step.scan, step.state.direction)
    return None if group is None else (step.state.leg, group, step.state.attempts)
