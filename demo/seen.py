"""What shipment events say from outside of each tracking number of each order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from demo.facts import ScanFact, instant, plain_number
from demo.journal import Entry

ParcelKey = tuple[str, str]
"""An order as `shop/number`, and a tracking number in its plain form."""
PRIVATE = ("location", "carrier_text", "reason", "pickup", "proof")
"""Members of a scan's event that a shop sees of its own parcels only."""


@dataclass(slots=True)
class Seen:
    """What events said of one number of an order, also of one that was taken off since."""

    scans: set[ScanFact] = field(default_factory=set)
    """The scans that have an event."""
    notified: Counter[str] = field(default_factory=Counter)
    """How often an event was to notify the customer, by event group."""
    shows_places: bool = False
    """Whether a scan's event had a place, a text, a pick-up point or a proof."""


def see_parcels(
    entries: Iterable[Entry], order_names: Mapping[str, str]
) -> tuple[dict[ParcelKey, Seen], Counter[str]]:
    """What events of `shipments.events` said of each number; how many were taken off, by cause.

    `order_names` has `shop/number` by order id. A repeat under the same id counts once.
    """
    parcels: dict[ParcelKey, Seen] = {}
    released: Counter[str] = Counter()
    for entry in {each.id: each for each in entries}.values():
        data, type_ = entry.body["event_data"], entry.headers["ce_type"]
        number = plain_number(data.get("tracking_number") or "")
        seen = parcels.setdefault((order_names.get(entry.key, entry.key), number), Seen())
        if data.get("notify"):
            seen.notified[data["event_group"]] += 1
        if type_ == "shipment.scanned":
            seen.scans.add((data["event_name"], instant(data["occurred_at"])))
            seen.shows_places |= any(data.get(member) for member in PRIVATE)
        elif type_ == "shipment.released":
            released[data.get("released_by") or "move"] += 1
    return parcels, released


def numbers_on_orders(entries: Iterable[Entry]) -> set[str]:
    """The numbers that shipments have in the end: `shipment.released` takes one off."""
    latest: dict[tuple[str, str], tuple[int, str | None]] = {}
    for entry in entries:
        data, sequence = entry.body["event_data"], int(entry.headers["ce_sequence"])
        shipment = (entry.key, data["shipment_id"])
        if sequence > latest.get(shipment, (0, None))[0]:
            is_released = entry.headers["ce_type"] == "shipment.released"
            latest[shipment] = (sequence, None if is_released else data.get("tracking_number"))
    return {plain_number(number) for _, number in latest.values() if number}
