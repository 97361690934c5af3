"""Scans of which only a day is known: the day as written reaches whatever compares days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.analytics.domain.facts import OnTime, OrderEventFacts
from services.analytics.messages.decode import read_facts
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.order import Address
from services.orders.domain.tracking.scan import Precision, Scan, day_of
from services.orders.domain.value import replace
from services.orders.messages import decode, snapshot
from services.orders.messages.encode import event_record
from services.runtime.messages.records import Coordinates, Original
from tests.unit.analytics.builders import a_record
from tests.unit.orders.builders import Desk, attach, place

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PROMISED = date(2026, 11, 26)
ADDRESSES: dict[str, dict[str, str]] = {
    "California": {"country_code": "US", "province_code": "CA"},
    "Germany": {"country_code": "DE"},
    "New Zealand": {"country_code": "NZ"},
    "nowhere known": {},
}
NAMED = ("America/Los_Angeles", "Europe/Berlin", "Pacific/Auckland", "Pacific/Kiritimati")
OFFSETS = ("", "Z", "+00:00", "-08:00", "+01:00", "+13:00", "+14:00", "-11:00")


def read(*scans: dict[str, Any], number: str = "NUM1") -> ReportTracking:
    """A tracking message as the service reads it."""
    body = {"carrier_reference": "dhl", "tracking_number": number, "scans": list(scans)}
    headers = (("ce_type", b"tracking.reported"),)
    at = Coordinates(decode.TRACKING, 0, 0)
    (entry,) = decode.read(Original(at, b"dhl/NUM1", headers, orjson.dumps(body), NOW), NOW)
    assert isinstance(entry, decode.DecodedItem), entry
    assert isinstance(entry.command, ReportTracking)
    return entry.command


def one(occurred_at: str, **members: Any) -> Scan:
    (scan,) = read({"event_name": "SORTED", "occurred_at": occurred_at, **members}).scans
    return scan


def delivery(occurred_at: str, **members: Any) -> dict[str, Any]:
    return {"event_name": "SUCCESSFULLY_DELIVERED", "occurred_at": occurred_at, **members}


def facts(address: dict[str, str], *scans: dict[str, Any]) -> OrderEventFacts:
    """What analytics makes of the event of the last scan, for an order promised for the 26th."""
    desk = Desk(now=NOW)
    desk.send(place(promised_delivery_date=PROMISED, address=Address(**address)))
    desk.send(attach("NUM1", carrier="dhl"))
    events = [event for scan in scans for event in desk.send(read(scan)).events]
    context = snapshot.encode(desk.order(), 100_000)
    body = orjson.loads(event_record(events[-1], context, None).value or b"")
    found = read_facts(a_record(body))
    assert isinstance(found, OrderEventFacts)
    return found


@pytest.mark.parametrize("where", ADDRESSES)
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("said", [{"precision": "day"}, {}], ids=["said", "not said"])
@pytest.mark.parametrize(
    ("day", "verdict"),
    [
        ("2026-11-25", OnTime.EARLY),
        ("2026-11-26", OnTime.ON_TIME),
        ("2026-11-27", OnTime.LATE),
    ],
)
def test_day_of_a_delivery_is_the_day_written_wherever_midnight_was(
    where: str, offset: str, said: dict[str, str], day: str, verdict: OnTime
) -> None:
    found = facts(ADDRESSES[where], delivery(f"{day}T00:00:00{offset}", **said))

    (parcel,) = found.parcels
    assert (parcel.on_time, parcel.delivered_on) == (verdict, date.fromisoformat(day))
    assert parcel.handed_over_on == parcel.delivered_on


@pytest.mark.parametrize("zone", NAMED)
@pytest.mark.parametrize("said", [{"precision": "day"}, {}], ids=["said", "not said"])
def test_day_of_a_delivery_in_a_named_zone_is_the_day_written(
    zone: str, said: dict[str, str]
) -> None:
    scan = delivery("2026-11-26T00:00:00", timezone=zone, **said)

    assert [facts(address, scan).parcels[0].on_time for address in ADDRESSES.values()] == [
        OnTime.ON_TIME
    ] * len(ADDRESSES)


@pytest.mark.parametrize(
    ("written", "members", "day"),
    [
        ("2026-11-26T15:00:00Z", {"precision": "day"}, "2026-11-26"),
        ("2026-11-25T23:00:00Z", {"timezone": "Europe/Berlin"}, "2026-11-26"),
        ("2026-11-25T23:00:00Z", {"timezone": "Europe/Berlin", "precision": "day"}, "2026-11-26"),
        ("2026-11-25T23:00:00Z", {"precision": "day"}, "2026-11-25"),
        ("2026-11-25T23:00:00Z", {"timezone": "Nowhere/None", "precision": "day"}, "2026-11-25"),
        ("2026-11-26T00:00:00Z", {"timezone": "Europe/Berlin"}, "2026-11-26"),
        ("2026-11-25T23:00:00Z", {}, None),
        ("2026-11-25T23:00:00Z", {"timezone": "Europe/Paris", "precision": "second"}, None),
        ("2026-11-26T00:00:00Z", {"precision": "minute"}, None),
        ("2026-11-26T00:35:00", {"timezone": "Europe/Berlin"}, None),
    ],
)
def test_day_of_a_scan_is_known_where_only_a_day_is(
    written: str, members: dict[str, str], day: str | None
) -> None:
    found = day_of(one(written, **members))

    assert found == (date.fromisoformat(day) if day else None)


def test_instant_of_a_delivery_is_compared_at_the_destination() -> None:
    late = facts(ADDRESSES["Germany"], delivery("2026-11-26T23:30:00Z"))
    on_time = facts(ADDRESSES["California"], delivery("2026-11-27T05:00:00Z"))

    assert (late.parcels[0].on_time, on_time.parcels[0].on_time) == (OnTime.LATE, OnTime.ON_TIME)


def test_exact_delivery_after_a_day_replaces_the_day() -> None:
    day = delivery("2026-11-25T00:00:00Z", scan_id="a")
    leg = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-11-27T08:00:00Z"}
    hub = {"event_name": "SORTED", "occurred_at": "2026-11-27T12:00:00Z"}
    exact = delivery("2026-11-28T07:00:00Z", scan_id="b")

    found = facts(ADDRESSES["Germany"], day, leg, hub, exact)

    assert found.parcels[0].delivered_on == date(2026, 11, 28)


def test_days_do_not_depend_on_the_order_of_scans() -> None:
    scans = (
        {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-11-24T00:00:00+13:00"},
        {"event_name": "SORTED", "occurred_at": "2026-11-24T18:00:00Z"},
        delivery("2026-11-26T00:00:00+13:00"),
    )
    found = {
        (parcel.handed_over_on, parcel.delivered_on)
        for order in permutations(scans)
        for parcel in facts(ADDRESSES["New Zealand"], *order).parcels
    }

    assert found == {(date(2026, 11, 24), date(2026, 11, 26))}


def test_event_of_a_day_names_the_day_and_that_of_an_instant_does_not() -> None:
    desk = Desk(now=NOW)
    desk.send(place())
    desk.send(attach("NUM1", carrier="dhl"))
    bodies = []
    for scan in (delivery("2026-11-26T00:00:00+13:00"), delivery("2026-11-26T00:00:01+13:00")):
        event = desk.send(read(scan)).events[0]
        context = snapshot.encode(desk.order(), 100_000)
        bodies.append(orjson.loads(event_record(event, context, None).value or b""))

    assert bodies[0]["event_data"]["occurred_on"] == "2026-11-26"
    assert bodies[0]["event_data"]["occurred_at"] == "2026-11-25T11:00:00Z"
    assert "occurred_on" not in bodies[1]["event_data"]
    shipment = bodies[0]["context"]["shipments"][0]
    assert (shipment["first_scan_on"], shipment["delivered_on"]) == ("2026-11-26",) * 2
    assert bodies[0]["context"]["order"]["trackings"][0]["delivered_on"] == "2026-11-26"


@given(
    day=st.dates(min_value=date(1, 1, 2), max_value=date(9999, 12, 30)),
    minutes=st.integers(-11 * 60 - 59, 12 * 60),
)
@example(day=date(9999, 5, 5), minutes=60)
def test_day_of_a_scan_stored_before_days_were_kept_is_the_nearest_midnight(
    day: date, minutes: int
) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    stored = Scan(
        key="k",
        event_name="SORTED",
        occurred_at=midnight - timedelta(minutes=minutes),
        recorded_at=NOW,
        precision=Precision.DAY,
    )

    assert day_of(stored) == day
    assert day_of(replace(stored, written_on=date(2026, 1, 1))) == date(2026, 1, 1)
