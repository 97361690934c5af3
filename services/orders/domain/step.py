"""Step: what one scan did on a parcel's way, by which rule, and the state after it."""

from __future__ import annotations

from enum import StrEnum

from services.orders.domain.frozen import Value
from services.orders.domain.scans import Scan
from services.orders.domain.tracking_state import TrackingState


class Effect(StrEnum):
    """What a scan did to the state."""

    PHASE = "phase"
    LEG = "leg"
    FLAG = "flag"
    ETA = "eta"


class Rule(StrEnum):
    """Why a scan did what it did, by the reference's numbers."""

    MOVED = "moved"
    REPEATED = "4"
    DELIVERED_STANDS = "5"
    CONTRADICTED = "5b"
    NEW_LEG = "6"
    RETRACTED = "7"
    DATA_ONLY = "13"
    UNMAPPED = "15"
    DELIVERED_FIRST = "19a"
    IN_FUTURE = "19b"
    RETRACTION = "7b"
    GOING_BACK = "going_back"


class Step(Value, frozen=True):
    """What one scan did, and the state after it."""

    scan: Scan
    rule: Rule
    effects: tuple[Effect, ...]
    state: TrackingState

    @property
    def is_effective(self) -> bool:
        """It told something that counts: not a repeat, not contradicted, not set aside."""
        return is_effective(self.rule, self.effects)


def is_effective(rule: Rule, effects: tuple[Effect, ...]) -> bool:
    """Whether a step by this rule, with these effects, showed something that counts."""
    return rule in _EFFECTIVE or bool(effects)


_EFFECTIVE = frozenset(
    {Rule.MOVED, Rule.NEW_LEG, Rule.CONTRADICTED, Rule.DATA_ONLY, Rule.GOING_BACK}
)
