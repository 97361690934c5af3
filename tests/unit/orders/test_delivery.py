"""The delivery of an order: how many of its parcels are delivered, and the events of changes."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.model.order import DeliveryState
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    Desk,
    attach,
    cancel,
    event_types,
    place,
    report,
    scan,
    update,
)

NOTHING, NOT_YET = DeliveryState.NOTHING_EXPECTED, DeliveryState.NOT_DELIVERED
PARTLY, DELIVERED = DeliveryState.PARTIALLY_DELIVERED, DeliveryState.DELIVERED
SCANNED, ALL, SOME = "shipment.scanned", "order.delivered", "order.partially_delivered"


def _desk(expected: int, *numbers: str) -> Desk:
    desk = Desk()
    desk.send(place(expected_number_of_shipments=expected))
    for number in numbers:
        desk.send(attach(number))
    return desk


def _deliver(number: str = "N1", at=NOON):
    name = "SUCCESSFULLY_DELIVERED"
    return report(scan(name, at, number=number, scan_id=f"{number} {at}"), number=number)


def _retract(number: str = "N1", at=NOON):
    taken_back = scan("SCAN_RETRACTED", at + HOUR, number=number, retracts=f"{number} {at}")
    return report(taken_back, number=number)


@pytest.mark.parametrize(
    ("expected", "numbers", "commands", "events", "state"),
    [
        (1, ("N1",), [_deliver], [SCANNED, ALL], DELIVERED),
        (2, ("N1",), [_deliver], [SCANNED, SOME], PARTLY),
        (2, ("N1", "N2"), [_deliver], [SCANNED, SOME], PARTLY),
        (2, ("N1", "N2"), [_deliver, lambda: _deliver("N2")], [SCANNED, ALL], DELIVERED),
        (3, ("N1", "N2"), [_deliver, lambda: _deliver("N2")], [SCANNED], PARTLY),
        (1, ("N1",), [_deliver, _deliver], [], DELIVERED),
        (1, ("N1",), [_deliver, _retract], [SCANNED, "order.updated"], NOT_YET),
        (2, ("N1", "N2"), [_deliver, lambda: _deliver("N2"), _retract], [SCANNED, SOME], PARTLY),
        (
            1,
            ("N1",),
            [_deliver, _retract, lambda: _deliver(at=NOON + 2 * HOUR)],
            [SCANNED, ALL],
            DELIVERED,
        ),
        (
            2,
            ("N1",),
            [_deliver, lambda: update(expected_number_of_shipments=1)],
            ["order.fulfilled", ALL],
            DELIVERED,
        ),
        (
            1,
            ("N1",),
            [_deliver, lambda: update(expected_number_of_shipments=2)],
            ["order.partially_fulfilled", SOME],
            PARTLY,
        ),
        (2, ("N1",), [_deliver, cancel], ["order.cancelled", ALL], DELIVERED),
        (1, (), [cancel], ["order.cancelled"], NOTHING),
        (0, (), [lambda: update(expected_number_of_shipments=1)], ["order.updated"], NOT_YET),
        (1, ("N1",), [lambda: report(scan("SORTED"))], [SCANNED], NOT_YET),
    ],
)
def test_last_command_changes_the_delivery_of_the_order(expected, numbers, commands, events, state):
    desk = _desk(expected, *numbers)
    for command in commands[:-1]:
        desk.send(command())

    decision = desk.send(commands[-1]())

    assert event_types(decision) == events
    assert desk.order().delivery_state is state


def test_return_of_a_delivered_parcel_leaves_the_order_delivered():
    desk = _desk(1, "N1")
    desk.send(_deliver())

    decision = desk.send(report(scan("RETURN_IN_TRANSIT", NOON + 48 * HOUR)))

    assert event_types(decision) == [SCANNED]
    assert desk.order().delivery_state is DELIVERED


def test_scans_that_waited_deliver_the_order_when_the_number_is_attached():
    desk = _desk(1)
    desk.send(_deliver())

    decision = desk.send(attach("N1"))

    assert event_types(decision)[-2:] == [SCANNED, ALL]
    delivery = decision.events[-1]
    assert delivery.occurred_at == NOON
    assert delivery.data.shipment_ids == (desk.shipment().shipment_id,)
    assert delivery.event_group is None


def test_order_is_dispatched_once_a_parcel_has_a_number():
    desk = _desk(2)
    assert not desk.order().is_dispatched

    desk.send(attach("N1"))

    assert desk.order().is_dispatched


SCANS = [
    report(
        scan(name, NOON + hours * HOUR, number=number, scan_id=f"{number}{hours}"), number=number
    )
    for number in ("N1", "N2")
    for hours, name in enumerate(
        ("PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")
    )
] + [report(scan("SCAN_RETRACTED", NOON + 9 * HOUR, number="N2", retracts="N22"), number="N2")]


@given(st.permutations(SCANS), st.integers(0, len(SCANS)))
def test_delivery_is_a_function_of_the_set_of_scans_and_each_change_has_one_event(order, at):
    desk = Desk(now=NOON + timedelta(days=1))
    desk.send(place(expected_number_of_shipments=2))
    for command in order[:at]:
        desk.send(command)
    desk.send(attach("N1", "N2"))
    for command in order[at:]:
        desk.send(command)

    assert desk.order().delivery_state is PARTLY
    changes = [e.type for e in desk.events if e.data.changed_fields == ("delivery_state",)]
    assert changes[-1] == SOME
    assert all(one != other for one, other in pairwise(changes))
