"""The events of each shipment, and which records contain texts that are of one shop."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.facts import Fact, instant, plain_number
from demo.journal import Entry

Shipment = tuple[str, str]
"""Order and shipment id."""

SCANNED, RELEASED = "shipment.scanned", "shipment.released"
_WORDS = ("location", "carrier_text", "reason", "pickup", "proof")
_OWN = re.compile(rb"own\.\w+\.w?\d+")
"""Texts of one shop, as the generator makes them."""


@dataclass(frozen=True, slots=True)
class ShipmentEvent:
    """What one event says of its shipment."""

    type: str
    number: str
    """Normalised."""
    fact: Fact | None
    """The scan, for `shipment.scanned`."""
    group: str | None
    """The group that the customer is notified of; None where the event does not notify."""
    released_by: str | None
    words: tuple[str | None, ...]
    """Place, text, reason, pick-up point and proof, as text; None for each that is not there."""


@dataclass(slots=True)
class ShipmentEvents:
    """All events of `shipments.events`, by shipment, in the order of their first occurrence."""

    by_shipment: dict[Shipment, list[ShipmentEvent]] = field(
        default_factory=lambda: defaultdict(list)
    )
    scans: set[Fact] = field(default_factory=set)
    """Scans that any shipment has an event of."""
    containing: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The keys of all records that contain a text of one shop, by the text."""
    _releases: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def search(self, entry: Entry) -> None:
        """Note the texts of one shop in a record that was published."""
        headers = "\n".join(entry.headers.values()).encode()
        for text in (*_OWN.findall(entry.value), *_OWN.findall(headers)):
            self.containing[text.decode()].add(entry.key)

    def take(self, entry: Entry, data: Mapping[str, Any]) -> Fact | None:
        """Take in an event at its first occurrence; returns its scan, if it is of one."""
        type_ = entry.headers["ce_type"]
        number = plain_number(data.get("tracking_number") or "")
        fact = None
        if type_ == SCANNED:
            fact = (number, data["event_name"], instant(data["occurred_at"]))
            self.scans.add(fact)
        words = tuple(str(data[name]) if data.get(name) else None for name in _WORDS)
        group = data.get("event_group") if data.get("notify") else None
        event = ShipmentEvent(type_, number, fact, group, data.get("released_by"), words)
        self.by_shipment[entry.key, data["shipment_id"]].append(event)
        return fact

    def generation(self, entry: Entry, data: Mapping[str, Any]) -> int:
        """How often the shipment had lost a number before this event, at its first occurrence.

        A scan after that is a new fact: the number was attached again.
        """
        id_ = data.get("shipment_id") or ""
        before = self._releases[id_]
        self._releases[id_] += entry.headers["ce_type"] == RELEASED
        return before
