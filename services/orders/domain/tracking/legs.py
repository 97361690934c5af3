"""Legs: which scans after the end of a journey show that the parcel set out again.

The rules are in docs/scan-rules.md: here 6 and 6b.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.orders.domain.tracking.catalogue import Phase, entry_of
from services.orders.domain.tracking.scan import Direction, Scan
from services.orders.domain.value import Value

END_HOLDS_FOR = timedelta(hours=12)
"""How long an end, or an arrival at a shop, holds against a contradicting scan (rules 5, 6b)."""
LATE_STAMPS_WITHIN = timedelta(hours=1)
"""Scans on the way this soon after a late pick-up may have been stamped late with it (rule 6b)."""

PICK_UPS = frozenset({"DROPPED_OFF", "PICKED_UP_BY_CARRIER"})
RETURNS = frozenset(
    {
        Phase.RETURN_CREATED,
        Phase.RETURN_TRANSIT,
        Phase.RETURN_FAILED,
        Phase.RETURN_RECEIVED,
        Phase.RETURNED,
    }
)


class End(Value, frozen=True):
    """The end of a leg: its phase, its direction and when it was reached."""

    phase: Phase
    direction: Direction
    at: datetime | None

    def holds(self, scan: Scan) -> bool:
        """Whether a scan is so soon after the end that it may have been stamped late."""
        return self.at is not None and scan.occurred_at - self.at <= END_HOLDS_FOR


def opens_leg(scan: Scan, end: End) -> bool:
    """Whether a scan after an end opens a leg, whatever follows it."""
    entry = entry_of(scan.event_name)
    if entry.phase is Phase.RETURN_CREATED:
        return True
    if entry.name in PICK_UPS:
        is_turned = scan.direction is not None and scan.direction is not end.direction
        return is_turned or not end.holds(scan)
    return _is_return(scan, end)


def confirms_pick_up(scan: Scan, picked_up_at: datetime, end: End) -> bool:
    """Whether a scan shows that a pick-up soon after an end began a leg (rule 6b).

    A scan of the last mile, or another end, soon after the end repeats what is known.
    """
    entry = entry_of(scan.event_name)
    if not entry.physical or entry.phase is None or entry.name in PICK_UPS:
        return False
    if _is_return(scan, end):
        return True
    if entry.phase is Phase.IN_TRANSIT:
        return scan.occurred_at - picked_up_at >= LATE_STAMPS_WITHIN
    return not end.holds(scan)


def is_confirmed(picked_up_at: datetime, end: End, later: Iterable[Scan]) -> bool:
    """Whether one of the scans after a pick-up confirms it, before another opens a leg itself."""
    for scan in later:
        if confirms_pick_up(scan, picked_up_at, end):
            return True
        if opens_leg(scan, end):
            return False
    return False


def _is_return(scan: Scan, end: End) -> bool:
    """Whether a physical scan says that a delivered parcel is on its way back."""
    entry = entry_of(scan.event_name)
    return end.phase is Phase.DELIVERED and entry.physical and entry.phase in RETURNS
