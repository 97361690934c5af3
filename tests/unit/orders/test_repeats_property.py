"""Any sequence of commands with any repeats anywhere equals the sequence without the repeats.

Messages go through the service's own decoder, unit of work and rules of repeats, in batches of any
size. Postgres is a table in memory, with room for few items in an order's row, so that most repeats
are of items that are stored apart.
"""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.decision import Outcome
from services.orders.messages.decode import DecodedItem, Entry, read
from services.runtime.messages.records import Original
from tests.unit.orders.shelf import NOW, Shelf, record_of

# ---------------------------------------------------------------------------------------- messages
SHOPS, NUMBERS, TRACKINGS = ("a", "b"), ("1", "2"), ("T100", "T200", "T300")
guards = st.fixed_dictionaries(
    {},
    optional={
        "source_version": st.integers(1, 4),
        "updated_at": st.sampled_from([f"2026-02-0{day}T00:00:00Z" for day in range(1, 5)]),
    },
)
cities = st.sampled_from(["Berlin", "Rome", "Oslo"])
numbers = st.sampled_from(NUMBERS)
names = st.sampled_from(["#1", "#2"])
"""Orders may share one, and change it."""


@st.composite
def _references(draw: st.DrawFn) -> dict[str, str]:
    number = draw(numbers)
    return draw(
        st.sampled_from(
            [
                {"id": number},
                {"id": f"ext-{number}", "id_type": "external_id"},
                {"id": draw(names), "id_type": "order_name"},
            ]
        )
    )


@st.composite
def _orders(draw: st.DrawFn, number: str) -> dict[str, object]:
    order: dict[str, object] = {
        "order_number": number,
        "external_id": f"ext-{number}",
        "address": {"zip_code": "10115", "city": draw(cities)},
    }
    if draw(st.booleans()):
        order["expected_number_of_shipments"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        order["order_name"] = draw(names)
    return order


@st.composite
def _upserts(draw: st.DrawFn) -> dict[str, object]:
    number = draw(numbers)
    tracked = draw(st.lists(st.sampled_from(TRACKINGS), max_size=2, unique=True))
    return {
        "id": number,
        "order": draw(_orders(number)),
        "trackings": [{"tracking_number": each} for each in tracked],
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
                "shipment.void",
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
            named = {"id": number, "tracking_number": draw(st.sampled_from(TRACKINGS))}
            body = named | {"tracking_url": f"https://a.example/{draw(cities)}"}
        case "shipment.void":
            number = draw(numbers)
            body = {"id": number, "tracking_number": f"T1-{number}"}
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
        record_of(offset, f"u-{at}", *distinct[at]) for offset, at in enumerate(turns, start=1)
    ]
    return records, draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))


@given(_histories())
@settings(max_examples=300)
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
