"""The comparison with karrio, without karrio: what it gets, and who is called right."""

import json
import re
from pathlib import Path

import pytest

from bench.karrio.answers import CORPUS, cases, read_parcels, said_parcels
from bench.karrio.forms import CONNECTORS, LeftOut
from bench.karrio.kinds import kinds
from bench.karrio.page import PAGE, Findings, filled
from bench.karrio.terms import accepted_for, accepted_of
from bench.karrio.verdicts import FACTS, verdicts_of
from services.orders.domain.tracking.catalogue import CATALOGUE, Flag, Phase

LOCK = Path(__file__).parents[3] / "requirements-karrio.lock"
DELIVERY = {"code": "M3", "status": "delivered", "reason": None, "date": "2026-11-21"}
SILENT = {"ETA_CHANGED", "SCAN_RETRACTED"}


def verdict(fact, event):
    """The verdict on the delivery of `ups/001`, of which karrio is taken to say one event."""
    (case,) = (each for each in cases("ups") if each.name == "001")
    number = case.parcels[0]["tracking_number"]
    parcel = {
        "number": number,
        "status": "delivered",
        "delivered": True,
        "estimated_delivery": None,
        "events": [{"time": "13:15 PM", "timestamp": "2026-11-21T18:15:00.000Z"} | event],
    }
    said = said_parcels({"parcels": [parcel]})
    found = verdicts_of(case, read_parcels(case), said, silent=frozenset(), raised=())
    subject = number if fact == "delivery" else "M3/DELIVERED_TO_RECEPTION"
    (one,) = (each for each in found if (each.fact, each.subject) == (fact, subject))
    return one


@pytest.mark.parametrize(
    ("fact", "event", "is_right"),
    [
        ("instant", {}, True),
        ("instant", {"timestamp": "2026-11-21T13:15:00.000Z"}, False),
        ("instant", {"timestamp": "2026-11-21T13:15:00-05:00"}, True),
        ("clock", {}, True),
        ("clock", {"time": "18:15 PM"}, True),
        ("clock", {"time": "01:15 PM"}, True),
        ("clock", {"time": "01:15 AM"}, False),
        ("scan", {}, True),
        ("scan", {"status": "ready_for_pickup"}, False),
        ("delivery", {"timestamp": "2026-11-21T13:15:00.000Z"}, False),
    ],
)
def test_verdict_on_a_scan(fact, event, is_right):
    found = verdict(fact, DELIVERY | event)

    assert found.is_karrio_right is is_right
    assert found.are_we_right


@pytest.mark.parametrize(
    ("phase", "event", "flag", "right", "wrong"),
    [
        ("in_transit", "SORTED", "normal", {"in_transit"}, {"delivery_delayed"}),
        ("in_transit", "CARRIER_DELAY", "delay", {"delivery_delayed", "on_hold"}, {"in_transit"}),
        ("in_transit", "MISROUTED", "delay", {"in_transit", "on_hold"}, {"delivered"}),
        (
            "collect",
            "READY_FOR_COLLECTION_AT_LOCKER",
            "normal",
            {"ready_for_pickup"},
            {"delivered"},
        ),
        ("returned", "SUCCESSFULLY_DELIVERED", "normal", {"return_to_sender"}, {"delivered"}),
        ("return_received", "SUCCESSFULLY_DELIVERED", "normal", {"delivered"}, {"in_transit"}),
    ],
)
def test_status_is_right_by_phase_flag_and_event(phase, event, flag, right, wrong):
    accepted = accepted_of(Phase(phase), event, Flag(flag))

    assert right <= accepted
    assert not wrong & accepted


def test_status_exists_for_each_event_name():
    assert {name for name in CATALOGUE if not accepted_for(name)} == SILENT


@pytest.mark.parametrize(
    ("dialect", "payload", "bodies"),
    [
        ("easypost", {"object": "Event", "result": {"id": "a"}}, [{"id": "a"}]),
        ("easypost", {"trackers": [{"id": "a"}, {"id": "b"}]}, [{"id": "a"}, {"id": "b"}]),
        ("dhl_unified", [{"id": "a"}], [{"shipments": [{"id": "a"}]}]),
        ("shipengine", {"data": {"status_code": "DE"}}, [{"status_code": "DE"}]),
        (
            "laposte",
            [{"returnCode": 200}, {"shipment": {}}],
            [{"returnCode": 200}, {"shipment": {}}],
        ),
    ],
)
def test_body_is_what_the_request_would_have_brought(dialect, payload, bodies):
    assert CONNECTORS[dialect].bodies(json.dumps(payload).encode()) == bodies


@pytest.mark.parametrize(
    ("dialect", "payload"),
    [
        ("ups", b'{"trackingNumber": "1Z"}'),
        ("usps", b"<TrackResponse/>"),
        ("usps", b'{"subscriptionId": "s", "payload": {}}'),
        ("bpost", b'{"items": []}'),
        ("canadapost", b"<tracking-summary/>"),
        ("dhl_paket", b'<data name="piece-event-list"/>'),
        ("gls", b'{"tuStatus": []}'),
    ],
)
def test_form_that_the_connector_does_not_read_is_left_out(dialect, payload):
    with pytest.raises(LeftOut):
        CONNECTORS[dialect].bodies(payload)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.title)
def test_kind_names_facts_dialects_and_a_payload(kind):
    assert set(kind.facts) <= set(FACTS)
    assert set(kind.dialects) <= set(CONNECTORS)
    assert (CORPUS / f"{kind.example}.answer.json").exists()


def test_page_is_filled_between_its_markers():
    page = PAGE.read_text("utf-8")
    found = filled(page, Findings("1.2", "abc1234", (), ()))

    assert "karrio 1.2 on the corpus of commit `abc1234`" in found
    assert filled(found, Findings("1.2", "abc1234", (), ())) == found


def test_lock_has_hashes_and_no_address():
    lock = LOCK.read_text("utf-8")
    packages = re.findall(r"^[a-z][\w.-]*==", lock, re.MULTILINE)

    assert len(re.findall(r"^[a-z].*\\\n +--hash=sha256:", lock, re.MULTILINE)) == len(packages)
    assert "://" not in lock
