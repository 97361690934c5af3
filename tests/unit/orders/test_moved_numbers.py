"""Numbers that move to another parcel, are shared by carriers, or are used again."""

from __future__ import annotations

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import OrderStatus
from services.orders.domain.model.reasons import Reason
from services.orders.domain.tracking.catalogue import Phase
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    event_types,
    place,
    ref,
    report,
    scan,
    upsert,
)


def test_moved_number_leaves_a_draft_behind_and_takes_its_scans_along():
    desk = Desk()
    desk.send(place("1"))
    desk.send(place("2"))
    desk.send(attach("N1", to="1"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))

    decision = desk.send(attach("N1", to="2"))

    former, owner = desk.order("1"), desk.order("2")
    assert former.status is OrderStatus.PLACED
    assert former.shipments[0].is_draft
    assert former.shipments[0].tracking.phase is Phase.ORDER_CREATED
    assert owner.status is OrderStatus.FULFILLED
    assert owner.shipments[0].tracking.phase is Phase.IN_TRANSIT
    assert [(event.order_id, event.type.value) for event in decision.events] == [
        (owner.order_id, "order.fulfilled"),
        (owner.order_id, "shipment.fulfilled"),
        (former.order_id, "order.updated"),
        (former.order_id, "shipment.released"),
        (owner.order_id, "shipment.scanned"),
    ]
    assert decision.events[2].data.changed_fields == ("status",)
    released = decision.events[3].data
    assert (released.tracking_number, released.previous_phase) == ("N1", Phase.IN_TRANSIT)
    assert [o.order_id for o in desk.parcels["N1"].owners] == [owner.order_id]


def test_moved_number_can_move_back_with_new_event_ids():
    desk = Desk()
    for number in ("1", "2"):
        desk.send(place(number))
    desk.send(attach("N1", to="1"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.send(attach("N1", to="2"))

    decision = desk.send(attach("N1", to="1"))

    assert event_types(decision).count("shipment.scanned") == 1
    assert desk.order("1").status is OrderStatus.FULFILLED
    assert desk.order("2").status is OrderStatus.PLACED


def test_moved_number_above_the_expected_lets_the_expected_fall_back():
    desk = Desk()
    for number in ("1", "2"):
        desk.send(place(number))
    desk.send(attach("N1", "N2", to="1"))

    desk.send(attach("N2", to="2"))

    assert desk.order("1").expected_number_of_shipments == 1
    assert desk.order("1").status is OrderStatus.FULFILLED


def test_another_shops_parcel_under_way_cannot_be_taken():
    desk = Desk()
    desk.send(place("1"))
    desk.send(attach("N1"))
    desk.send(place("1", shop="other"))
    before = dict(desk.orders), dict(desk.parcels)

    decision = desk.send(
        upsert(ref("1", shop="other"), trackings=(Tracking(tracking_number="N1"),))
    )

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.TRACKING_NUMBER_IN_USE)
    assert decision.pointer == "/trackings/0/tracking_number"
    assert (desk.orders, desk.parcels) == before


def test_number_of_two_carriers_is_two_parcels():
    desk = Desk()
    desk.send(place("1"))
    desk.send(attach("N1", carrier="dhl"))
    desk.send(place("1", shop="other"))

    decision = desk.send(
        upsert(
            ref("1", shop="other"),
            trackings=(Tracking(tracking_number="N1", carrier_reference="ups"),),
        )
    )
    desk.send(report(scan("PICKED_UP_BY_CARRIER", carrier="dhl")))

    assert decision.outcome is Outcome.APPLIED
    assert desk.order().shipments[0].tracking.phase is Phase.IN_TRANSIT
    assert desk.order(shop="other").shipments[0].tracking.phase is Phase.ORDER_PROCESSED


@pytest.mark.parametrize("shop", [SHOP, "other"])
def test_finished_number_is_recycled_by_anyone(shop):
    desk = Desk()
    desk.send(place("1"))
    desk.send(attach("N1"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER"), scan("SUCCESSFULLY_DELIVERED", NOON + DAY)))
    delivered = desk.order()
    desk.now = NOON + 100 * DAY
    desk.send(place("2", shop=shop))

    decision = desk.send(upsert(ref("2", shop=shop), trackings=(Tracking(tracking_number="N1"),)))
    desk.send(report(scan("DROPPED_OFF", desk.now - HOUR)))
    late = desk.send(report(scan("SORTED", NOON + HOUR)))

    assert event_types(decision) == ["order.fulfilled", "shipment.fulfilled"]
    assert desk.order("1").shipments[0].tracking.phase is Phase.DELIVERED
    assert desk.order("2", shop).shipments[0].tracking.phase is Phase.IN_TRANSIT
    assert late.order_id == delivered.order_id


def test_former_parcel_keeps_all_its_scans_when_its_number_is_reused_at_once():
    desk = Desk()
    for number in ("1", "2"):
        desk.send(place(number))
    desk.send(attach("N1"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER"), scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)))
    desk.now = NOON + 2 * HOUR

    desk.send(attach("N1", to="2"))

    assert desk.order("1").shipments[0].tracking.phase is Phase.DELIVERED
    assert desk.order("2").shipments[0].tracking.phase is Phase.ORDER_PROCESSED
