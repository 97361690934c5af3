"""A shelf: the tables of orders in memory, for batches that are decided without a database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.orders.domain.model.decision import Event
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import Reference
from services.orders.domain.model.shared_names import Bearers
from services.orders.domain.rules.repeats import older_than_stored, to_recall, with_recalled
from services.orders.domain.value import replace
from services.orders.messages.decode import Entry, read
from services.orders.store import Stored
from services.orders.unit_of_work import Decided, UnitOfWork
from services.runtime.batch.batch import Batch
from services.runtime.messages.records import Coordinates, Original
from services.runtime.parking.gate import ParkingGate
from services.runtime.waiting.store import Waiting

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOM = 2
"""Items that an order's row has room for here; 64 in the service."""


@dataclass
class Shelf:
    """What the tables of orders would hold, and what was published and answered."""

    orders: dict[str, Order] = field(default_factory=dict)
    older: set[tuple[str, int]] = field(default_factory=set)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    references: dict[Reference, str] = field(default_factory=dict)
    shared: dict[Reference, Bearers] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Decide the items as one batch, and keep what it changes."""
        waits = [(row, _only(row.original, row.index)) for row in self.waiting.values()]
        commands = [e.command for e in (*entries, *(e for _, e in waits))]
        asked = to_recall(self.orders, self.references, self.shared, commands, ROOM)
        recalled: dict[str, set[int]] = {}
        for order, digest in asked & self.older:
            recalled.setdefault(order, set()).add(digest)
        stored = Stored(
            {id_: with_recalled(each, recalled.get(id_, ())) for id_, each in self.orders.items()},
            self.parcels,
            self.references,
            self.shared,
        )
        unit = UnitOfWork.open(NOW, stored, waits, ParkingGate(Batch((), NOW)))
        for entry in entries:
            unit.take(entry)
        self._keep(unit, recalled)

    def _keep(self, unit: UnitOfWork, recalled: dict[str, set[int]]) -> None:
        for id_, order in unit.changed_orders.items():
            older = older_than_stored(order, recalled.get(id_, ()), ROOM)
            self.older |= {(id_, digest) for digest in older}
            self.orders[id_] = replace(order, applied=order.applied[-ROOM:])
        self.parcels |= unit.changed_parcels
        self.references |= unit.new_references
        self.shared |= unit.changed_names
        for id_ in unit.ended_waiting:
            del self.waiting[id_]
        new = {asked.item.item_id: (key, asked) for key, asked in unit.new_waits()}
        stored = [id_ for id_ in new if id_ not in self.waiting]
        for id_ in stored:
            key, asked = new[id_]
            row = Waiting(id_, key, asked.item.original, asked.item.index, NOW + timedelta(days=1))
            self.waiting[id_] = row
        self.decided += unit.conclude(stored)

    @property
    def state(self) -> dict[str, Order]:
        """The orders, without what they remember."""
        return {id_: replace(order, applied=()) for id_, order in self.orders.items()}

    @property
    def events(self) -> list[Event]:
        """All events by order, in the order they were decided."""
        found = [event for each in self.decided for event in each.decision.events]
        return sorted(found, key=lambda event: event.order_id)

    def ends(self) -> dict[str, list[str]]:
        """The outcomes of each item, in the order they came."""
        found: dict[str, list[str]] = {}
        for each in self.decided:
            found.setdefault(each.asked.item.item_id, []).append(each.decision.outcome)
        return found


def _only(original: Original, index: int) -> Entry:
    (entry,) = read(original, NOW, index)
    return entry


def record_of(offset: int, ce_id: str, type_: str, body: dict[str, object]) -> Original:
    """A record of a command."""
    headers = (("ce_type", type_), ("ce_id", ce_id), ("ce_source", "/shops/x"))
    return Original(
        Coordinates("orders.commands", 0, offset),
        b"key",
        tuple((name, value.encode()) for name, value in headers),
        json.dumps(body).encode(),
        NOW,
    )
