"""Times that the place of a scan or its neighbours in a list resolve: rules 10 and 10b."""

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import COUNTRIES
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.rules.report_scans import merge_scans
from services.orders.domain.tracking.naming import NO_MAPS
from services.orders.domain.tracking.scan import Location
from services.orders.domain.value import replace
from services.orders.messages import decode, snapshot
from services.orders.messages.carriers import places
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.places import zone_of_place, zone_rows
from services.orders.messages.carriers.resolved_times import resolved, with_hours
from services.orders.messages.encode import event_record
from tests.unit.orders.builders import NOON, Desk, attach, place, report
from tests.unit.orders.mutations import original_of

NUMBER = "00340434161094027404"
WINTER, SUMMER = datetime.fromisoformat("2026-01-20T10:00"), datetime.fromisoformat("2026-07-20")

PLACES = [
    ({"country_code": "DE"}, "Europe/Berlin"),
    ({"country_code": "NL"}, "Europe/Amsterdam"),
    ({"country_code": "BE", "city": "Mechelen"}, "Europe/Brussels"),
    ({"country_code": "GB"}, "Europe/London"),
    ({"country_code": "PR"}, "America/Puerto_Rico"),
    ({"country_code": "CN"}, "Asia/Shanghai"),
    ({"country_code": "KZ"}, "Asia/Almaty"),
    # Countries with several zones: by postal code, else by province, else not.
    ({"country_code": "US"}, None),
    ({"country_code": "US", "province": "NJ"}, "America/New_York"),
    ({"country_code": "US", "province": "new  Jersey"}, "America/New_York"),
    ({"country_code": "US", "province": "US-CA"}, "America/Los_Angeles"),
    ({"country_code": "US", "province": "AZ"}, "America/Phoenix"),
    ({"country_code": "US", "province": "TX"}, "America/Chicago"),
    ({"country_code": "US", "province": "TX", "postal_code": "79901"}, "America/Denver"),
    ({"country_code": "US", "province": "FL", "postal_code": "32501-1234"}, "America/Chicago"),
    ({"country_code": "US", "province": "FL", "postal_code": "34442"}, "America/New_York"),
    ({"country_code": "US", "postal_code": "07470"}, "America/New_York"),
    ({"country_code": "US", "postal_code": "46402"}, "America/Chicago"),
    ({"country_code": "US", "postal_code": "00901"}, "America/Puerto_Rico"),
    ({"country_code": "US", "province": "NJ", "postal_code": "7470"}, "America/New_York"),
    ({"country_code": "US", "postal_code": "7470"}, None),
    ({"country_code": "US", "province": "KY"}, None),
    ({"country_code": "US", "province": "AE"}, None),
    ({"country_code": "CA", "province": "ON"}, "America/Toronto"),
    ({"country_code": "CA", "postal_code": "K0J 1T0"}, "America/Toronto"),
    ({"country_code": "CA", "postal_code": "p9n1a1"}, "America/Winnipeg"),
    ({"country_code": "CA", "province": "Québec"}, "America/Toronto"),
    ({"country_code": "CA", "province": "NL"}, None),
    ({"country_code": "AU", "province": "Queensland"}, "Australia/Brisbane"),
    ({"country_code": "AU", "postal_code": "2000"}, "Australia/Sydney"),
    ({"country_code": "ES", "postal_code": "35001"}, "Atlantic/Canary"),
    ({"country_code": "ES", "postal_code": "28001"}, "Europe/Madrid"),
    ({"country_code": "ES"}, None),
    ({"country_code": "FR", "postal_code": "97400"}, "Indian/Reunion"),
    ({"country_code": "FR", "postal_code": "75001"}, "Europe/Paris"),
    # Coordinates, where nothing else says the zone. At sea there is none.
    ({"latitude": "40.71", "longitude": "-74.0"}, "America/New_York"),
    ({"latitude": "0", "longitude": "0"}, None),
    ({"latitude": "40.71"}, None),
    ({"country_code": "US", "latitude": "36.97", "longitude": "-86.48"}, "America/Chicago"),
    ({"country_code": "DE", "latitude": "40.71", "longitude": "-74.0"}, "Europe/Berlin"),
    ({"city": "Berlin"}, None),
    ({"country_code": "XX", "province": "BV"}, None),
]


