"""Setters: which scan gave each member of a parcel's state the value that it has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.orders.domain.tracking.replay import ReplayedScans
from services.orders.domain.tracking.state import Effect, TrackingState

MEMBERS = (
    "phase",
    "direction",
    "flag",
    "leg",
    "attempts",
    "eta",
    "eta_original",
    "first_scan_at",
    "delivered_at",
    "pickup",
    "given_up",
    "sub_status",
)
"""The members of a state that one scan sets."""
_EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {"phase": Effect.PHASE, "leg": Effect.LEG, "flag": Effect.FLAG, "eta": Effect.ETA}
)


def setters(replayed: ReplayedScans) -> dict[str, str]:
    """The key of the last scan that set each member.

    A member that no scan set is left out: it has the value of a parcel without scans, or the one of
    the folded scans.
    """
    found: dict[str, str] = {}
    before = replayed.start
    for step in replayed.steps:
        for member in MEMBERS:
            if _EFFECTS.get(member) in step.effects or _differs(member, before, step.state):
                found[member] = step.scan.key
        before = step.state
    return found


def _differs(member: str, before: TrackingState, after: TrackingState) -> bool:
    return bool(getattr(before, member) != getattr(after, member))
