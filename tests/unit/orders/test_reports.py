"""Reports of carriers: a scan that cannot be read costs no other scan of its report."""

import json
from datetime import UTC, date, datetime

import pytest

from schemas.tracking import TRACKING_REPORTED
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.tracking.catalogue import CATALOGUE
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Eta
from services.orders.messages.decode import DecodedItem, read
from services.runtime.messages.records import Coordinates, Original
from tests.unit.orders.builders import NOON

GOOD = {"event_name": "SUCCESSFULLY_DELIVERED", "occurred_at": "2026-03-02T10:00:00Z"}


def reading(*scans, **body):
    """The one entry of a report with these scans."""
    sent = {"tracking_number": "1Z1", "carrier_reference": "ups", "scans": list(scans), **body}
    headers = (("ce_type", TRACKING_REPORTED.encode()),)
    at = Coordinates("carrier.tracking", 0, 0)
    (entry,) = read(Original(at, b"ups/1Z1", headers, json.dumps(sent).encode(), NOON), NOON)
    return entry


def one_scan(**given):
    """A good scan and one with these members: the one, None if it is left out, and the warnings."""
    entry = reading(GOOD, {"event_name": "SORTED", "occurred_at": "2026-03-01T10:00:00Z", **given})
    assert isinstance(entry, DecodedItem), entry
    found = [each for each in entry.command.scans if each.event_name != "SUCCESSFULLY_DELIVERED"]
    warnings = [(each.code, each.pointer) for each in entry.command.warnings]
    assert len(entry.command.scans) == len(found) + 1
    return (found[0] if found else None), warnings


@pytest.mark.parametrize(
    "given",
    [
        {"occurred_at": "0001-01-01T00:00:00Z"},
        {"occurred_at": "0001-01-01T00:00:00+14:00"},
        {"occurred_at": "9999-12-31T23:59:59-14:00"},
        {"occurred_at": "yesterday"},
        {"occurred_at": ""},
        {"occurred_at": None},
        {"occurred_at": 1767225600},
        {"event_name": None},
        {"event_name": ""},
        {"retracts": "x" * 129},
    ],
)
def test_scan_that_cannot_be_read_is_left_out_with_a_warning(given):
    scan, warnings = one_scan(**given)

    assert scan is None
    assert warnings == [(WarningCode.ENTRY_LEFT_OUT, "/scans/1")]


def test_warning_of_a_scan_that_is_left_out_names_its_wrong_member():
    entry = reading(GOOD, {"event_name": "SORTED", "occurred_at": 1767225600}, {"text": "x"})

    time, missing = [each.detail for each in entry.command.warnings]
    assert time.startswith("an object is left out: /occurred_at: must be an RFC 3339 timestamp")
    assert missing.startswith("an object is left out: /occurred_at: ")


@pytest.mark.parametrize("entry", [None, "", "SORTED", 7, [], {}])
def test_scan_of_any_kind_of_json_costs_no_other_scan(entry):
    report = reading(entry, GOOD)

    assert [each.event_name for each in report.command.scans] == ["SUCCESSFULLY_DELIVERED"]
    warnings = [(each.code, each.pointer) for each in report.command.warnings]
    assert warnings == [(WarningCode.ENTRY_LEFT_OUT, "/scans/0")]


BERLIN = {"timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("given", "utc", "precision"),
    [
        ({"occurred_at": "2026-03-01T10:30:00+0100"}, "2026-03-01T09:30:00+00:00", "second"),
        ({"occurred_at": "2026-03-01T10:30+01:00"}, "2026-03-01T09:30:00+00:00", "second"),
        ({"occurred_at": "20260301T093000Z"}, "2026-03-01T09:30:00+00:00", "second"),
        (
            {"occurred_at": "Sun, 01 Mar 2026 10:30:00 +0100"},
            "2026-03-01T09:30:00+00:00",
            "second",
        ),
        ({"occurred_at": " 2026-03-01T09:30:00Z "}, "2026-03-01T09:30:00+00:00", "second"),
        ({"occurred_at": "2026-03-01 10:30", **BERLIN}, "2026-03-01T09:30:00+00:00", "second"),
        ({"occurred_at": "2026-03-01", **BERLIN}, "2026-02-28T23:00:00+00:00", "day"),
    ],
)
def test_time_of_a_scan_is_read_in_spellings_of_iso_8601_and_mail(given, utc, precision):
    scan, warnings = one_scan(**given)

    assert warnings == []
    assert (scan.occurred_at.isoformat(), scan.precision) == (utc, precision)
    assert (scan.written_on == date(2026, 3, 1)) is (precision == "day")


