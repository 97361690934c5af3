"""Stored documents: what the version with pydantic wrote is read, and written back byte for byte.

So replicas of both versions can serve beside each other.
"""

import json
from datetime import date
from pathlib import Path

import pytest

from services.orders import store
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.tracking.extend import ScanHistory
from services.orders.domain.tracking.naming import NO_MAPS
from services.orders.domain.tracking.scan import Eta, Precision
from tests.unit.orders.builders import HOUR, NOON, scan

DOCUMENTS = Path(__file__).parent / "documents"


@pytest.mark.parametrize(
    ("name", "decode", "encode"),
    [
        ("order", store._ORDER.decode, store._dump_order),
        ("parcel", store._PARCEL.decode, store._dump_parcel),
    ],
)
def test_documents_of_the_version_before_are_read_and_written_the_same(name, decode, encode):
    written = (DOCUMENTS / f"{name}.json").read_bytes().strip()

    assert encode(decode(written)) == written


def test_stored_day_stays_a_day_and_moment_a_moment():
    parcel = store._PARCEL.decode((DOCUMENTS / "parcel.json").read_bytes())

    assert parcel.scans[0].eta == Eta(earliest=date(2024, 1, 9), latest=NOON)
    assert type(parcel.scans[0].eta.earliest) is date


def test_trail_of_a_parcel_is_read_as_it_was_written():
    scans = (
        scan("NO_ACCESS", NOON, carrier="ups"),
        scan("SORTED", NOON + HOUR, precision=Precision.DAY),
        scan("SCAN_RETRACTED", NOON + HOUR, carrier=None, retracts="1"),
    )
    trail = ScanHistory(scans, NOON).total.trail(len(scans))
    parcel = Parcel(number="N1", scans=scans, trail=trail)

    assert trail is not None
    assert store._PARCEL.decode(store._dump_parcel(parcel)) == parcel


def test_trail_of_the_version_after_is_read_and_not_continued():
    document = {
        "number": "N1",
        "trail": {"rules": "2/0", "scans": 0, "trouble": "held", "seen": [1], "day_line": -1},
    }

    trail = store._PARCEL.decode(json.dumps(document)).trail

    assert trail is not None
    assert not trail.continues(0, NO_MAPS)