@pytest.mark.parametrize(("said", "zone"), PLACES)
def test_zone_of_a_place_is_that_of_its_postal_data_or_its_point(said, zone):
    assert zone_of_place(Location(**said), SUMMER) == zone


def test_zones_that_agree_at_the_time_of_the_scan_are_one():
    coahuila = Location(country_code="MX", province="COA")

    assert zone_of_place(coahuila, WINTER) == "America/Monterrey"
    assert zone_of_place(coahuila, SUMMER) is None


def test_rows_of_places_name_zones_and_sources_and_stand_once():
    path = Path(places.__file__).with_name("places.csv")
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    keys = [
        (row["country"], row["postal"], name) for row in rows for name in row["province"].split("|")
    ]

    assert len(keys) == len(set(keys))
    assert all(row["source"].startswith("https://") for row in rows)
    assert {row["country"] for row in rows} <= COUNTRIES
    assert {name for row in rows for name in row["zones"].split()} <= available_timezones()
    assert all(not (row["province"] and row["postal"]) for row in rows)


def test_countries_with_inhabitants_have_a_zone():
    assert {country for country, rows in zone_rows().items() if rows.country} == (
        COUNTRIES - {"BV", "HM", "XK"}
    )


ANY_PLACE = st.builds(
    Location,
    postal_code=st.text(max_size=9),
    province=st.text(max_size=9),
    country_code=st.sampled_from(sorted(COUNTRIES)),
    latitude=st.floats(-90, 90).map(str),
    longitude=st.floats(-180, 180).map(str),
)
ANY_TIME = st.datetimes(WINTER.replace(year=1971), WINTER.replace(year=2099))


@given(ANY_PLACE, ANY_TIME)
def test_zone_of_any_place_is_a_known_zone_or_none(place, local):
    assert zone_of_place(place, local) in {None, *available_timezones()}


