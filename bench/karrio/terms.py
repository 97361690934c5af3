"""karrio's twelve statuses for our phases, flags and event names.

Where several of its terms can be meant, each counts as right: a delayed parcel is
`delivery_delayed` or `on_hold`.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.orders.domain.tracking.catalogue import Flag, FlagEffect, Phase, entry_of

_OF_PHASE: Mapping[Phase, frozenset[str]] = {
    Phase.ORDER_CREATED: frozenset({"pending"}),
    Phase.ORDER_PROCESSED: frozenset({"pending"}),
    Phase.IN_TRANSIT: frozenset({"picked_up", "in_transit"}),
    Phase.IN_DELIVERY: frozenset({"out_for_delivery"}),
    Phase.DELIVERY_FAILED: frozenset({"delivery_failed"}),
    Phase.COLLECT: frozenset({"ready_for_pickup"}),
    Phase.DELIVERED: frozenset({"delivered"}),
    Phase.RETURN_CREATED: frozenset({"pending"}),
    Phase.RETURN_TRANSIT: frozenset({"return_to_sender"}),
    Phase.RETURN_FAILED: frozenset({"delivery_failed"}),
    Phase.RETURN_RECEIVED: frozenset({"return_to_sender", "delivered"}),
    Phase.RETURNED: frozenset({"return_to_sender"}),
}
_DELAYED = frozenset({"delivery_delayed", "on_hold"})
_OF_EVENT: Mapping[str, frozenset[str]] = {
    "ORDER_CANCELLED": frozenset({"cancelled"}),
    "MISROUTED": frozenset({"in_transit", *_DELAYED}),
    "UNDER_INVESTIGATION": frozenset({"on_hold", "unknown"}),
    "DELIVERY_DATE_CHANGED_BY_CUSTOMER": frozenset({"delivery_delayed", "in_transit"}),
    "FORWARDED_TO_PARCEL_SHOP": frozenset({"in_transit", "delivery_failed"}),
    "DAMAGED": frozenset({"on_hold", "unknown"}),
    "LOST": frozenset({"unknown", "delivery_failed"}),
    "DISPOSED": frozenset({"delivery_failed", "unknown"}),
    "CONFISCATED": frozenset({"on_hold", "unknown"}),
    "TRACKING_EXPIRED": frozenset({"unknown"}),
    "UNMAPPED": frozenset({"unknown"}),
    "DELIVERY_ATTEMPTED": frozenset({"delivery_failed", "out_for_delivery"}),
    "CARRIER_PICKUP_FAILED": frozenset({"pending", *_DELAYED}),
    "RETURN_IN_TRANSIT": frozenset({"in_transit", "return_to_sender"}),
}
"""karrio's terms for an event name, where they are not those of its phase and flag."""


def accepted_of(phase: Phase, event: str | None, flag: Flag) -> frozenset[str]:
    """Statuses of karrio for a parcel: of its phase and flag, or of its newest event."""
    of_phase = _OF_PHASE[phase]
    if phase is Phase.IN_TRANSIT and flag is Flag.DELAY:
        of_phase = _DELAYED
    if phase is Phase.IN_TRANSIT and flag is Flag.ERROR:
        of_phase = frozenset({"unknown", "on_hold"})
    if event is None or phase in (Phase.RETURNED, Phase.DELIVERED):
        return of_phase
    return of_phase | accepted_for(event)


def accepted_for(event_name: str) -> frozenset[str]:
    """Statuses of karrio for an event name."""
    if event_name in _OF_EVENT:
        return _OF_EVENT[event_name]
    entry = entry_of(event_name)
    if entry.phase is Phase.IN_TRANSIT and entry.flag is FlagEffect.DELAY:
        return _DELAYED
    return _OF_PHASE[entry.phase] if entry.phase else frozenset()
