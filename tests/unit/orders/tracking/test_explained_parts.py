"""What named a scan, and which scan set each member of the state."""

import pytest

from services.orders.domain.tracking.named_by import Namer, named_by
from services.orders.domain.tracking.naming import CodeMaps, Meaning, code_set_of
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.setters import setters
from services.orders.domain.value import replace
from tests.unit.orders.builders import DAY, HOUR, NOON, scan

_ROW = Meaning(
    event_name="SORTED", reason="weather", flag="delay", action_required=True, row="ups/OD//I"
)
MAPS = CodeMaps(
    sets={"ups": code_set_of({"OD//I": _ROW})}, reasons={"flood": "weather"}, checksum="1"
)


@pytest.mark.parametrize(
    ("said", "namer", "name", "row"),
    [
        ({"code_set": "ups", "code": "OD//I"}, Namer.MAP, "SORTED", "ups/OD//I"),
        ({"code_set": "ups", "code": "ZZ"}, Namer.NOTHING, "UNMAPPED", None),
        ({"code_set": "ups", "name": "sorted"}, Namer.CATALOGUE, "SORTED", None),
        ({}, Namer.CATALOGUE, "OUT_FOR_DELIVERY", None),
        ({"retracts": "1"}, Namer.RETRACTION, "OUT_FOR_DELIVERY", None),
    ],
)
def test_named_by_says_the_row_or_why_there_is_none(said, namer, name, row):
    found = named_by(replace(scan("OUT_FOR_DELIVERY", NOON), **said), MAPS)

    assert (found.namer, found.event_name, found.row) == (namer, name, row)
    assert found.sentence


def test_named_by_has_what_the_row_says_beside_the_name():
    found = named_by(replace(scan("SORTED", NOON), code_set="ups", code="OD//I"), MAPS)

    assert (found.reason, found.flag, found.action_required) == ("weather", "delay", True)


def test_named_by_has_the_family_of_the_reason_that_the_carrier_says():
    assert named_by(replace(scan("SORTED", NOON), reason=" Flood"), MAPS).reason == "weather"


def test_setters_are_the_scans_that_gave_each_member_its_value():
    scans = {
        "attempt": scan("RECIPIENT_NOT_HOME", NOON),
        "delay": scan("CARRIER_DELAY", NOON + HOUR),
        "delivered": scan("SUCCESSFULLY_DELIVERED", NOON + 2 * HOUR),
        "late": scan("SORTED", NOON + 3 * HOUR),
    }
    names = {each.key: name for name, each in scans.items()}

    found = setters(replay(scans.values(), NOON + DAY))

    assert {member: names[key] for member, key in found.items()} == {
        "first_scan_at": "attempt",
        "attempts": "attempt",
        "flag": "delivered",
        "phase": "delivered",
        "delivered_at": "delivered",
        "sub_status": "delivered",
    }


def test_setters_of_no_scan_are_none():
    assert setters(replay((), NOON)) == {}
