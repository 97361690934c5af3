"""Urgency: whether a customer should still hear of something (rules 4, 16 and 17)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.orders.domain.catalogue import entry_of, group_of
from services.orders.domain.scans import Direction, Precision, Scan
from services.orders.domain.step import Step

STALE_AFTER = timedelta(hours=4)
"""News older than this is history (Karla's `stale_event_threshold`)."""
_DAY = timedelta(days=1)


def is_fresh(occurred_at: datetime, now: datetime) -> bool:
    """Not older than the threshold."""
    return now - occurred_at <= STALE_AFTER


def is_worth_telling(steps: Sequence[Step], index: int, now: datetime) -> bool:
    """Whether the step at `index` should notify: fresh, the newest word, and not told before."""
    step = steps[index]
    key = _key(step)
    if key is None or not step.is_effective or not _is_fresh(step.scan, now):
        return False
    if any(later.is_effective for later in steps[index + 1 :]):
        return False
    return not any(other.is_effective and _key(other) == key for other in steps[:index])


def _is_fresh(scan: Scan, now: datetime) -> bool:
    if scan.precision is Precision.DAY:
        # It may have happened at any time of that day.
        return now - scan.occurred_at <= STALE_AFTER + _DAY
    return is_fresh(scan.occurred_at, now)


def _key(step: Step) -> tuple[int, str, int] | None:
    """One notification per leg, group and attempt; None has no group and tells nobody."""
    group = group_of_step(step)
    return None if group is None else (step.state.leg, group, step.state.attempts)


def group_of_step(step: Step) -> str | None:
    """The notification group of a scan, given the direction its leg travels in."""
    is_return = step.state.direction is Direction.CUSTOMER_MERCHANT
    return group_of(entry_of(step.scan.event_name), is_return=is_return)
