"""TrackingState: what a parcel's scans add up to. See `replay.py` for how."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from services.orders.domain.tracking.catalogue import (
    ORDER_CREATED,
    Flag,
    Phase,
    State,
    Why,
    state_of,
)
from services.orders.domain.tracking.scan import Direction, Eta, Pickup, Scan
from services.orders.domain.value import Value


class TrackingState(Value, frozen=True, kw_only=True):
    """The state of one shipment's tracking: a pure function of its set of scans.

    See docs/promises.md (P5) and docs/scan-rules.md.
    """

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
    first_scan_on: date | None = None
    """Its day, where the carrier reported only a day."""
    delivered_at: datetime | None = None
    """Last delivery to the customer; stays when a return leg follows."""
    delivered_on: date | None = None
    """Its day, where the carrier reported only a day."""
    last_occurred_at: datetime | None = None
    pickup: Pickup | None = None
    """Where to collect it, as last reported on this leg."""
    carrier: str | None = None
    """The carrier of the scans, if only one reported."""
    given_up: str | None = None
    """The event by which the carrier gave the parcel up on this leg, until it is found again."""
    why: Why | None = None
    """The newest reason, and the action, until a scan of the parcel without any follows."""
    sub_status: str | None = None
    """The event name that says the state more exactly than the phase (rule 15c)."""

    @property
    def state(self) -> State:
        """Grouping for a user interface."""
        return state_of(self.phase)

    @property
    def has_ended(self) -> bool:
        """The journey is over, or the carrier gave the parcel up: the number may be used again."""
        return self.phase in FINISHED or self.given_up is not None


FINISHED = frozenset({Phase.DELIVERED, Phase.RETURNED, Phase.RETURN_RECEIVED})
DRAFT = TrackingState(phase=Phase.ORDER_CREATED, sub_status=ORDER_CREATED)
"""A shipment without a tracking number."""


class Effect(StrEnum):
    """What a scan did to the state."""

    PHASE = "phase"
    LEG = "leg"
    FLAG = "flag"
    ETA = "eta"
    REASON = "reason"
    ACTION = "action"


class Rule(StrEnum):
    """The rule that decided what a scan did, by the numbers of docs/scan-rules.md."""

    MOVED = "moved"
    REPEATED = "4"
    DELIVERED_STANDS = "5"
    CONTRADICTED = "5b"
    NEW_LEG = "6"
    PICKED_UP_LATE = "6b"
    RETRACTED = "7"
    DATA_ONLY = "13"
    UNMAPPED = "15"
    IN_FUTURE = "19b"
    RETRACTION = "7b"
    GOING_BACK = "going_back"


class ScanStep(Value, frozen=True):
    """What one scan did, and the state after it."""

    scan: Scan
    rule: Rule
    effects: tuple[Effect, ...]
    state: TrackingState

    @property
    def is_effective(self) -> bool:
        """Whether the scan changed the state or could have: no repeat, not overruled."""
        return is_effective(self.rule, self.effects)


def is_effective(rule: Rule, effects: tuple[Effect, ...]) -> bool:
    """Whether a step by this rule, with these effects, counts for notifications."""
    return rule in _EFFECTIVE or bool(effects)


_EFFECTIVE = frozenset(
    {Rule.MOVED, Rule.NEW_LEG, Rule.CONTRADICTED, Rule.DATA_ONLY, Rule.GOING_BACK}
)
