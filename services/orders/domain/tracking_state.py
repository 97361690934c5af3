"""TrackingState: what a parcel's scans add up to. See `journey.py` for how."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.catalogue import Flag, Phase, State, state_of
from services.orders.domain.frozen import Value
from services.orders.domain.scans import Direction, Eta, Pickup


class TrackingState(Value, frozen=True, kw_only=True):
    """The state of one shipment's tracking: a pure function of its set of scans (P5)."""

    phase: Phase
    direction: Direction = Direction.MERCHANT_CUSTOMER
    """Which way the parcel travels on this leg."""
    flag: Flag = Flag.NORMAL
    leg: int = 1
    """From 1; a pick-up after the end of a journey opens the next (rule 6)."""
    attempts: int = 0
    """Failed delivery attempts on this leg."""
    eta: Eta | None = None
    """The newest by the time the carrier gave it, of this leg."""
    eta_original: Eta | None = None
    """The first of this leg."""
    first_scan_at: datetime | None = None
    """First physical scan."""
    delivered_at: datetime | None = None
    """Last delivery to the customer; stays when a return leg follows."""
    last_occurred_at: datetime | None = None
    pickup: Pickup | None = None
    """Where to collect it, as last reported on this leg."""
    carrier: str | None = None
    """The carrier of the scans, if only one reported."""

    @property
    def state(self) -> State:
        """Grouping for a user interface."""
        return state_of(self.phase)

    @property
    def is_finished(self) -> bool:
        """The journey is over: its number may be given to another parcel."""
        return self.phase in FINISHED


FINISHED = frozenset({Phase.DELIVERED, Phase.RETURNED, Phase.RETURN_RECEIVED})
DRAFT = TrackingState(phase=Phase.ORDER_CREATED)
"""A shipment without a tracking number."""
