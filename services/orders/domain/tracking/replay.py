"""Journey: a parcel's set of scans put in order and added up to a state (domain reference, 5).

The state is a pure function of the *set* of scans and of the time up to which they are believed:
shuffling, repeating or delaying scans ends in the same state (P5). So nothing here may look at
when a scan was recorded, or at its place in a message. Rule numbers are those of the reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.ordering import SetAside, order_scans
from services.orders.domain.tracking.scan import Direction, Scan
from services.orders.domain.tracking.state import Step, TrackingState
from services.orders.domain.tracking.state_machine import StateMachine
from services.orders.domain.value import Value


class ReplayedScans(Value, frozen=True):
    """All steps in order of occurrence, and the scans that do not count."""

    start: TrackingState
    steps: tuple[Step, ...]
    aside: tuple[SetAside, ...]

    @property
    def state(self) -> TrackingState:
        """Where it ends."""
        return self.steps[-1].state if self.steps else self.start


def initial_state(direction: Direction) -> TrackingState:
    """The state of a shipment with a tracking number and no scan."""
    is_return = direction is Direction.CUSTOMER_MERCHANT
    phase = Phase.RETURN_CREATED if is_return else Phase.ORDER_PROCESSED
    return TrackingState(phase=phase, direction=direction)


def machine_of(direction: Direction) -> StateMachine:
    """The sum of no scan."""
    start = initial_state(direction)
    return StateMachine(base=direction, phase=start.phase, direction=direction)


def replay(
    scans: Iterable[Scan],
    as_of: datetime,
    direction: Direction = Direction.MERCHANT_CUSTOMER,
) -> ReplayedScans:
    """Put scans in order and add them up, believing nothing later than a day after `as_of`."""
    ordered, aside = order_scans(scans, as_of)
    machine = machine_of(direction)
    steps = tuple(machine.take(scan) for scan in ordered)
    return ReplayedScans(initial_state(direction), steps, tuple(aside))
