"""A scan is what its carrier said; what code maps make of it may change and makes no other scan."""

import json
from datetime import timedelta
from hashlib import sha256
from itertools import permutations

import pytest

from services.orders.domain.model.decision import EventType
from services.orders.domain.model.ids import scan_key
from services.orders.domain.tracking.naming import NO_MAPS, CodeMaps, Meaning, code_set_of, named
from services.orders.domain.value import replace
from services.orders.messages.carriers.dhl_unified import parser as dhl_unified
from services.orders.messages.decode import TRACKING, read
from services.orders.messages.entries import DecodedItem
from tests.unit.orders.builders import HOUR, NOON, Desk, attach, place, report, scan
from tests.unit.orders.mutations import original_of
from tests.unit.orders.test_carrier_corpus import FOLDER

DHL_UNIFIED = "dhl_unified.tracking"
NUMBER = "1Z001"
LATER = (NOON + HOUR).isoformat()


def reported(*scans, carrier="dhl", number=NUMBER):
    """The command of a report in our own form."""
    body = {"tracking_number": number, "carrier_reference": carrier, "scans": list(scans)}
    sent = (TRACKING, "tracking.reported", json.dumps(body).encode())
    (entry,) = read(original_of(sent), NOON)
    return entry.command


def said(**members):
    return {"occurred_at": NOON.isoformat(), **members}


def a_desk(*scans):
    desk = Desk()
    desk.send(place())
    desk.send(attach(NUMBER, carrier="dhl"))
    if scans:
        desk.send(report(*scans, number=NUMBER))
    return desk


def decided(desk, *scans):
    """Send a report under an id of its own; returns the decision."""
    command = reported(*scans)
    fresh = report()
    return desk.send(replace(command, item_id=fresh.item_id, causation_id=fresh.causation_id))


def send(desk, *scans):
    """Send a report under an id of its own; returns its events of scans."""
    events = decided(desk, *scans).events
    return [event for event in events if event.type is EventType.SHIPMENT_SCANNED]


def names(desk):
    return sorted(each.event_name for each in desk.parcels[NUMBER].scans)


GROWN = CodeMaps(
    sets={
        "dhl": code_set_of(
            {
                "ZF": Meaning(event_name="SORTED", row="dhl/ZF"),
                "QQ*": Meaning(event_name="LOST", row="dhl/QQ*"),
            }
        )
    },
    checksum="grown",
)


def test_two_unknown_names_at_one_instant_are_two_scans():
    desk = a_desk()

    assert len(send(desk, said(event_name="FIRST"), said(event_name="SECOND"))) == 2
    assert {each.name for each in desk.parcels[NUMBER].scans} == {"FIRST", "SECOND"}


@pytest.mark.parametrize("again", ["FIRST", " first ", "First"])
def test_unknown_name_in_another_spelling_is_the_same_scan(again):
    desk = a_desk()
    send(desk, said(event_name="FIRST"))

    assert send(desk, said(event_name=again)) == []
    assert len(desk.parcels[NUMBER].scans) == 1


def test_raw_code_name_and_text_are_kept():
    (kept,) = reported(said(event_name="OTHER", code="ZZ", text="Somewhere")).scans

    assert (kept.code, kept.name, kept.text) == ("ZZ", "OTHER", "Somewhere")
    assert (kept.event_name, kept.code_set) == ("UNMAPPED", "dhl")


def test_name_of_the_catalogue_is_not_stored_twice():
    (kept,) = reported(said(event_name="sorted", code="ZZ")).scans

    assert (kept.event_name, kept.name, kept.code_set) == ("SORTED", None, None)


def test_identity_is_the_same_under_any_maps():
    one = scan("UNMAPPED", number=NUMBER, code="ZF", code_set="dhl")

    assert named(one, GROWN) == replace(one, event_name="SORTED")
    assert named(one, GROWN).key == one.key


def scans_of_dhl():
    """Key and event name of the scans of all payloads of DHL Unified."""
    paths = sorted((FOLDER / "dhl_unified").glob("*.json"))
    sent = [path.read_bytes() for path in paths if not path.stem.endswith(".answer")]
    entries = [e for value in sent for e in read(original_of((TRACKING, DHL_UNIFIED, value)), NOON)]
    commands = [entry.command for entry in entries if isinstance(entry, DecodedItem)]
    return [(each.key, each.event_name) for command in commands for each in command.scans]


def test_identity_of_a_text_is_the_same_whether_a_code_is_known_for_it(monkeypatch):
    before = scans_of_dhl()
    monkeypatch.setattr(dhl_unified, "code_of_text", lambda *_: None)
    after = scans_of_dhl()

    assert [key for key, _ in before] == [key for key, _ in after]
    assert before != after


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_scan_with_a_better_name_is_the_better_one_in_any_order(order):
    versions = [said(scan_id="s1", event_name=name) for name in ("WHAT", "SORTED", "HOW")]
    desk = a_desk()
    for index in order:
        send(desk, versions[index])

    assert names(desk) == ["SORTED"]
    assert desk.shipment().tracking.phase == "in_transit"


@pytest.mark.parametrize("is_late_first", [False, True])
def test_eta_that_a_payload_repeats_is_of_the_first_time_it_was_said(is_late_first):
    early = scan("ETA_CHANGED", NOON, number=NUMBER, scan_id="eta/2024-01-09")
    late = scan("ETA_CHANGED", NOON + 20 * HOUR, number=NUMBER, scan_id="eta/2024-01-09")
    desk = a_desk()
    for each in (late, early) if is_late_first else (early, late):
        desk.send(report(each, number=NUMBER))

    assert [each.occurred_at for each in desk.parcels[NUMBER].scans] == [NOON]