@pytest.mark.parametrize(
    ("given", "code", "pointer"),
    [
        ({"reason": "r" * 80}, WarningCode.TEXT_CUT, "/reason"),
        ({"text": "t" * 2000}, WarningCode.TEXT_CUT, "/text"),
        ({"attempt": 101}, WarningCode.VALUE_LEFT_OUT, "/attempt"),
        ({"location": {"latitude": 95}}, WarningCode.VALUE_LEFT_OUT, "/location/latitude"),
        ({"pickup": {"date_to": "0001-01-01"}}, WarningCode.VALUE_LEFT_OUT, "/pickup/date_to"),
        ({"eta": {"to": "9999-12-31T23:59:59-14:00"}}, WarningCode.VALUE_LEFT_OUT, "/eta/to"),
        ({"proof": {"image_url": "none"}}, WarningCode.VALUE_LEFT_OUT, "/proof/image_url"),
    ],
)
def test_member_that_only_describes_costs_no_scan(given, code, pointer):
    scan, warnings = one_scan(**given)

    assert scan is not None
    assert warnings == [(code, f"/scans/1{pointer}")]


@pytest.mark.parametrize(
    "given",
    [
        {"proof": {"image_url": ""}},
        {"reason": "", "text": "", "code": "", "scan_id": "", "timezone": ""},
        {"location": {"city": "", "country_code": ""}},
        {"retracts": ""},
    ],
)
def test_empty_text_is_not_said(given):
    scan, warnings = one_scan(**given)

    assert scan is not None
    assert warnings == []
    assert (scan.reason, scan.code, scan.scan_id, scan.retracts) == (None, None, None, None)


def test_report_without_a_scan_that_can_be_read_is_refused_with_a_pointer_for_each():
    refused = reading({**GOOD, "occurred_at": "0001-01-01T00:00:00Z"}, {"text": "x"})

    assert {each.pointer for each in refused.errors} == {
        "/scans/0/occurred_at",
        "/scans/1/occurred_at",
    }


@pytest.mark.parametrize("body", [{"tracking_number": None}, {"scans": "none"}, {"scans": []}])
def test_report_with_a_broken_frame_is_refused(body):
    assert not isinstance(reading(GOOD, **body), DecodedItem)


def test_report_of_any_number_of_scans_is_read_whole():
    many = [{**GOOD, "code": f"c{n}"} for n in range(2_000)]

    read = reading(*many)

    assert isinstance(read, DecodedItem)
    assert len(read.command.scans) == 2_000
    assert not read.command.warnings


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-30T00:30:00+14:00", "2026-11-29T20:00:00-10:00"),
        ("2026-11-29T18:00:00+01:00", "2026-11-29T18:00:00+01:00"),
        ("2026-11-30", "2026-11-29T10:00:00Z"),
        ("2026-11-30T11:59:00Z", "2026-11-29"),
    ],
)
def test_eta_that_may_run_forward_is_taken(first, last):
    scan, warnings = one_scan(eta={"from": first, "to": last})

    assert scan.eta is not None
    assert warnings == []


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-29T18:00:00+01:00", "2026-11-29T08:00:00+01:00"),
        ("2026-11-29T18:00:00+01:00", "2026-11-29T18:30:00+02:00"),
        ("2026-11-30", "2026-11-29"),
        ("2026-11-30", "2026-11-29T09:59:00Z"),
        ("2026-11-30T12:00:00Z", "2026-11-29"),
    ],
)
def test_eta_that_runs_backwards_is_left_out_and_its_scan_counts(first, last):
    scan, warnings = one_scan(eta={"from": first, "to": last})

    assert scan.eta is None
    assert warnings == [(WarningCode.VALUE_LEFT_OUT, "/scans/1/eta")]


def test_eta_of_one_day_is_kept():
    assert one_scan(eta={"to": "2026-11-29"})[0].eta == Eta(latest=date(2026, 11, 29))


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("eta", {}),
        ("eta", {"from": "", "to": None}),
        ("eta", {"to": "soon"}),
        ("pickup", {}),
        ("pickup", {"type": "unknown", "name": "", "date_to": None}),
        ("location", {"city": "", "latitude": None}),
        ("proof", {"signed_by": "", "image_url": ""}),
    ],
)
def test_object_of_a_scan_without_a_value_says_nothing(member, said):
    assert getattr(one_scan(**{member: said})[0], member) is None


def test_eta_and_pickup_without_a_value_leave_what_earlier_scans_said():
    shop, window = {"type": "shop", "name": "Kiosk"}, {"to": "2026-03-04"}
    first = one_scan(eta=window, pickup=shop)[0]
    second = one_scan(occurred_at="2026-03-01T11:00:00Z", eta={"to": ""}, pickup={"name": ""})[0]

    state = replay((first, second), datetime(2026, 3, 2, tzinfo=UTC)).state

    assert (state.eta, state.pickup) == (first.eta, first.pickup)
    assert state.eta_original == first.eta


def test_name_of_the_catalogue_in_lower_case_is_that_name():
    assert one_scan(event_name="picked_up_by_carrier")[0].event_name == "PICKED_UP_BY_CARRIER"
    assert "PICKED_UP_BY_CARRIER" in CATALOGUE
