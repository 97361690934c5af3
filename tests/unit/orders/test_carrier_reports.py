"""What parsers of dialects do alike: parts by path, names in two spellings, ids, and estimates."""

from datetime import UTC, date, datetime

import pytest

from services.orders.domain.tracking.scan import Eta
from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import spelled
from services.orders.messages.carriers.reports import (
    ETA_CHANGED,
    ReadScans,
    eta_scan,
    joined,
    parts_at,
    text_id,
)
from services.runtime.messages.records import FieldError

ONE, TWO = {"number": "1"}, {"number": "2"}
PATHS = (("data", "accepted"), ("data",))
DAY = Eta(earliest=date(2026, 8, 4), latest=date(2026, 8, 4))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            {"data": {"accepted": [ONE, None, TWO]}},
            [("/data/accepted/0", ONE), ("/data/accepted/2", TWO)],
        ),
        ({"data": ONE}, [("/data", ONE)]),
        ({"data": [ONE, TWO]}, [("/data/0", ONE), ("/data/1", TWO)]),
        (ONE, [("", ONE)]),
        ([ONE, TWO], [("/0", ONE), ("/1", TWO)]),
        ({"data": {"accepted": []}}, []),
        ({"data": "text"}, [("", {"data": "text"})]),
        ("text", []),
        (None, []),
    ],
)
def test_parts_are_at_the_first_path_that_has_any_else_the_body(body, found):
    assert [(part.pointer, part.value) for part in parts_at(body, *PATHS)] == found


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"tracking_number": "1"}, ("tracking_number",), "1"),
        ({"trackingNumber": "1"}, ("tracking_number",), "1"),
        ({"tracking_number": "1", "trackingNumber": "2"}, ("tracking_number",), "1"),
        ({"tracking_number": None, "trackingNumber": "2"}, ("tracking_number",), "2"),
        ({"timeMetrics": {"latestDay": 1}}, ("time_metrics", "latest_day"), 1),
        ({"a": 1}, ("b",), None),
        ([], ("b",), None),
    ],
)
def test_name_is_read_in_either_spelling(value, path, found):
    assert spelled(value, *path) == found


def test_text_id_is_of_time_and_text_alone():
    one = text_id("2021-07-17 14:35", "Label created")

    assert one == text_id("2021-07-17 14:35", "Label created")
    assert one != text_id("2021-07-17 14:35", "Label printed")
    assert one != text_id("2021-07-17 14:36", "Label created")
    assert len(text_id("x" * 500, "y" * 5000)) <= 128
    assert text_id(None, None) != text_id(None, "\ud800")


def said(at="2026-08-01T10:00:00Z", **members):
    return SaidScan(moment=moment_of(at), **members)


def test_scan_of_two_lists_is_taken_once_and_errors_are_of_both():
    bad = [FieldError("/a/0", "bad"), FieldError("/b/0", "bad")]
    first = ReadScans([said(code="A"), said(code="B")], bad[:1])
    second = ReadScans([said(code="B", text="in other words"), said(code="C")], bad[1:])

    found = joined((first, second))

    assert [scan.code for scan in found.scans] == ["A", "B", "C"]
    assert found.left_out == bad


@pytest.mark.parametrize(
    ("said_at", "scans", "at"),
    [
        ("2026-08-02T10:00:00Z", (said(),), datetime(2026, 8, 2, 10, tzinfo=UTC)),
        (None, (said(), said("2026-08-01T12:00:00Z")), datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("no time", (said(),), datetime(2026, 8, 1, 10, tzinfo=UTC)),
    ],
)
def test_estimate_is_as_of_its_payload_else_as_of_the_newest_scan(said_at, scans, at):
    (scan,) = eta_scan(DAY, said_at, scans)

    assert (scan.name, scan.eta, scan.moment.at) == (ETA_CHANGED, DAY, at)


def test_estimate_without_any_time_is_left_out():
    assert list(eta_scan(DAY, None, ())) == []
    assert list(eta_scan(None, "2026-08-02T10:00:00Z", ())) == []
