"""Scans to replay, and the state that they add up to."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import TrackingState
from tests.unit.orders.builders import DAY, HOUR, NOON, scan

LATER = NOON + 30 * DAY


def state_of(*scans: Scan, as_of: datetime = LATER) -> TrackingState:
    return replay(scans, as_of).state


def machine(*names: str, start: datetime = NOON, every: timedelta = HOUR) -> list[Scan]:
    """Scans one after the other."""
    return [scan(name, start + index * every) for index, name in enumerate(names)]