def test_points_are_imported_with_the_first_point_and_take_bounded_memory():
    program = """
import resource, sys
from datetime import datetime
from services.orders.domain.tracking.naming import NO_MAPS
from services.orders.domain.tracking.scan import Location
from services.orders.messages.carriers.places import zone_of_place
at = datetime.fromisoformat("2026-07-20")
zone_of_place(Location(country_code="US", province="NJ"), at)
assert "timezonefinder" not in sys.modules
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for east in range(-120, 140):
    zone_of_place(Location(latitude="45.5", longitude=str(east)), at)
assert "timezonefinder" in sys.modules
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert int(found.stdout) < 64 * 1024  # KiB


BERLIN = {"country_code": "DE"}


def moments_of(*clocks, day="2026-10-25", zone="Europe/Berlin"):
    """A list of moments; one with an offset is certain."""
    return [moment_of(f"{day}T{clock}", zone) for clock in clocks]


def shown(moments):
    """UTC clocks; a question mark stands after one that may be the other."""
    return " ".join(f"{each.at:%H:%M}{'?' if each.second else ''}" for each in moments)


# The clocks of Berlin go from 03:00 back to 02:00 at 01:00 UTC.
LISTS = [
    # What the carrier lists; the instants in UTC.
    ("01:50 02:50 02:10 03:05", "23:50 00:50 01:10 02:05"),
    ("03:05 02:10 02:50 01:50", "02:05 01:10 00:50 23:50"),
    ("01:50 02:30 02:10 03:05", "23:50 00:30 01:10 02:05"),
    # The right answer of a carrier's history: the third 02:05 is the second one.
    ("01:00 02:10 02:40 02:05 04:00", "23:00 00:10 00:40 01:05 03:00"),
    ("04:00 02:05 02:40 02:10 01:00", "03:00 01:05 00:40 00:10 23:00"),
    # Nothing says which: the first, and it is marked.
    ("01:50 02:30 03:05", "23:50 00:30? 02:05"),
    ("02:30", "00:30?"),
    ("02:50 02:10", "00:50? 00:10?"),
    ("01:50 02:10 02:30 03:05", "23:50 00:10? 00:30? 02:05"),
    # One neighbour is enough where only one order has a reading.
    ("01:50 02:50 02:10", "23:50 00:50 01:10"),
    ("02:10 02:50 01:50", "01:10 00:50 23:50"),
    # A certain time within the hours decides.
    ("01:50 02:45+02:00 02:10 03:05", "23:50 00:45 01:10 02:05"),
    ("01:50 02:45+01:00 02:50 03:05", "23:50 01:45 01:50 02:05"),
    ("01:50 02:20 02:05+01:00 03:05", "23:50 00:20 01:05 02:05"),
    # One disorder elsewhere costs nothing; a list in no order says nothing.
    ("01:50 02:50 02:10 03:05 06:00 05:00 07:00", "23:50 00:50 01:10 02:05 05:00 04:00 06:00"),
    ("01:50 02:50 02:10 02:50 02:10 03:05", "23:50 00:50? 00:10? 00:50? 00:10? 02:05"),
    # Equal times are in order.
    ("01:50 02:10 02:10 03:05", "23:50 00:10? 00:10? 02:05"),
]  # fmt: skip


@pytest.mark.parametrize(("clocks", "utc"), LISTS)
def test_repeated_hour_is_what_the_order_of_the_list_says(clocks, utc):
    assert shown(with_hours(moments_of(*clocks.split()))) == utc


@pytest.mark.parametrize(("clocks", "utc"), LISTS)
def test_list_the_other_way_round_says_the_same(clocks, utc):
    found = with_hours(moments_of(*clocks.split())[::-1])

    assert shown(found[::-1]) == utc


def test_days_and_times_without_a_zone_resolve_no_hour():
    moments = moments_of("02:50", "02:10")
    others = [moment_of("2026-10-25"), moment_of("2026-10-25T01:00:00")]

    assert shown(with_hours([*others, *moments, *others])[2:4]) == "00:50? 00:10?"


def test_list_without_repeated_hours_stays_as_it_is():
    said = [SaidScan(moment=moment) for moment in moments_of("01:00", "04:00")]

    assert resolved(said) == said


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
CHANGES = {
    "Europe/Berlin": "2026-10-25T01:00:00+00:00",
    "America/New_York": "2026-11-01T06:00:00+00:00",
    "Australia/Lord_Howe": "2026-04-04T15:00:00+00:00",
}


@given(st.sampled_from(ZONES), st.lists(st.integers(-100, 100), max_size=8), st.booleans())
def test_hour_that_is_resolved_is_the_true_one(zone, minutes, is_newest_first):
    change = datetime.fromisoformat(CHANGES[zone])
    true = [change + timedelta(minutes=step) for step in sorted(minutes)]
    true = true[::-1] if is_newest_first else true
    local = [at.astimezone(ZoneInfo(zone)) for at in true]
    said = [moment_of(f"{at:%Y-%m-%dT%H:%M:%S}", zone) for at in local]

    found = with_hours(said)

    for at, moment in zip(true, found, strict=True):
        assert moment.at == at or moment.second == at
        assert moment.local is not None
    assert [shown([each]) for each in with_hours(said[::-1])][::-1] == [shown([e]) for e in found]


# A payload of a dialect, read whole.


def payload(clocks, where=BERLIN, order=1):
    checkpoints = [
        {"checkpoint_time": f"2026-10-25T{clock}:00", "raw_tag": f"C{clock}{name}",
         "tag": name, **({"country_region": where["country_code"]} if where else {})}
        for clock, name in clocks
    ]  # fmt: skip
    body = {"msg": {"tracking_number": NUMBER, "slug": "dhl", "checkpoints": checkpoints[::order]}}
    return json.dumps(body).encode()


def scans_of(value):
    (entry,) = decode.read(original_of((decode.TRACKING, "aftership.tracking", value)), NOON)
    return entry.command


def test_key_of_a_scan_does_not_change_with_a_zone_or_hour_that_is_found():
    clocks = [("01:50", "InTransit"), ("02:50", "InTransit"), ("02:10", "OutForDelivery")]
    with_place, without = scans_of(payload(clocks)), scans_of(payload(clocks, where=None))
    alone = [scans_of(payload([one])) for one in clocks]

    keys = [scan.key for scan in with_place.scans]
    assert keys == [scan.key for scan in without.scans]
    assert keys == [scan.key for each in alone for scan in each.scans]
    assert [f"{scan.occurred_at:%H:%M}" for scan in with_place.scans] == ["23:50", "00:50", "01:10"]
    assert [scan.tz_known for scan in without.scans] == [False] * 3
    assert [scan.is_ambiguous for each in alone for scan in each.scans] == [False, True, True]
    assert {scan.timezone for scan in with_place.scans} == {"Europe/Berlin"}


CLOCKS = [("01:50", "InTransit"), ("02:50", "InTransit"), ("02:10", "OutForDelivery"),
          ("02:40", "Delivered"), ("03:05", "Delivered")]  # fmt: skip
PAYLOADS = st.builds(
    payload,
    st.lists(st.sampled_from(CLOCKS), unique=True, min_size=1).map(
        lambda some: sorted(some, key=CLOCKS.index)
    ),
    st.sampled_from([BERLIN, None]),
    st.sampled_from([1, -1]),
)


@given(st.lists(PAYLOADS, min_size=1, max_size=5), st.data())
def test_payloads_in_any_order_and_number_end_in_the_same_scans(sent, data):
    again = data.draw(st.permutations(sent + data.draw(st.lists(st.sampled_from(sent)))))

    assert merged(sent) == merged(again)


def merged(values):
    parcel = Parcel(number=NUMBER)
    for value in values:
        parcel = merge_scans(parcel, scans_of(value).scans).parcel
    return parcel.scans


@given(st.lists(PAYLOADS, min_size=1, max_size=4), st.data())
def test_payloads_in_any_order_and_number_end_in_the_same_state(sent, data):
    again = data.draw(st.permutations(sent + data.draw(st.lists(st.sampled_from(sent)))))

    assert state_after(sent) == state_after(again)


AFTER = datetime(2026, 10, 25, 4, tzinfo=UTC)


def a_desk():
    desk = Desk(now=AFTER, code_maps=CODE_MAPS)
    desk.send(place())
    desk.send(attach(NUMBER, carrier="dhlexp"))
    return desk


def deliver(desk, value):
    fresh = report()
    return desk.send(
        replace(scans_of(value), item_id=fresh.item_id, causation_id=fresh.causation_id)
    )


def state_after(values):
    desk = a_desk()
    for value in values:
        deliver(desk, value)
    (shipment,) = desk.order().shipments
    assert shipment.tracking.last_occurred_at is not None
    return shipment.tracking


def test_resolved_hour_counts_whichever_version_came_first():
    whole, alone = payload(CLOCKS), payload([("02:10", "OutForDelivery")])

    for order in ([whole, alone], [alone, whole], [alone, whole, alone]):
        (found,) = [scan for scan in merged(order) if scan.code == "C02:10OutForDelivery"]
        assert found.occurred_at == datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
        assert not found.is_ambiguous


@pytest.mark.parametrize(
    ("where", "zone", "utc", "tz_known"),
    [
        (BERLIN, "Europe/Berlin", "2026-10-25T02:05:00Z", True),
        (None, None, "2026-10-25T03:05:00Z", False),
    ],
)
def test_event_of_a_scan_has_its_instant_and_its_zone(where, zone, utc, tz_known):
    desk = a_desk()
    event = deliver(desk, payload([("03:05", "Delivered")], where)).events[0]
    context = snapshot.encode(desk.order(), 100_000)
    data = orjson.loads(event_record(event, context, None).value or b"")["event_data"]

    assert (data["occurred_at"], data["tz_known"]) == (utc, tz_known)
    assert data["timezone"] == zone


@pytest.mark.parametrize("maps", [NO_MAPS, CODE_MAPS])
def test_known_zone_counts_also_where_a_later_map_names_the_scan(maps):
    desk = a_desk()
    desk.code_maps = maps
    deliver(desk, payload([("03:05", "Delivered")], BERLIN))
    desk.code_maps = CODE_MAPS
    deliver(desk, payload([("03:05", "Delivered")], None))

    (scan,) = desk.parcels[NUMBER].scans
    assert (scan.tz_known, scan.occurred_at) == (True, datetime(2026, 10, 25, 2, 5, tzinfo=UTC))
