"""Parcels of the synthetic shop: what each scan makes of them when it comes in its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from demo.facts import ScanFact

DELIVERED = {
    "SUCCESSFULLY_DELIVERED",
    "DELIVERED_TO_NEIGHBOUR",
    "DELIVERED_TO_LETTERBOX",
    "COLLECTED_BY_CUSTOMER",
}
PHASES = {
    "LABEL_CREATED": "order_processed",
    "PICKED_UP_BY_CARRIER": "in_transit",
    "DROPPED_OFF": "in_transit",
    "ARRIVAL_AT_TRANSPORT_HUB": "in_transit",
    "DEPARTURE_FROM_TRANSPORT_HUB": "in_transit",
    "CARRIER_DELAY": "in_transit",
    "WEATHER_DELAY": "in_transit",
    "PROBLEM_RESOLVED": "in_transit",
    "ARRIVED_AT_DELIVERY_DEPOT": "in_transit",
    "OUT_FOR_DELIVERY": "in_delivery",
    "RECIPIENT_NOT_HOME": "delivery_failed",
    "FORWARDED_TO_PARCEL_SHOP": "delivery_failed",
    "READY_FOR_COLLECTION_AT_PARCEL_SHOP": "collect",
    "READY_FOR_COLLECTION_AT_LOCKER": "collect",
    "UNDELIVERABLE_RETURNING": "return_transit",
    "RETURNED_TO_SENDER": "returned",
    "RETURN_LABEL_CREATED": "return_created",
    "RETURN_IN_TRANSIT": "return_transit",
    "RETURN_RECEIVED": "return_received",
    **dict.fromkeys(DELIVERED, "delivered"),
}


@dataclass(slots=True)
class Parcel:
    """One parcel of the story and where it has come to."""

    number: str
    carrier: str
    phase: str = "order_processed"
    is_handed_over: bool = False
    delivered_on: date | None = None
    tracking_url: str | None = None
    product_lines: int | None = None
    scan_count: int = 0
    external_id: str | None = None
    """The shop's id of the shipment, where it has one."""
    scans: set[ScanFact] = field(default_factory=set)
    """Those that its order must have an event for."""
    notified: dict[str, int] | None = None
    """How often the customer is notified, by event group; None is not judged."""
    shows_places: bool | None = None
    """Whether the order's shop sees places; None is not judged."""
