"""A shelf: the tables of orders in memory, for batches that are decided without a database."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain

from services.orders import handler
from services.orders.domain.model.decision import Event
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import Reference, direct_id
from services.orders.domain.model.shared_names import Bearers
from services.orders.domain.rules.repeats import older_than_stored, to_recall, with_recalled
from services.orders.domain.value import replace
from services.orders.messages.decode import COMMANDS, Entry, read
from services.orders.parking_keys import waiting_keys
from services.orders.store import STORED_KINDS, Stored, shipment_numbers
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
        stored, waits = self._read(entries)
        commands = [e.command for e in (*entries, *(e for _, e in waits))]
        asked = to_recall(stored.orders, stored.references, stored.shared, commands, ROOM)
        recalled: dict[str, set[int]] = {}
        for order, digest in asked & self.older:
            recalled.setdefault(order, set()).add(digest)
        orders = stored.orders.items()
        known = {id_: with_recalled(each, recalled.get(id_, ())) for id_, each in orders if each}
        stored = dataclasses.replace(stored, orders=known)
        unit = UnitOfWork.open(NOW, stored, waits, ParkingGate(Batch((), NOW)))
        for entry in entries:
            unit.take(entry)
        self._keep(unit, stored, recalled)

    def _read(self, entries: Sequence[Entry]) -> tuple[Stored, list[tuple[Waiting, Entry]]]:
        """What the handler would lock for these items, and no more."""
        named = handler._named(entries)
        references, numbers = named.references, named.numbers
        named.add(handler._named([each for _, each in self._waits(references, numbers)]))
        stored = shipment_numbers(self._locked(references, ()).orders.values())
        numbers |= {number for each in named.unnamed if (number := stored.get(each))}
        numbers |= handler._implied(self._locked(references, numbers), named.implying)
        return self._locked(references, numbers), self._waits(references, numbers)

    def _waits(
        self, references: Collection[Reference], numbers: Collection[str]
    ) -> list[tuple[Waiting, Entry]]:
        keys = waiting_keys(references, numbers)
        rows = [row for row in self.waiting.values() if row.waits_for in keys]
        return [(row, _only(row.original, row.index)) for row in rows]

    def _locked(self, references: Collection[Reference], numbers: Collection[str]) -> Stored:
        parcels = {number: self.parcels[number] for number in numbers if number in self.parcels}
        kept = {each for each in references if each.kind in STORED_KINDS}
        named = {each: self.references[each] for each in kept if each in self.references}
        shared = {each: self.shared[each] for each in kept if each in self.shared}
        ids = {*map(direct_id, references), *named.values(), *chain(*shared.values())}
        ids |= {owner.order_id for parcel in parcels.values() for owner in parcel.owners}
        orders = {id_: self.orders[id_] for id_ in ids if id_ in self.orders}
        return Stored(orders, parcels, named, shared)

    def _keep(self, unit: UnitOfWork, stored: Stored, recalled: dict[str, set[int]]) -> None:
        # In Postgres, a row that was not locked is taken for a new one.
        assert not (unit.changed_parcels.keys() - stored.parcels) & self.parcels.keys()
        assert not (unit.changed_orders.keys() - stored.orders) & self.orders.keys()
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


def record_of(
    offset: int, ce_id: str, type_: str, body: dict[str, object], topic: str = COMMANDS
) -> Original:
    """A record of a command, or of another topic."""
    headers = (("ce_type", type_), ("ce_id", ce_id), ("ce_source", "/shops/x"))
    return Original(
        Coordinates(topic, 0, offset),
        b"key",
        tuple((name, value.encode()) for name, value in headers),
        json.dumps(body).encode(),
        NOW,
    )
