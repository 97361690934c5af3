"""Commands on shared, replaced and voided numbers end alike, however they are cut into batches.

Each batch sees the rows that the service would lock for it, and no others. Messages come again,
names and numbers are given in the batch that uses them, and orders share numbers.
"""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import CARRIER_TRACKING
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.ids import order_id_of, shipment_id_of
from services.orders.messages.decode import DecodedItem, Entry, read
from services.runtime.messages.records import Original
from tests.unit.orders.shelf import NOW, Shelf, record_of

SHOPS, ORDERS = st.sampled_from(["a", "a", "b"]), st.sampled_from(["1", "2"])
NUMBERS = st.sampled_from(["T100", "T200", "T300"])
EXTERNAL_IDS = st.sampled_from(["f1", "f2"])
HAPPENED = ["PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED", "SORTED"]
Message = tuple[str, dict[str, object]]


@st.composite
def _references(draw: st.DrawFn, number: str) -> dict[str, str]:
    external = {"id": f"ext-{number}", "id_type": "external_id"}
    return draw(st.sampled_from([{"id": number}, external]))


@st.composite
def _upserts(draw: st.DrawFn) -> dict[str, object]:
    number, under = draw(ORDERS), draw(st.none() | EXTERNAL_IDS)
    known = {} if under is None else {"external_shipment_id": under}
    tracked = draw(st.lists(NUMBERS, max_size=2, unique=True))
    body: dict[str, object] = {"id": number}
    if draw(st.booleans()):
        address = {"zip_code": "10115"}
        body["order"] = {"order_number": number, "external_id": f"ext-{number}", "address": address}
    return body | {"trackings": [{"tracking_number": each} | known for each in tracked]}


@st.composite
def _shipments(draw: st.DrawFn, shop: str, *, is_void: bool) -> dict[str, object]:
    """A command on a parcel: a void, or a change of its number or carrier."""
    number = draw(ORDERS)
    body: dict[str, object] = dict(draw(_references(number)))
    name = draw(st.sampled_from(["tracking_number", "external_shipment_id", "shipment_id"]))
    if name == "shipment_id":
        ordinal = draw(st.integers(1, 2))
        body[name] = shipment_id_of(order_id_of(shop, number), ordinal)
    else:
        body[name] = draw(NUMBERS if name == "tracking_number" else EXTERNAL_IDS)
    if is_void:
        return body | draw(st.sampled_from([{}, {"force": True, "reason": "not ours"}]))
    if name == "external_shipment_id":
        return body | {"tracking_number": draw(NUMBERS)}
    return body | {"carrier_reference": draw(st.sampled_from(["dhl", "ups"]))}


@st.composite
def _reports(draw: st.DrawFn) -> dict[str, object]:
    hours = st.integers(0, 9)
    scans = [
        {"event_name": draw(st.sampled_from(HAPPENED)), "occurred_at": f"2026-03-01T0{hour}:30:00Z"}
        for hour in draw(st.lists(hours, min_size=1, max_size=3))
    ]
    return {"tracking_number": draw(NUMBERS), "carrier_reference": "dhl", "scans": scans}


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    shop = draw(SHOPS)
    head = {"shop_slug": shop}
    types = ["order.upsert", "shipment.void", "shipment.update", "tracking.reported"]
    type_ = draw(st.sampled_from([*types, *types, "orders.fulfill_bulk"]))
    match type_:
        case "tracking.reported":
            return type_, draw(_reports())
        case "order.upsert":
            return type_, head | draw(_upserts())
        case "orders.fulfill_bulk":
            return type_, head | {"items": draw(st.lists(_upserts(), min_size=1, max_size=3))}
        case _:
            return type_, head | draw(_shipments(shop, is_void=type_ == "shipment.void"))


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[Original], list[int]]:
    """Records with repeats, and the sizes of the batches that they come in."""
    distinct = draw(st.lists(_messages(), min_size=1, max_size=14))
    turns: list[int] = []
    for at in range(len(distinct)):
        turns.append(at)
        turns += draw(st.lists(st.integers(0, at), max_size=1))
    records = [_record(offset, at, *distinct[at]) for offset, at in enumerate(turns, start=1)]
    return records, draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))


def _record(offset: int, at: int, type_: str, body: dict[str, object]) -> Original:
    if type_ == "tracking.reported":
        return record_of(offset, f"u-{at}", type_, body, CARRIER_TRACKING)
    return record_of(offset, f"u-{at}", type_, body)


def _batches(records: list[Original], sizes: list[int]) -> Shelf:
    shelf, rest = Shelf(), list(records)
    for size in itertools.cycle(sizes):
        if not rest:
            return shelf
        shelf.apply([entry for record in rest[:size] for entry in read(record, NOW)])
        rest = rest[size:]
    return shelf


def _one_by_one(records: list[Original]) -> Shelf:
    """Without the repeats of what was applied, changed nothing or waits."""
    shelf = Shelf()
    for entry in (entry for record in records for entry in read(record, NOW)):
        if _may_act(entry, shelf):
            shelf.apply([entry])
    return shelf


def _may_act(entry: Entry, shelf: Shelf) -> bool:
    assert isinstance(entry, DecodedItem), entry
    id_ = entry.item.item_id
    ends = shelf.ends().get(id_, [])
    return id_ not in shelf.waiting and not {Outcome.APPLIED, Outcome.NO_CHANGE} & set(ends)


@given(_histories())
@settings(max_examples=200)
def test_batches_with_repeats_end_as_single_items_without_them(
    history: tuple[list[Original], list[int]],
) -> None:
    records, sizes = history
    batches, single = _batches(records, sizes), _one_by_one(records)

    assert batches.state == single.state
    assert batches.parcels == single.parcels
    assert batches.events == single.events
    assert len({each.event_id for each in batches.events}) == len(batches.events)


def test_item_that_waits_for_a_number_goes_on_when_another_order_gets_it():
    """The batch reads that other order, and what waits for it, but not the order of the void."""
    shelf = Shelf()

    def send(offset: int, type_: str, **body: object) -> None:
        record = record_of(offset, f"u-{offset}", type_, {"shop_slug": "a", **body})
        shelf.apply(list(read(record, NOW)))

    def placed(offset: int, number: str) -> None:
        order = {"order_number": number, "address": {"zip_code": "10115"}}
        send(offset, "order.place", order=order)

    def attach(offset: int, number: str) -> None:
        send(offset, "order.upsert", id=number, trackings=[{"tracking_number": "T100"}])

    placed(1, "1")
    send(2, "shipment.void", id="1", tracking_number="T100")
    attach(3, "2")
    placed(4, "2")
    assert [row.waits_for for row in shelf.waiting.values()] == ["number/T100"]
    attach(5, "1")

    numbers = {o.order_number: o.shipments[0].number for o in shelf.orders.values()}
    assert numbers == {"1": None, "2": "T100"}
    assert not shelf.waiting
