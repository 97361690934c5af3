"""Orders that need no parcel (`expected_number_of_shipments` 0): gift cards, downloads."""

from __future__ import annotations

import pytest

from services.orders.domain.model.order import OrderStatus
from services.orders.domain.model.reasons import Reason
from tests.unit.orders.builders import (
    Desk,
    attach,
    cancel,
    event_types,
    fields,
    place,
    ref,
    update,
    upsert,
)

FULFILLED, PLACED = OrderStatus.FULFILLED, OrderStatus.PLACED


@pytest.mark.parametrize(
    "command",
    [
        lambda: place(expected_number_of_shipments=0),
        lambda: upsert(ref(), fields(expected_number_of_shipments=0)),
    ],
)
def test_order_that_needs_no_parcel_is_fulfilled_from_the_beginning(command):
    desk = Desk()

    decision = desk.send(command())

    assert event_types(decision) == ["order.placed"]
    assert decision.events[0].event_group is None
    order = desk.order()
    assert (order.status, order.shipments) == (FULFILLED, ())
    assert order.expected_number_of_shipments == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda: update(expected_number_of_shipments=0),
        lambda: upsert(ref(), fields(expected_number_of_shipments=0)),
    ],
)
def test_lowering_to_no_parcel_removes_the_drafts(change):
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))

    decision = desk.send(change())

    assert event_types(decision) == ["order.fulfilled"]
    assert desk.order().shipments == ()


def test_lowering_to_no_parcel_stops_at_those_handed_over():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))
    desk.send(attach("N1"))

    desk.send(update(expected_number_of_shipments=0))

    order = desk.order()
    assert (order.status, order.expected_number_of_shipments) == (FULFILLED, 1)


def test_parcel_that_is_attached_anyway_raises_the_number():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=0))

    decision = desk.send(attach("N1"))

    assert event_types(decision) == ["order.expected_shipments_changed", "shipment.fulfilled"]
    assert desk.order().expected_number_of_shipments == 1
    assert desk.shipment().ordinal == 1


def test_raising_the_number_of_an_order_without_parcels_places_it_again():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=0))

    decision = desk.send(update(expected_number_of_shipments=1))

    assert event_types(decision) == ["order.updated"]
    assert decision.events[0].data.changed_fields == ("expected_number_of_shipments", "status")
    assert (desk.order().status, len(desk.order().shipments)) == (PLACED, 1)


def test_update_that_does_not_say_the_number_leaves_it():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=0))

    desk.send(upsert(ref(), fields(email_id="b@example.org")))

    assert desk.order().expected_number_of_shipments == 0


def test_order_without_parcels_can_be_cancelled():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=0))

    decision = desk.send(cancel())

    assert event_types(decision) == ["order.cancelled"]
    assert decision.events[0].event_group == "shipment_order_cancelled"


def test_placing_the_same_order_without_parcels_again_is_no_difference():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=0))

    assert desk.send(place(expected_number_of_shipments=0)).reason is Reason.NO_DIFFERENCE
