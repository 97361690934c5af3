"""`orderflow order --svg`: a picture for a support ticket, and what it leaves out of it."""

import asyncio
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from services.runtime.config.settings import Settings
from tests.integration.cli.test_order import _apply
from tests.integration.orders.conftest import a_record, an_upsert

from .conftest import Run

SVG = "{http://www.w3.org/2000/svg}"
SCANS = [
    {"code": "006", "occurred_at": "2026-03-01T07:05:00+01:00", "text": "Left with Ms Miller"},
    {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-03-01T05:00:00+01:00"},
    {
        "event_name": "SUCCESSFULLY_DELIVERED",
        "occurred_at": "2026-03-01T09:30:00+01:00",
        "location": {"city": "Elmshorn"},
        "proof": {"signed_by": "MILLER"},
    },
    {"code": "<script>&", "occurred_at": "2026-03-01T08:00:00+01:00"},
    {"event_name": "SORTED", "occurred_at": "2026-03-01T10:00:00+01:00"},
]


@pytest.fixture
def order(database_url: str, service: Settings) -> str:
    """An order with a parcel whose carrier contradicts itself."""
    body = {"carrier_reference": "ups", "tracking_number": "1Z1", "scans": SCANS}
    report = a_record("tracking.reported", body, topic="carrier.tracking")
    asyncio.run(_apply(database_url, an_upsert("1", trackings=["1Z1"]), report))
    return "demo-shop/1"


def texts(picture: str) -> str:
    root = ET.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    return "\n".join("".join(each.itertext()) for each in root.iter(f"{SVG}text"))


def test_picture_says_what_each_scan_did_and_what_set_the_state(
    run: Run, order: str, tmp_path: Path
) -> None:
    path = tmp_path / "order.svg"
    result = run("order", order, "--svg", str(path))
    said = texts(path.read_text(encoding="utf-8"))

    assert result.exit_code == 0, result.output
    assert "OUT_FOR_DELIVERY" in said
    assert "ups_status/006" in said
    assert "rule 5" in said
    assert "no row" in said
    assert "now: delivered SUCCESSFULLY_DELIVERED, flag normal" in said
    assert "phase delivered: set by scan" in said
    assert "It notified the customer of shipment_delivered." in said


def test_picture_leaves_words_and_places_out_unless_they_are_asked_for(
    run: Run, order: str
) -> None:
    without, with_words = (
        run("order", order, "--svg", "-", *more).stdout for more in ((), ("--with-words",))
    )

    assert "Miller" not in texts(without)
    assert "Elmshorn" not in texts(without)
    assert "Left with Ms Miller" in texts(with_words)
    assert "Elmshorn" in texts(with_words)
    assert "MILLER" not in without + with_words
    assert "<script>" not in without + with_words


def test_picture_names_nothing_outside_of_it(run: Run, order: str) -> None:
    picture = run("order", order, "--svg", "-").stdout

    assert picture.count("http") == 1  # The namespace.
    assert "<script" not in picture
    assert "href" not in picture


def test_picture_of_a_long_history_is_cut(database_url: str, service: Settings, run: Run) -> None:
    scans = [
        {"event_name": "SORTED", "occurred_at": f"2026-03-01T{at // 60:02}:{at % 60:02}:01Z"}
        for at in range(200)
    ]
    body = {"carrier_reference": "ups", "tracking_number": "1Z1", "scans": scans}
    report = a_record("tracking.reported", body, topic="carrier.tracking")
    asyncio.run(_apply(database_url, an_upsert("1", trackings=["1Z1"]), report))

    picture = run("order", "demo-shop/1", "--svg", "-").stdout

    assert "scans 1 to 160 are not drawn" in texts(picture)
    assert len(picture) < 100_000


def test_json_has_for_each_scan_what_named_it_and_for_each_member_what_set_it(
    run: Run, order: str
) -> None:
    (shipment,) = json.loads(run("order", order, "--json").stdout)["shipments"]
    scans = {scan["event_name"]: scan for scan in shipment["scans"]}

    assert scans["OUT_FOR_DELIVERY"]["named_by"] == "map"
    assert scans["OUT_FOR_DELIVERY"]["row"] == "ups_status/006"
    assert scans["SORTED"]["named_by"] == "catalogue"
    assert scans["UNMAPPED"]["named_by"] == "nothing"
    assert scans["SUCCESSFULLY_DELIVERED"]["notify_cause"] == "notified"
    assert {scan["carrier_text"] for scan in shipment["scans"]} == {None}
    assert shipment["set_by"]["phase"] == scans["SUCCESSFULLY_DELIVERED"]["key"]
    assert shipment["set_by"]["first_scan_at"] == scans["PICKED_UP_BY_CARRIER"]["key"]


def test_json_and_svg_are_not_given_together(run: Run, order: str) -> None:
    assert run("order", order, "--json", "--svg", "-").exit_code == 2


def test_file_that_cannot_be_written_is_said(run: Run, order: str, tmp_path: Path) -> None:
    refused = run("order", order, "--svg", str(tmp_path / "none" / "order.svg"))

    assert refused.exit_code == 1
    assert "name a file that can be written" in refused.stderr
