"""Start: the state of a shipment before its first scan."""

from __future__ import annotations

from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.scan import Direction
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.tracking.state_machine import StateMachine


def initial_state(direction: Direction) -> TrackingState:
    """The state of a shipment with a tracking number and no scan."""
    is_return = direction is Direction.CUSTOMER_MERCHANT
    phase = Phase.RETURN_CREATED if is_return else Phase.ORDER_PROCESSED
    return TrackingState(phase=phase, direction=direction)


def machine_of(direction: Direction) -> StateMachine:
    """A state machine without scans."""
    start = initial_state(direction)
    return StateMachine(base=direction, phase=start.phase, direction=direction)
