"""Replay: sorts the scans of a parcel and adds them up to a state (docs/scan-rules.md).

The state is a pure function of the *set* of scans and of the time up to which scans are believed:
shuffled, repeated or delayed scans give the same state (docs/promises.md, P5). So no code here
may use the time at which a scan was recorded, or its place in a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.orders.domain.tracking.fold import Fold, begin, retracted_by
from services.orders.domain.tracking.notifications import Standing, group_of_scan
from services.orders.domain.tracking.ordering import SetAside, order_scans
from services.orders.domain.tracking.scan import Direction, Scan
from services.orders.domain.tracking.start import machine_of
from services.orders.domain.tracking.state import ScanStep, TrackingState
from services.orders.domain.value import Value


class ReplayedScans(Value, frozen=True):
    """The steps of a set of scans in order of occurrence, and the scans that do not count."""

    start: TrackingState
    steps: tuple[ScanStep, ...]
    aside: tuple[SetAside, ...]

    @property
    def state(self) -> TrackingState:
        """The state after the last step."""
        return self.steps[-1].state if self.steps else self.start


def standing_of(step: ScanStep) -> Standing:
    """Where the scan of a step stands among all scans."""
    state = step.state
    group = group_of_scan(step.scan, state.direction)
    return Standing(group, step.is_effective, state.phase, state.leg, state.attempts)


def replay(
    scans: Iterable[Scan],
    as_of: datetime,
    direction: Direction = Direction.MERCHANT_CUSTOMER,
    fold: Fold | None = None,
) -> ReplayedScans:
    """Sort scans and add them up; a scan more than a day later than `as_of` does not count.

    With a fold, `scans` are those kept beside it, and are added to its sum.
    """
    ordered, aside = order_scans(scans, as_of, retracted_by(fold))
    machine = machine_of(direction) if fold is None else begin(fold, ordered).machine
    machine.ordered = ordered
    start = machine.state()
    steps = tuple(machine.take(scan) for scan in ordered)
    return ReplayedScans(start, steps, tuple(aside))
