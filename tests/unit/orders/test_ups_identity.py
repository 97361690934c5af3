"""UPS: a push and the history say the same scan, and a void scan takes one of its kind back."""

import json

import pytest

from services.orders.messages import decode
from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.ups.retractions import with_retractions
from tests.unit.orders.mutations import NOW, original_of

PUSH = {
    "trackingNumber": "1Z999AA10123459901",
    "localActivityDate": "20260301",
    "localActivityTime": "091519",
    "activityStatus": {"type": "I", "code": "OT"},
}
ACTIVITY = {
    "date": "20260301",
    "time": "91519",
    "gmtDate": "20260301",
    "gmtTime": "14:15:19",
    "gmtOffset": "-05:00",
    "status": {"type": "I", "code": "OT", "statusCode": "021"},
}


def key_of(payload):
    value = json.dumps(payload).encode()
    (entry,) = decode.read(original_of((decode.TRACKING, "ups.tracking", value)), NOW)
    (scan,) = entry.command.scans
    return scan.key


def test_push_without_utc_fields_is_the_scan_of_the_history():
    package = {"trackingNumber": "1Z999AA10123459901", "activity": [ACTIVITY]}

    assert key_of(PUSH) == key_of({"trackResponse": {"shipment": [{"package": [package]}]}})


def scan(code, hour):
    return SaidScan(moment=moment_of(f"2026-03-01T{hour:02}:00:00Z"), scan_id=code, code=code)


@pytest.mark.parametrize(
    ("codes", "taken"),
    [
        (["OR//I", "VP//I"], "OR//I"),
        (["OR//I", "AR//I", "VP//I"], "OR//I"),
        (["AR//I", "CA/005/I"], "AR//I"),
        (["VP//I"], None),
        (["AR//I", "VP//I"], None),
        (["OR//I", "VP//M"], None),  # A void manifest, which is no movement.
        (["OR//I", "CD//X"], None),  # An exception, which has the code for something else.
    ],
)
def test_void_movement_takes_back_the_last_of_its_kind(codes, taken):
    scans = [scan(code, hour) for hour, code in enumerate(codes)]

    assert with_retractions(scans)[-1].retracts == taken
    assert with_retractions(scans[::-1])[0].retracts == taken


def test_void_movements_take_back_one_scan_each():
    scans = [scan(f"{code}//I", hour) for hour, code in enumerate(["OR", "PU", "VP", "VP", "VP"])]

    assert [each.retracts for each in with_retractions(scans)[2:]] == ["PU//I", "OR//I", None]