def test_map_that_grows_names_stored_scans_when_the_state_is_computed():
    desk = a_desk()
    send(desk, said(code="ZF"))
    assert names(desk) == ["UNMAPPED"]
    keys = {each.key for each in desk.parcels[NUMBER].scans}

    desk.code_maps = GROWN
    events = send(desk, said(event_name="CUSTOMER_NOTIFIED", occurred_at=LATER))

    assert names(desk) == ["CUSTOMER_NOTIFIED", "SORTED"]
    assert len(events) == 1
    assert keys < {each.key for each in desk.parcels[NUMBER].scans}
    assert desk.shipment().tracking.phase == "in_transit"


def test_report_of_known_scans_alone_is_named_by_maps_that_have_grown():
    desk = a_desk()
    send(desk, said(code="ZF"))
    desk.code_maps = GROWN

    (event,) = decided(desk, said(code="ZF")).events

    assert (event.event_name, event.data.shipment_phase) == ("SHIPMENT_UPDATED", "in_transit")
    assert decided(desk, said(code="ZF")).events == ()


def test_scan_with_a_code_that_no_map_has_says_so_once():
    desk = a_desk()
    first, again = decided(desk, said(code="ZF")), decided(desk, said(code="ZF"))
    desk.code_maps = GROWN
    known = decided(desk, said(code="QQ1", occurred_at=LATER))

    (found,) = first.unknown_codes
    assert (found.code_set, found.code, found.number) == ("dhl", "ZF", NUMBER)
    assert again.unknown_codes == known.unknown_codes == ()


def test_scan_that_an_earlier_version_stored_without_a_set_is_named_by_its_carrier():
    desk = a_desk(scan("UNMAPPED", number=NUMBER, code="QQ7"))
    # The resume point of that version is of other rules.
    desk.parcels[NUMBER] = replace(desk.parcels[NUMBER], trail=None)
    desk.code_maps = GROWN
    send(desk, said(event_name="CUSTOMER_NOTIFIED", occurred_at=LATER))

    assert names(desk) == ["CUSTOMER_NOTIFIED", "LOST"]


def test_resume_point_of_other_maps_is_not_continued():
    desk = a_desk()
    send(desk, said(code="ZF"))
    trail = desk.parcels[NUMBER].trail

    assert trail.continues(1, NO_MAPS)
    assert not trail.continues(1, GROWN)
    desk.code_maps = GROWN
    send(desk, said(code="QQ1", occurred_at=LATER))
    trail = desk.parcels[NUMBER].trail
    assert trail.continues(2, GROWN)
    assert not trail.continues(2, NO_MAPS)


def test_resume_point_of_scans_with_names_is_continued_under_any_maps():
    desk = a_desk()
    desk.code_maps = GROWN
    send(desk, said(event_name="SORTED"))

    assert desk.parcels[NUMBER].trail.continues(1, NO_MAPS)


def of_a_version_before(at=NOON, **given):
    """An unknown name as earlier versions stored it: under a key made of `UNMAPPED`."""
    return scan("UNMAPPED", at, number=NUMBER, **given)


def test_repeat_of_a_scan_of_an_earlier_version_has_its_key_and_no_event():
    stored = of_a_version_before()
    desk = a_desk(stored)

    assert send(desk, said(event_name="WHAT")) == []
    (kept,) = desk.parcels[NUMBER].scans
    assert (kept.key, kept.name) == (stored.key, "WHAT")
    assert send(desk, said(event_name="WHAT")) == []


def test_second_unknown_name_beside_a_scan_of_an_earlier_version_is_another_scan():
    desk = a_desk(of_a_version_before())
    send(desk, said(event_name="WHAT"))

    assert len(send(desk, said(event_name="HOW"))) == 1
    assert send(desk, said(event_name="HOW")) == []
    assert len(desk.parcels[NUMBER].scans) == 2


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"event_name": "SORTED"}, f"at/SORTED/{NOON.isoformat()}"),
        ({"event_name": "SORTED", "code": "ZF"}, f"at/ZF/{NOON.isoformat()}"),
        ({"code": "ZF"}, f"at/ZF/{NOON.isoformat()}"),
        ({"event_name": "SORTED", "scan_id": "s1"}, "id/s1"),
        ({"event_name": "X", "retracts": "s1"}, "back/s1"),
    ],
)
def test_keys_of_scans_with_known_names_or_codes_are_those_of_earlier_versions(members, what):
    """Written down: a change would give published events other ids."""
    (kept,) = reported(said(**members)).scans
    identity = what if what.startswith(("at/", "id/")) else f"at/{what}/{NOON.isoformat()}"

    assert kept.key == sha256(f"dhl/{NUMBER}/{identity}".encode()).hexdigest()[:24]


def test_key_of_a_text_is_used_where_nothing_else_is_said():
    common = {"number": "N1", "carrier": "dhl", "scan_id": None, "occurred_at": NOON}

    one = scan_key(**common, name=None, code=None, text="Sorted")
    assert one != scan_key(**common, name=None, code=None, text="In the depot")
    assert scan_key(**common, name="A", code=None, text="Sorted") == scan_key(
        **common, name="A", code=None, text="In the depot"
    )
    later = common | {"occurred_at": NOON + HOUR + timedelta(seconds=1)}
    assert one != scan_key(**later, name=None, code=None, text="Sorted")
