"""Notifications: whether to notify a customer of an event (docs/scan-rules.md, 4, 16 and 17)."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.orders.domain.tracking.catalogue import entry_of, group_of
from services.orders.domain.tracking.scan import Direction, Precision, Scan

STALE_AFTER = timedelta(hours=4)
"""An older event does not notify (Karla's `stale_event_threshold`)."""
_DAY = timedelta(days=1)


def is_fresh(occurred_at: datetime, now: datetime) -> bool:
    """Whether an event is not older than `STALE_AFTER`."""
    return now - occurred_at <= STALE_AFTER


def is_fresh_scan(scan: Scan, now: datetime) -> bool:
    """The same for a scan; one of day precision may have happened at any hour of its day."""
    if scan.precision is Precision.DAY:
        return now - scan.occurred_at <= STALE_AFTER + _DAY
    return is_fresh(scan.occurred_at, now)


def group_of_scan(scan: Scan, direction: Direction) -> str | None:
    """The notification group of a scan, given the direction its leg travels in."""
    is_return = direction is Direction.CUSTOMER_MERCHANT
    return group_of(entry_of(scan.event_name), is_return=is_return)
