"""Which events a destination gets.

The form of the filters is that of Karla's webhooks (https://docs.gokarla.io/docs/triggers/webhooks):
`*`, a source, a source with a phase, or a whole ref.
"""

from __future__ import annotations

from msgspec import Struct

from services.deliveries.domain.destination import State, Target

EVERYTHING = "*"
WORDS = {
    "orders": (
        "ORDER_PLACED", "ORDER_UPDATED", "ORDER_PARTIALLY_FULFILLED", "ORDER_FULFILLED",
        "ORDER_PARTIALLY_DELIVERED", "ORDER_DELIVERED", "ORDER_EXPECTED_SHIPMENTS_CHANGED",
        "ORDER_CANCELLED", "ORDER_ANALYTICS_UPDATED", "ORDER_CAMPAIGN_SELECTED",
        "ORDER_ATTRIBUTED", "ORDER_UNATTRIBUTED", "ORDER_SNAPSHOT",
    ),
    "shipments": (
        "order_created", "order_processed", "in_transit", "in_delivery", "delivery_failed",
        "collect", "delivered", "return_created", "return_transit", "return_failed",
        "return_received", "returned",
    ),
    "claims": ("created", "updated", "withdrawn"),
}  # fmt: skip
"""What a filter may begin with, and what may come after the first `/`."""


class EventHead(Struct, frozen=True, gc=False):
    """What of an event decides who gets it."""

    shop: str
    source: str
    ref: str
    group: str | None
    is_notifying: bool
    is_snapshot: bool
    """It says how an order is, not what happened: only a filter with its whole ref gets it."""


def fault_of(filter_: str) -> str | None:
    """Why a filter can match no event, with the words that can stand there; None: it can.

    The last part, the name of a shipment event, is open: carriers and later versions have new ones.
    """
    source, *rest = filter_.split("/")
    if filter_ == EVERYTHING or (source in WORDS and not rest):
        return None
    if source not in WORDS:
        return f"use {EVERYTHING}, or begin with {', '.join(WORDS)}"
    if rest[0] not in WORDS[source]:
        return f"after {source}/ comes {', '.join(WORDS[source])}"
    if len(rest) > 1 and source != "shipments":
        return f"nothing comes after {source}/{rest[0]}"
    return None


def matches(target: Target, event: EventHead) -> bool:
    """Whether a destination with this target gets an event of its shop."""
    if target.only_notify and not event.is_notifying:
        return False
    if target.event_groups and event.group not in target.event_groups:
        return False
    return not patterns_of(event).isdisjoint(target.filters)


def patterns_of(event: EventHead) -> frozenset[str]:
    """The filters that an event matches: everything, the parts its ref begins with, its ref."""
    if event.is_snapshot:
        return frozenset((event.ref,))
    words = event.ref.split("/")
    return frozenset((EVERYTHING, *("/".join(words[:n]) for n in range(1, len(words) + 1))))


def receives(state: State) -> bool:
    """Whether events for a destination in this state are kept for it, or sent to it."""
    return state is not State.REMOVED
