"""Any sequence of commands with any repeats anywhere equals the sequence without the repeats.

Messages go through the service's own decoder, unit of work and rules of repeats, in batches of any
size. Postgres is a table in memory, with room for few items in an order's row, so that most repeats
are of items that are stored apart.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.decision import Event, Outcome
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import Reference
from services.orders.domain.rules.repeats import older_than_stored, to_recall, with_recalled
from services.orders.domain.value import replace
from services.orders.messages.decode import DecodedItem, Entry, read
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
    waiting: dict[str, Waiting] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Decide the items as one batch, and keep what it changes."""
        waits = [(row, _only(row.original, row.index)) for row in self.waiting.values()]
        commands = [e.command for e in (*entries, *(e for _, e in waits))]
        asked = to_recall(self.orders, self.references, commands, ROOM)
        recalled: dict[str, set[int]] = {}
        for order, digest in asked & self.older:
            recalled.setdefault(order, set()).add(digest)
        stored = Stored(
            {id_: with_recalled(each, recalled.get(id_, ())) for id_, each in self.orders.items()},
            self.parcels,
            self.references,
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


# ---------------------------------------------------------------------------------------- messages
SHOPS, NUMBERS, TRACKINGS = ("a", "b"), ("1", "2"), ("T1", "T2", "T3")
guards = st.fixed_dictionaries(
    {},
    optional={
        "source_version": st.integers(1, 4),
        "updated_at": st.sampled_from([f"2026-02-0{day}T00:00:00Z" for day in range(1, 5)]),
    },
)
cities = st.sampled_from(["Berlin", "Rome", "Oslo"])
numbers = st.sampled_from(NUMBERS)


@st.composite
def _references(draw: st.DrawFn) -> dict[str, str]:
    number = draw(numbers)
    if draw(st.booleans()):
        return {"id": number}
    return {"id": f"ext-{number}", "id_type": "external_id"}


@st.composite
def _orders(draw: st.DrawFn, number: str) -> dict[str, object]:
    order: dict[str, object] = {
        "order_number": number,
        "external_id": f"ext-{number}",
        "address": {"zip_code": "10115", "city": draw(cities)},
    }
    if draw(st.booleans()):
        order["expected_number_of_shipments"] = draw(st.integers(1, 4))
    return order


@st.composite
def _upserts(draw: st.DrawFn) -> dict[str, object]:
    number = draw(numbers)
    tracked = draw(st.lists(st.sampled_from(TRACKINGS), max_size=2, unique=True))
    return {
        "id": number,
        "order": draw(_orders(number)),
        "trackings": [{"tracking_number": f"{each}-{number}"} for each in tracked],
    }


@st.composite
def _commands(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    type_ = draw(
        st.sampled_from(
            [
                "order.place",
                "order.upsert",
                "order.update",
                "order.update",
                "order.update",
                "order.cancel",
                "shipment.update",
                "order.analytics.upsert",
                "orders.fulfill_bulk",
            ]
        )
    )
    shop = {"shop_slug": draw(st.sampled_from(SHOPS))}
    match type_:
        case "order.place":
            body: dict[str, object] = {"order": draw(_orders(draw(numbers)))}
        case "order.upsert":
            body = draw(_upserts())
        case "order.update":
            address = {"zip_code": "10115", "city": draw(cities)}
            body = draw(_references()) | {"address": address}
        case "order.cancel":
            body = draw(_references())
        case "shipment.update":
            number = draw(numbers)
            named = {"id": number, "tracking_number": f"T1-{number}"}
            body = named | {"tracking_url": f"https://a.example/{draw(cities)}"}
        case "order.analytics.upsert":
            body = draw(_references()) | {"order_analytics": {"source": draw(cities)}}
        case _:
            return type_, shop | {"items": draw(st.lists(_upserts(), min_size=1, max_size=4))}
    return type_, shop | body | draw(guards)


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[Original], list[int]]:
    """Records with repeats, and the sizes of the batches that they come in."""
    distinct = draw(st.lists(_commands(), min_size=1, max_size=14))
    turns: list[int] = []
    for at in range(len(distinct)):
        turns.append(at)
        turns += draw(st.lists(st.integers(0, at), max_size=2))
    records = [
        _record(offset, f"u-{at}", *distinct[at]) for offset, at in enumerate(turns, start=1)
    ]
    return records, draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))


def _record(offset: int, ce_id: str, type_: str, body: dict[str, object]) -> Original:
    headers = (("ce_type", type_), ("ce_id", ce_id), ("ce_source", "/shops/x"))
    return Original(
        Coordinates("orders.commands", 0, offset),
        b"key",
        tuple((name, value.encode()) for name, value in headers),
        json.dumps(body).encode(),
        NOW,
    )


@given(_histories())
@settings(max_examples=300, deadline=None)
def test_sequence_with_repeats_equals_the_sequence_without_them(
    history: tuple[list[Original], list[int]],
) -> None:
    records, sizes = history
    with_repeats, without = Shelf(), Shelf()
    turns = itertools.cycle(sizes)
    rest = list(records)
    while rest:
        size = next(turns)
        with_repeats.apply([entry for record in rest[:size] for entry in read(record, NOW)])
        rest = rest[size:]
    for entry in (entry for record in records for entry in read(record, NOW)):
        # What was refused is decided again, in both: it has had no effect.
        if _may_act(entry, without):
            without.apply([entry])

    assert with_repeats.state == without.state
    assert with_repeats.events == without.events
    assert with_repeats.parcels == without.parcels
    for id_, ends in with_repeats.ends().items():
        final = [end for end in ends if end != Outcome.WAITING]
        assert final.count(Outcome.APPLIED) <= 1, id_
        if Outcome.APPLIED in final:
            after = final[final.index(Outcome.APPLIED) + 1 :]
            assert set(after) <= {Outcome.NO_CHANGE}, id_


def _may_act(entry: Entry, shelf: Shelf) -> bool:
    """Whether an item was not applied, and does not wait: else it is a repeat."""
    assert isinstance(entry, DecodedItem)
    id_ = entry.item.item_id
    ends = shelf.ends().get(id_, [])
    return id_ not in shelf.waiting and not {Outcome.APPLIED, Outcome.NO_CHANGE} & set(ends)
