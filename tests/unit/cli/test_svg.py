"""The SVG timeline: well formed and bounded whatever carriers write, and without their words."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.console.explain_order import Explained
from orderflow.console.explain_window import explain_windows
from orderflow.console.order_svg import SCANS_MAX, svg_of
from orderflow.console.said import said_by
from orderflow.console.svg import Drawing, cut
from services.orders.domain.tracking.explanation import explain
from services.orders.domain.tracking.named_by import NamedBy, Namer
from services.orders.domain.tracking.scan import Location
from services.orders.domain.value import replace
from tests.unit.orders.builders import HOUR, NOON, Desk, attach, place, report, scan

UNKNOWN = NamedBy(namer=Namer.NOTHING, event_name="UNMAPPED")


def explained(*scans, carrier=None, reported=()) -> Explained:
    """An order with one parcel; `reported` are scans of its number that are not its own."""
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier=carrier))
    if reported:
        desk.send(report(*reported, number="N1", carrier="dhl"))
    order, shipment = desk.order(), desk.shipment()
    verdicts = explain(scans, NOON + timedelta(days=900))
    windows = explain_windows((shipment,), desk.parcels, {})
    return Explained("id", order, {shipment.shipment_id: verdicts}, [], 0, {}, windows, {})


@given(st.text(max_size=400))
def test_svg_is_well_formed_with_any_text(said: str):
    drawing = Drawing()
    drawing.text(16, said)
    drawing.paragraph(16, said)

    root = ET.fromstring(drawing.picture(said).encode("utf-8"))

    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "style", "rect", "text"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [("abc", "abc"), ("abcdef", "abc…"), ("日本語", "日…"), ("a\u202eb", "a\ufffdb")],
)
def test_svg_text_is_cut_to_its_room(said: str, shown: str):
    assert cut(said, 4) == shown


def test_svg_of_a_long_history_is_bounded_and_says_what_it_leaves_out():
    scans = [
        replace(scan("SORTED", NOON + at * HOUR), code="<" * 3000, text="&" * 3000)
        for at in range(450)
    ]

    picture = svg_of(explained(*scans), "demo/<1>", with_words=True)

    assert len(picture.encode()) < 100_000
    assert f"scans 1 to {450 - SCANS_MAX} are not drawn" in picture
    ET.fromstring(picture)


def test_svg_has_words_and_places_only_on_request():
    hidden = replace(
        scan("SORTED", NOON), text="signed by Miller", location=Location(city="Smalltown")
    )
    found = explained(hidden)

    plain, with_words = svg_of(found, "demo/1"), svg_of(found, "demo/1", with_words=True)

    assert not any(word in plain for word in ("Miller", "Smalltown"))
    assert all(word in with_words for word in ("Miller", "Smalltown"))


def test_svg_says_that_a_parcel_has_no_scans_and_why_those_of_its_number_are_not_its_own():
    waits = svg_of(explained(), "demo/1")
    of_another = svg_of(explained(carrier="ups", reported=[scan("SORTED", NOON)]), "demo/1")
    scanned = svg_of(explained(scan("SORTED", NOON)), "demo/1")

    assert [text.count("no scan yet") for text in (waits, of_another, scanned)] == [1, 1, 0]
    assert "It is of carrier dhl; the shipment's carrier is ups." in of_another
    assert not any("not its scan" in text for text in (waits, scanned))


@pytest.mark.parametrize(
    ("name", "shown"), [("OD/I", "OD/I"), ("handed to Ms Miller", None), ("x" * 65, None)]
)
def test_said_name_that_no_map_knows_is_shown_if_it_looks_like_a_code(name, shown):
    said = said_by(replace(scan("SORTED", NOON), name=name), UNKNOWN, with_words=False)

    assert said["name"] == shown
    assert ("name" in said["left_out"]) is (shown is None)
