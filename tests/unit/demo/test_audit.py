"""The auditor finds what is planted: it is worth nothing if it cannot fail."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from demo.audit import Audit, Journal, judge
from demo.journal import Entry
from schemas.topics import CATALOGUE

ORDER = "0b7e3b0e-0000-5000-8000-000000000001"
PARCEL = "0b7e3b0e-0000-5000-8000-000000000002"
AT = "2026-03-02T12:00:00+00:00"


def entry(topic: str, offset: int, body: Any, *, key: str = ORDER, **headers: str) -> Entry:
    named = {f"ce_{name}": text for name, text in headers.items()}
    return Entry(topic, 0, offset, key, orjson.dumps(body), named)


def command(offset: int) -> Entry:
    return entry("orders.commands", offset, {}, id=f"c{offset}", type="order.upsert")


def outcome(offset: int, became: str = "applied", id_: str | None = None) -> Entry:
    body = {"topic": "orders.commands", "partition": 0, "offset": offset, "index": 0}
    body |= {"outcome": became, "reason": None}
    return entry("orders.outcomes", offset, body, id=id_ or f"o{offset}")


def placed() -> Entry:
    data = {"event_name": "ORDER_PLACED", "status": "placed"}
    return _event("orders.events", 0, "order.placed", 1, 1, data, "c0")


def scanned(sequence: int, name: str, offset: int | None = None) -> Entry:
    data = {"shipment_id": PARCEL, "event_name": name, "occurred_at": AT, "tracking_number": "N 1"}
    at = sequence - 1 if offset is None else offset
    return _event("shipments.events", at, "shipment.scanned", sequence, sequence + 1, data, "t0")


def tracking(offset: int, *names: str) -> Entry:
    scans = [{"event_name": name, "occurred_at": AT} for name in names]
    return entry("carrier.tracking", offset, {"tracking_number": "n1", "scans": scans})


def _event(
    topic: str, offset: int, type_: str, sequence: int, version: int, data: Any, cause: str
) -> Entry:
    order = {"shop_slug": "shop", "order_number": "1", "uuid": ORDER}
    shipment = {"tracking_number": "N 1", "phase": "in_transit"}
    body = {"event_data": data, "context": {"order": order, "shipments": [shipment]}}
    headers = {"id": f"{topic}-{sequence}", "type": type_, "causationid": cause}
    numbers = {"sequence": str(sequence), "orderversion": str(version)}
    return entry(topic, offset, body, **headers, **numbers)


def clean() -> dict[str, list[Entry]]:
    journal: dict[str, list[Entry]] = {topic.name: [] for topic in CATALOGUE}
    journal["orders.commands"] = [command(0), command(1)]
    journal["orders.outcomes"] = [outcome(0), outcome(1)]
    journal["orders.events"] = [placed()]
    journal["carrier.tracking"] = [tracking(0, "A", "B")]
    journal["shipments.events"] = [scanned(1, "A"), scanned(2, "B")]
    return journal


def changed(**topics: list[Entry]) -> Journal:
    return {**clean(), **{name.replace("_", "."): found for name, found in topics.items()}}


def counts(found: Audit) -> tuple[int, int, int]:
    return found.lost, found.duplicated, found.reordered


def test_audit_of_a_clean_journal_finds_nothing() -> None:
    found = judge(clean())

    assert counts(found) == (0, 0, 0), found.problems
    assert (found.commands, found.scans, found.order_events, found.shipment_events) == (2, 2, 1, 2)
    assert found.orders["shop/1"]["uuid"] == ORDER


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        (changed(orders_outcomes=[outcome(0)]), (1, 0, 0)),
        (changed(orders_outcomes=[outcome(0), outcome(1, "rejected")]), (1, 0, 0)),
        (changed(shipments_events=[scanned(1, "A")]), (1, 0, 0)),
        (changed(shipments_events=[scanned(2, "B", 0)]), (3, 0, 0)),
        (
            changed(orders_outcomes=[outcome(0), outcome(1), outcome(1, "no_change")]),
            (0, 1, 0),
        ),
        (
            changed(orders_outcomes=[outcome(0), outcome(1), outcome(1, id_="other")]),
            (0, 1, 0),
        ),
        (changed(shipments_events=[scanned(1, "A"), scanned(2, "B"), scanned(3, "A")]), (0, 1, 0)),
        (changed(shipments_events=[scanned(2, "B", 0), scanned(1, "A", 1)]), (1, 0, 1)),
    ],
    ids=[
        "a command without an outcome",
        "a refusal without its record",
        "a scan without an event",
        "a gap in the sequence, a version and the scan behind it",
        "an item with two different outcomes",
        "an item with one outcome under two ids",
        "one scan as two events",
        "events out of order",
    ],
)
def test_audit_counts_planted_faults(journal: Journal, expected: tuple[int, int, int]) -> None:
    assert counts(judge(journal)) == expected


def test_audit_counts_a_repeat_under_the_same_id_apart() -> None:
    again = replace(scanned(1, "A"), offset=2)

    found = judge(changed(shipments_events=[scanned(1, "A"), scanned(2, "B"), again]))

    assert counts(found) == (0, 0, 0)
    assert found.repeats == 1
    assert found.shipment_events == 2


def test_audit_counts_two_events_of_one_version_as_doubled() -> None:
    twin = _event("orders.events", 1, "order.updated", 2, 1, {"status": "placed"}, "c1")

    assert judge(changed(orders_events=[placed(), twin])).duplicated == 1


def updated(sequence: int, city: str, order_version: int) -> Entry:
    data = {"event_name": "ORDER_UPDATED", "status": "placed", "changed_fields": ["address"]}
    event = _event(
        "orders.events", sequence - 1, "order.updated", sequence, order_version, data, "c1"
    )
    body = event.body
    body["context"]["order"]["address"] = {"city": city}
    return replace(event, value=orjson.dumps(body))


@pytest.mark.parametrize(("cities", "doubled"), [("AB", 0), ("AA", 1)])
def test_audit_separates_items_of_one_bulk_command_by_what_they_changed(
    cities: str, doubled: int
) -> None:
    first, second = (updated(2 + n, city, 4 + n) for n, city in enumerate(cities))

    assert judge(changed(orders_events=[placed(), first, second])).duplicated == doubled


def released(sequence: int) -> Entry:
    data = {"shipment_id": PARCEL, "event_name": "SHIPMENT_RELEASED", "tracking_number": "N 1"}
    data |= {"released_by": "void"}
    at, version = sequence - 1, sequence + 1
    return _event("shipments.events", at, "shipment.released", sequence, version, data, "c1")


def test_audit_misses_no_scans_of_a_number_that_was_taken_off() -> None:
    events = [scanned(1, "A"), scanned(2, "B"), released(3)]
    late = tracking(1, "C")
    journal = changed(shipments_events=events, carrier_tracking=[tracking(0, "A", "B"), late])

    found = judge(journal)

    assert counts(found) == (0, 0, 0), found.problems
    assert found.released == {"void": 1}
    assert {name for name, _ in found.parcels["shop/1", "N1"].scans} == {"A", "B"}


def test_audit_misses_no_scans_of_unowned_parcels() -> None:
    stray = entry("carrier.tracking", 1, {"tracking_number": "X9", "scans": [{"event_name": "A"}]})

    assert judge(changed(carrier_tracking=[*clean()["carrier.tracking"], stray])).is_clean
