"""The oldest scans of a shipment, where they are not kept one by one."""

from __future__ import annotations

from typing import Any

from orderflow.console.instants import minute
from services.orders.domain.tracking.fold import Fold


def folded_as_json(fold: Fold | None) -> dict[str, Any] | None:
    """For scripts."""
    if fold is None:
        return None
    state = fold.total.state
    return {
        "scans": fold.count,
        "until": fold.until,
        "phase": state.phase,
        "flag": state.flag,
        "leg": state.leg,
        "attempts": state.attempts,
        "delivered_at": state.delivered_at,
    }


def fold_line(fold: Fold) -> str:
    """For a person."""
    state = fold.total.state
    return (
        f"the oldest {fold.count} scans, until {minute(fold.until)}, are not kept one by one; "
        f"they add up to {state.phase}, flag {state.flag}, leg {state.leg}, "
        f"{state.attempts} attempts"
    )
