"""`carrier_candidates` in the snapshot of events: where no carrier was named, and only there."""

import msgspec
import pytest

from services.orders.messages import snapshot

from .builders import Desk, attach, place, product, report, scan, update_shipment

NUMBER = "00340434161094015902"


def parcels_of(desk, max_bytes=100_000):
    """The parcel as `trackings` and as `shipments` show it."""
    context = msgspec.json.decode(snapshot.encode(desk.order(), max_bytes).json)
    return [*context["order"]["trackings"], *context["shipments"]]


@pytest.fixture
def desk():
    desk = Desk()
    desk.send(place(products=(product("a"),)))
    return desk


def test_parcel_without_carrier_is_shown_with_candidates(desk):
    desk.send(attach(NUMBER))

    for parcel in parcels_of(desk):
        assert parcel["carrier_reference"] is None
        assert parcel["carrier_candidates"] == [
            {
                "carrier_reference": "dhl",
                "confidence": "high",
                "evidence": [
                    "has the form DHL Paket of 18 or 20 digits (NVE)",
                    "check digit 2 is right",
                ],
            }
        ]


def test_named_carrier_is_never_doubted(desk):
    desk.send(attach(NUMBER, carrier="ups"))

    for parcel in parcels_of(desk):
        assert parcel["carrier_reference"] == "ups"
        assert "carrier_candidates" not in parcel


def test_carrier_that_is_named_later_ends_the_candidates(desk):
    desk.send(attach(NUMBER))

    desk.send(update_shipment(tracking_number=NUMBER, carrier_reference="gls"))

    for parcel in parcels_of(desk):
        assert parcel["carrier_reference"] == "gls"
        assert "carrier_candidates" not in parcel


def test_draft_and_placeholder_have_no_candidates(desk):
    assert all("carrier_candidates" not in parcel for parcel in parcels_of(desk))

    desk.send(attach("123456789012"))

    assert all("carrier_candidates" not in parcel for parcel in parcels_of(desk))


def test_scans_without_carrier_leave_a_parcel_its_candidates(desk):
    desk.send(attach(NUMBER))
    seen = scan("PICKED_UP_BY_CARRIER", number=NUMBER, carrier=None)

    desk.send(report(seen, number=NUMBER, carrier=None))

    for parcel in parcels_of(desk):
        assert parcel["phase"] == "in_transit"
        assert parcel["carrier_reference"] is None
        assert [each["carrier_reference"] for each in parcel["carrier_candidates"]] == ["dhl"]


def test_carrier_that_a_scan_names_ends_the_candidates(desk):
    desk.send(attach(NUMBER))
    seen = scan("PICKED_UP_BY_CARRIER", number=NUMBER, carrier="gls")

    desk.send(report(seen, number=NUMBER, carrier="gls"))

    for parcel in parcels_of(desk):
        assert parcel["carrier_reference"] == "gls"
        assert "carrier_candidates" not in parcel


def test_candidates_are_left_out_first_where_a_snapshot_is_too_large(desk):
    desk.send(attach(NUMBER))
    whole = snapshot.encode(desk.order(), 100_000)

    cut = snapshot.encode(desk.order(), len(whole.json) - 1)

    assert cut.is_truncated
    shown = parcels_of(desk, len(whole.json) - 1)
    assert all("carrier_candidates" not in parcel for parcel in shown)
    assert shown[-1]["products"]
