"""Scans that are of no parcel of their number wait, whichever comes first: they or the parcel."""

from __future__ import annotations

import itertools

import pytest

from schemas.topics import CARRIER_TRACKING
from services.orders.domain.model.decision import Outcome
from services.orders.messages.decode import read
from tests.unit.orders.shelf import NOW, Shelf, record_of

PLACED = {"order_number": "1", "address": {"zip_code": "10115"}}
FIRST = ("order.upsert", {"shop_slug": "a", "id": "1", "order": PLACED, "trackings": [
    {"tracking_number": "T100", "carrier_reference": "dhl",
     "tracking_placed_at": "2025-02-01T12:00:00Z"},
]})  # fmt: skip
SECOND = ("order.upsert", {
    "shop_slug": "b", "id": "1", "order": PLACED, "trackings": [
        {"tracking_number": "T100", "carrier_reference": "ups",
         "tracking_placed_at": "2026-02-20T12:00:00Z"},
]})  # fmt: skip


def reported(name: str, at: str, carrier: str = "dhl") -> tuple[str, dict[str, object]]:
    scan = {"event_name": name, "occurred_at": at}
    body = {"tracking_number": "T100", "carrier_reference": carrier, "scans": [scan]}
    return "tracking.reported", body


END = reported("SUCCESSFULLY_DELIVERED", "2025-02-03T12:00:00Z")
OF_NO_PARCEL = {
    "of another carrier": reported("SORTED", "2025-02-02T12:00:00Z", "ups"),
    "long after the end": reported("SORTED", "2026-02-21T12:00:00Z"),
    "long before the hand-over": reported("SORTED", "2023-02-21T12:00:00Z"),
}


def sent(*messages: tuple[str, dict[str, object]], size: int = 1) -> Shelf:
    """What the tables hold after messages, in batches of a size; each has an id of its content."""
    shelf = Shelf()
    records = []
    for offset, (type_, body) in enumerate(messages):
        topic = CARRIER_TRACKING if type_ == "tracking.reported" else "orders.commands"
        records.append(record_of(offset, str(body), type_, body, topic))
    for start in range(0, len(records), size):
        batch = records[start : start + size]
        shelf.apply([entry for record in batch for entry in read(record, NOW)])
    return shelf


@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("name", OF_NO_PARCEL)
def test_scan_of_no_parcel_of_its_number_waits_in_every_order_of_arrival(
    name: str, size: int
) -> None:
    scan = OF_NO_PARCEL[name]

    # Before the end is known, what comes long after it is the parcel's.
    orders = [(FIRST, END, scan), (END, FIRST, scan), (END, scan, FIRST), (scan, END, FIRST)]
    for messages in orders:
        (row,) = sent(*messages, size=size).waiting.values()

        assert row.waits_for == "number/T100"
        assert row.original.value is not None
        assert scan[1]["scans"][0]["occurred_at"].encode() in row.original.value


@pytest.mark.parametrize("size", [1, 10])
def test_scan_of_no_parcel_waits_no_more_once_its_parcel_is_there(size: int) -> None:
    scan = reported("SORTED", "2026-02-21T12:00:00Z", "ups")

    for messages in itertools.permutations((FIRST, SECOND, END, scan)):
        shelf = sent(*messages, size=size)

        assert not shelf.waiting
        phases = {each.shop: each.shipments[0].tracking.phase for each in shelf.orders.values()}
        assert phases == {"a": "delivered", "b": "in_transit"}


def test_repeat_of_a_kept_scan_under_another_id_does_not_wait_beside_it() -> None:
    scan = OF_NO_PARCEL["of another carrier"]
    again = (scan[0], {**scan[1], "scans": [*scan[1]["scans"]], "note": "sent again"})

    shelf = sent(scan, again, FIRST)

    assert len(shelf.waiting) == 1
    assert Outcome.NO_CHANGE in {each.decision.outcome for each in shelf.decided}
