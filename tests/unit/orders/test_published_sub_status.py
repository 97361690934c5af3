"""`sub_status` of parcels in the snapshot of events, and the events of its changes."""

import msgspec
import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.tracking.naming import CodeMaps, Meaning, code_set_of, named
from services.orders.messages import snapshot

from .builders import (
    HOUR,
    NOON,
    Desk,
    attach,
    cancel,
    place,
    product,
    ref,
    report,
    scan,
    upsert,
    void,
)

DELIVERED = scan("DELIVERED_TO_NEIGHBOUR", NOON + HOUR, scan_id="1")
SORTED = scan("SORTED", NOON)


def sub_statuses(desk, number="1", max_bytes=100_000):
    """Of the parcels of an order, as `trackings` and as `shipments` show them."""
    context = msgspec.json.decode(snapshot.encode(desk.order(number), max_bytes).json)
    shown = [
        [each.get("sub_status") for each in parcels]
        for parcels in (context["order"]["trackings"], context["shipments"])
    ]
    assert shown[0] == shown[1]
    return shown[0]


@pytest.fixture
def desk():
    desk = Desk()
    desk.send(place(products=(product("a"),)))
    return desk


def test_draft_is_shown_as_created(desk):
    assert sub_statuses(desk) == ["ORDER_CREATED"]


def test_draft_of_a_cancelled_order_is_shown_as_cancelled(desk):
    desk.send(cancel())

    assert sub_statuses(desk) == ["ORDER_CANCELLED"]


def test_parcel_without_a_scan_has_no_sub_status(desk):
    desk.send(attach("N1", carrier="dhl"))

    assert sub_statuses(desk) == [None]


def test_parcel_is_shown_with_the_sub_status_and_reason_of_its_scans(desk):
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(scan("RECIPIENT_NOT_HOME", NOON)))
    context = msgspec.json.decode(snapshot.encode(desk.order(), 100_000).json)
    (parcel,) = context["order"]["trackings"]

    assert parcel["phase"] == "delivery_failed"
    assert parcel["sub_status"] == "RECIPIENT_NOT_HOME"
    assert parcel["reason_code"] == "consignee_not_home"
    assert parcel["action_required"] is True


def test_number_taken_off_leaves_a_created_draft(desk):
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(SORTED))
    desk.send(void(tracking_number="N1"))

    assert sub_statuses(desk) == ["ORDER_CREATED"]


def test_late_scan_does_not_set_it(desk):
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(DELIVERED))
    desk.send(report(SORTED))

    assert sub_statuses(desk) == ["DELIVERED_TO_NEIGHBOUR"]


def test_retraction_takes_it_back_from_a_stored_state(desk):
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(SORTED))
    desk.send(report(DELIVERED))
    desk.send(report(scan("SCAN_RETRACTED", NOON + 2 * HOUR, retracts="1")))

    assert sub_statuses(desk) == ["SORTED"]


def test_scan_that_changes_the_sub_status_alone_makes_its_own_event_and_no_other(desk):
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(SORTED))
    before = desk.order().version

    decision = desk.send(report(scan("ARRIVED_AT_DELIVERY_DEPOT", NOON + HOUR)))

    assert [each.event_name for each in decision.events] == ["ARRIVED_AT_DELIVERY_DEPOT"]
    assert desk.order().version == before + 1
    assert sub_statuses(desk) == ["ARRIVED_AT_DELIVERY_DEPOT"]


def a_map(event_name):
    row = Meaning(event_name=event_name, row="dhl/QQ")
    return CodeMaps(sets={"dhl": code_set_of({"QQ": row})}, checksum=event_name)


def test_map_that_names_a_scan_more_exactly_changes_it_with_an_event():
    plain, finer = a_map("SUCCESSFULLY_DELIVERED"), a_map("DELIVERED_TO_LETTERBOX")
    desk = Desk(code_maps=plain)
    desk.send(place(products=(product("a"),)))
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(named(scan("UNMAPPED", NOON, code="QQ", code_set="dhl"), plain)))
    assert sub_statuses(desk) == ["SUCCESSFULLY_DELIVERED"]

    desk.code_maps = finer
    decision = desk.send(report())

    (event,) = decision.events
    assert (event.event_name, event.data.changed_fields) == ("SHIPMENT_UPDATED", ("tracking",))
    assert sub_statuses(desk) == ["DELIVERED_TO_LETTERBOX"]


def test_other_shop_on_the_number_sees_it(desk):
    desk.send(attach("N1", carrier="dhl"))
    desk.send(place("2", shop="other", products=(product("a"),)))
    tracking = Tracking(tracking_number="N1", carrier_reference="dhl")
    desk.send(upsert(ref("2", shop="other"), trackings=(tracking,)))
    desk.send(report(DELIVERED))
    orders = {order.shop: order for order in desk.orders.values()}

    assert len(orders) == 2
    for order in orders.values():
        assert order.shipments[0].sub_status == "DELIVERED_TO_NEIGHBOUR"
