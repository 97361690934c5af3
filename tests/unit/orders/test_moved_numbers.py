"""Numbers that move to another parcel, are shared by carriers, or are used again."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome, ShipmentEventData
from services.orders.domain.model.order import SHIPMENTS_MAX, OrderStatus
from services.orders.domain.model.reasons import Reason
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.value import replace
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

MINUTE = timedelta(minutes=1)


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


def _notified(desk: Desk, number: str) -> list[str]:
    """What the customer of an order heard of parcels, oldest first."""
    order_id = desk.order(number).order_id
    facts = [event for event in desk.events if isinstance(event.data, ShipmentEventData)]
    return [e.event_group for e in facts if e.order_id == order_id and e.data.notify]


@pytest.fixture
def two_orders() -> Desk:
    """Orders 1 and 2, N1 on order 1."""
    desk = Desk()
    for number in ("1", "2"):
        desk.send(place(number))
    desk.send(attach("N1", to="1"))
    return desk


def test_rule_17_number_that_comes_back_notifies_of_nothing_again(two_orders):
    desk = two_orders
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.now += HOUR
    for number in ("2", "1", "2", "1"):
        desk.send(attach("N1", to=number))
    desk.send(report(scan("SORTED", desk.now)))

    assert _notified(desk, "1") == ["shipment_pre_transit", "shipment_in_transit"]
    assert _notified(desk, "2") == ["shipment_in_transit"]


def test_rule_17_number_that_comes_back_untouched_notifies_once(two_orders):
    for number in ("2", "1"):
        two_orders.send(attach("N1", to=number))

    assert _notified(two_orders, "1") == ["shipment_pre_transit"]
    assert _notified(two_orders, "2") == ["shipment_pre_transit"]


def test_rule_17_number_that_comes_back_notifies_of_what_is_new(two_orders):
    desk = two_orders
    desk.send(attach("N1", to="2"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.send(attach("N1", to="1"))
    desk.send(report(scan("OUT_FOR_DELIVERY", NOON + MINUTE)))

    assert _notified(desk, "1") == [
        "shipment_pre_transit",
        "shipment_in_transit",
        "shipment_out_for_delivery",
    ]


def test_rule_17_another_number_in_the_same_place_notifies(two_orders):
    two_orders.send(attach("N1", to="2"))
    two_orders.send(attach("N2", to="1"))

    assert _notified(two_orders, "1") == ["shipment_pre_transit"] * 2


def test_number_that_comes_back_to_an_order_of_an_older_version_notifies_of_nothing_again(
    two_orders,
):
    """Its notices were not stored: all that its scans may have given count."""
    desk = two_orders
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    order = desk.order("1")
    bare = replace(order.shipments[0], notices=None)
    desk.orders[order.order_id] = replace(order, shipments=(bare,))
    for number in ("2", "1"):
        desk.send(attach("N1", to=number))

    assert _notified(desk, "1") == ["shipment_pre_transit", "shipment_in_transit"]


def test_order_keeps_as_many_lost_numbers_as_it_can_have_parcels(two_orders):
    desk = two_orders
    many = [f"M{n}" for n in range(SHIPMENTS_MAX)]
    for numbers in (many[:60], many[60:], ["M-LAST"]):
        desk.send(attach(*numbers, to="1"))
        desk.send(attach(*numbers, to="2"))
        desk.send(place(f"{numbers[0]}-aside"))
        desk.send(attach(*numbers, to=f"{numbers[0]}-aside"))

    kept = [each.number for each in desk.order("1").released]
    assert kept == [*many[1:], "MLAST"]


ON_THE_WAY = (
    "LABEL_CREATED",
    "PICKED_UP_BY_CARRIER",
    "SORTED",
    "OUT_FOR_DELIVERY",
    "CARRIER_DELAY",
)
MOVES = st.lists(st.sampled_from(["1", "2", "3", *ON_THE_WAY]), max_size=14)


@given(MOVES, st.lists(st.sampled_from([0, 1, 90, 300]), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_rule_17_a_number_notifies_each_order_once_wherever_it_goes(steps, minutes):
    desk = Desk()
    for number in ("1", "2", "3"):
        desk.send(place(number))
    for step, wait in zip(steps, itertools.cycle(minutes), strict=False):
        desk.now += wait * MINUTE
        command = report(scan(step, desk.now)) if step in ON_THE_WAY else attach("N1", to=step)
        desk.send(command)

    facts = [each for each in desk.events if isinstance(each.data, ShipmentEventData)]
    notices = [(e.order_id, e.data.leg, e.event_group) for e in facts if e.data.notify]
    assert len(set(notices)) == len(notices)
