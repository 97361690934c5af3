"""Numbers that are taken off an order and come back: what was notified of them is kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Command
from services.orders.domain.model.decision import ShipmentEventData
from services.orders.domain.model.order import SHIPMENTS_MAX
from services.orders.domain.value import replace
from tests.unit.orders.builders import HOUR, NOON, Desk, attach, place, report, scan, void

MINUTE = timedelta(minutes=1)
IN_TRANSIT = ["shipment_pre_transit", "shipment_in_transit"]


def give(number: str) -> Command:
    """N1 or another number on the one delivery of the order: it replaces the former one."""
    return attach(number, external_shipment_id="f1")


LEAVING: dict[str, Callable[[], Command]] = {
    "void": lambda: void(tracking_number="N1"),
    "replace": lambda: give("N9"),
}


def notified(desk: Desk) -> list[str]:
    """What the customer heard of parcels, oldest first."""
    facts = [event for event in desk.events if isinstance(event.data, ShipmentEventData)]
    return [each.event_group for each in facts if each.data.notify]


@pytest.fixture
def desk() -> Desk:
    """An order with N1."""
    desk = Desk()
    desk.send(place())
    desk.send(give("N1"))
    return desk


def test_rule_17_voided_number_that_comes_back_notifies_of_nothing_again(desk):
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.now += HOUR
    for _ in range(2):
        desk.send(void(tracking_number="N1"))
        desk.send(give("N1"))
    desk.send(report(scan("SORTED", desk.now)))

    assert notified(desk) == IN_TRANSIT


def test_rule_17_replaced_number_that_comes_back_notifies_of_nothing_again(desk):
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.now += HOUR
    for number in ("N9", "N1", "N9", "N1"):
        desk.send(give(number))
    desk.send(report(scan("SORTED", desk.now)))

    assert notified(desk) == [*IN_TRANSIT, "shipment_pre_transit"]


@pytest.mark.parametrize("leaving", LEAVING)
def test_rule_17_number_that_comes_back_notifies_of_what_is_new(desk, leaving):
    desk.send(LEAVING[leaving]())
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.events.clear()
    desk.send(give("N1"))
    desk.send(report(scan("OUT_FOR_DELIVERY", NOON + MINUTE)))

    assert notified(desk) == ["shipment_in_transit", "shipment_out_for_delivery"]


def test_rule_17_another_number_in_the_same_place_notifies(desk):
    desk.send(void(tracking_number="N1"))
    desk.send(attach("N2"))

    assert notified(desk) == ["shipment_pre_transit"] * 2


@pytest.mark.parametrize("leaving", LEAVING)
def test_number_that_comes_back_to_an_order_of_an_older_version_notifies_of_nothing_again(
    desk, leaving
):
    """Its notices were not stored: all that its scans may have given count."""
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    order = desk.order()
    bare = replace(order.shipments[0], notices=None)
    desk.orders[order.order_id] = replace(order, shipments=(bare,))
    desk.send(LEAVING[leaving]())
    desk.events.clear()

    desk.send(give("N1"))

    assert notified(desk) == []


def test_number_of_two_orders_that_one_of_them_voids_notifies_the_other_of_nothing(desk):
    desk.send(place("2"))
    desk.send(attach("N1", to="2"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.events.clear()

    desk.send(void(tracking_number="N1"))
    desk.send(give("N1"))

    assert notified(desk) == []


def test_order_keeps_as_many_lost_numbers_as_it_can_have_parcels(desk):
    desk.send(void(tracking_number="N1"))
    many = [f"M{n}" for n in range(SHIPMENTS_MAX + 1)]
    for number in many:
        desk.send(attach(number))
        desk.send(void(tracking_number=number))

    assert [each.number for each in desk.order().released] == many[1:]


ON_THE_WAY = (
    "LABEL_CREATED",
    "PICKED_UP_BY_CARRIER",
    "SORTED",
    "OUT_FOR_DELIVERY",
    "CARRIER_DELAY",
)
STEPS = st.lists(st.sampled_from(["N1", "N9", "void", *ON_THE_WAY]), max_size=14)


@given(STEPS, st.lists(st.sampled_from([0, 1, 90, 300]), min_size=1, max_size=4))
@settings(max_examples=200)
def test_rule_17_a_number_notifies_its_order_once_however_often_it_comes_back(steps, minutes):
    desk = Desk()
    desk.send(place())
    for step, wait in zip(steps, itertools.cycle(minutes), strict=False):
        desk.now += wait * MINUTE
        if step in ON_THE_WAY:
            desk.send(report(scan(step, desk.now)))
        else:
            desk.send(void(external_shipment_id="f1") if step == "void" else give(step))

    facts = [each for each in desk.events if isinstance(each.data, ShipmentEventData)]
    heard = [(e.data.tracking_number, e.data.leg, e.event_group) for e in facts if e.data.notify]
    assert len(set(heard)) == len(heard)
