"""Attaching numbers, draft arithmetic, and numbers that move between orders."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import OrderEventData, Outcome
from services.orders.domain.model.ids import order_id_of
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
    cancel,
    event_types,
    fields,
    place,
    ref,
    report,
    scan,
    update,
    upsert,
)


def test_number_takes_the_lowest_draft_and_keeps_its_id():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=3))
    drafts = desk.order().shipments

    decision = desk.send(attach("N1"))

    order = desk.order()
    assert [s.shipment_id for s in order.shipments] == [s.shipment_id for s in drafts]
    assert [s.number for s in order.shipments] == ["N1", None, None]
    assert order.status is OrderStatus.PARTIALLY_FULFILLED
    assert order.shipments[0].tracking.phase is Phase.ORDER_PROCESSED
    assert order.shipments[0].tracking_placed_at == NOON
    assert order.shipments[0].products is None
    assert event_types(decision) == ["order.partially_fulfilled", "shipment.fulfilled"]
    assert decision.events[0].data == OrderEventData(
        status=OrderStatus.PARTIALLY_FULFILLED,
        previous_status=OrderStatus.PLACED,
        changed_fields=("status",),
        shipment_ids=(order.shipments[0].shipment_id,),
    )
    fact = decision.events[1].data
    assert (fact.phase, fact.previous_phase) == (Phase.ORDER_PROCESSED, Phase.ORDER_CREATED)
    assert decision.events[1].event_group == "shipment_pre_transit"


def test_last_expected_number_fulfils_the_order():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))
    desk.send(attach("N1"))

    decision = desk.send(attach("N2"))

    assert desk.order().status is OrderStatus.FULFILLED
    assert event_types(decision) == ["order.fulfilled", "shipment.fulfilled"]


def test_one_more_of_several_shipments_publishes_only_its_own_event():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=3))
    desk.send(attach("N1"))

    assert event_types(desk.send(attach("N2"))) == ["shipment.fulfilled"]


def test_number_above_the_expected_raises_the_expected():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))

    decision = desk.send(attach("N2"))

    assert desk.order().expected_number_of_shipments == 2
    assert desk.order().status is OrderStatus.FULFILLED
    assert event_types(decision) == ["order.expected_shipments_changed", "shipment.fulfilled"]


def test_order_is_never_partially_fulfilled_when_it_expects_one():
    desk = Desk()
    desk.send(place())

    assert event_types(desk.send(attach("N1"))) == ["order.fulfilled", "shipment.fulfilled"]


def test_number_sent_again_is_the_same_parcel():
    desk = Desk()
    desk.send(place())
    desk.send(attach("JJ 1"))

    again = desk.send(attach("jj-1"))
    changed = desk.send(attach("jj-1", tracking_url="https://example.org/jj1"))

    assert (again.outcome, again.reason) == (Outcome.NO_CHANGE, Reason.NO_DIFFERENCE)
    assert event_types(changed) == ["shipment.updated"]
    assert changed.events[0].data.changed_fields == ("tracking_url",)
    assert len(desk.order().shipments) == 1
    assert desk.shipment().tracking_number == "JJ 1"


def test_number_twice_in_one_command_is_one_parcel():
    desk = Desk()
    desk.send(place())

    decision = desk.send(attach("N1", "n 1"))

    assert event_types(decision) == ["order.fulfilled", "shipment.fulfilled"]


@pytest.mark.parametrize("empty", ["", "   "])
def test_empty_number_is_refused(empty):
    desk = Desk()
    desk.send(place())

    decision = desk.send(attach("N1", empty))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.TRACKING_NUMBER_EMPTY)
    assert decision.pointer == "/trackings/1/tracking_number"
    assert not desk.parcels


def test_carrier_named_later_is_of_the_same_parcel():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))

    decision = desk.send(attach("N1", carrier="dhl"))

    assert event_types(decision) == ["shipment.updated"]
    assert decision.events[0].data.changed_fields == ("carrier_reference",)
    assert desk.shipment().carrier == "dhl"
    assert desk.parcels["N1"].owners[0].carrier == "dhl"


def test_another_carrier_for_the_number_is_a_correction():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier="ups"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER", carrier="dhl")))
    assert desk.shipment().tracking.phase is Phase.ORDER_PROCESSED

    decision = desk.send(attach("N1", carrier="dhl"))

    assert event_types(decision) == ["shipment.updated", "shipment.scanned"]
    assert len(desk.order().shipments) == 1
    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT


def test_carrier_corrected_back_and_forth_never_repeats_an_event_id():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER", carrier="dhl")))
    desk.send(attach("N1", carrier="ups"))
    assert desk.shipment().tracking.phase is Phase.ORDER_PROCESSED

    decision = desk.send(attach("N1", carrier="dhl"))

    assert event_types(decision) == ["shipment.updated", "shipment.scanned"]
    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT


def test_lowering_the_expected_removes_the_highest_drafts():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=4))
    desk.send(attach("N1"))
    before = desk.order()

    decision = desk.send(update(expected_number_of_shipments=2))

    assert [s.ordinal for s in desk.order().shipments] == [1, 2]
    assert event_types(decision) == ["order.expected_shipments_changed"]
    assert decision.events[0].data.shipment_ids == tuple(
        s.shipment_id for s in before.shipments[2:]
    )


def test_lowering_the_expected_to_what_is_sent_fulfils_the_order():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=3))
    desk.send(attach("N1"))

    decision = desk.send(update(expected_number_of_shipments=1))

    assert desk.order().status is OrderStatus.FULFILLED
    assert event_types(decision) == ["order.fulfilled"]
    assert decision.events[0].data.changed_fields == ("expected_number_of_shipments", "status")


def test_lowering_the_expected_below_what_is_sent_stops_there():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=3))
    desk.send(attach("N1", "N2"))

    decision = desk.send(update(expected_number_of_shipments=1))

    assert desk.order().expected_number_of_shipments == 2
    assert event_types(decision) == ["order.fulfilled"]
    again = desk.send(update(expected_number_of_shipments=1))
    assert again.reason is Reason.NO_DIFFERENCE


def test_raising_the_expected_of_a_fulfilled_order_makes_drafts():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))

    decision = desk.send(update(expected_number_of_shipments=3))

    assert desk.order().status is OrderStatus.PARTIALLY_FULFILLED
    assert [s.ordinal for s in desk.order().shipments] == [1, 2, 3]
    assert event_types(decision) == ["order.partially_fulfilled"]


def test_parcel_after_the_hundredth_is_refused():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=100))
    desk.send(attach(*(f"N{n}" for n in range(100))))
    before = desk.order()

    decision = desk.send(attach("N100"))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.TOO_MANY_SHIPMENTS)
    assert desk.order() == before


def test_scans_that_came_first_are_published_by_time_when_the_number_is_attached():
    desk = Desk()
    early = desk.send(report(scan("OUT_FOR_DELIVERY", NOON + 2 * HOUR)))
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON)))
    desk.now = NOON + 3 * HOUR

    decision = desk.send(
        upsert(ref(), fields(), (Tracking(tracking_number="N1", carrier_reference="dhl"),))
    )

    assert (early.outcome, early.waits_for) == (Outcome.WAITING, "number/N1")
    assert [event.event_name for event in decision.events] == [
        "ORDER_PLACED",
        "SHIPMENT_FULFILLED",
        "PICKED_UP_BY_CARRIER",
        "OUT_FOR_DELIVERY",
    ]
    assert [e.data.shipment_phase for e in decision.events[1:]] == [
        Phase.ORDER_PROCESSED,
        Phase.IN_TRANSIT,
        Phase.IN_DELIVERY,
    ]
    assert [event.data.notify for event in decision.events[1:]] == [False, False, True]
    assert desk.shipment().tracking.phase is Phase.IN_DELIVERY


def test_tracking_and_its_order_end_the_same_whichever_comes_first():
    scans = report(scan("PICKED_UP_BY_CARRIER"), scan("SUCCESSFULLY_DELIVERED", NOON + HOUR))
    creation, attached = place(), attach("N1")
    first, second = Desk(now=NOON + DAY), Desk(now=NOON + DAY)

    for command in (creation, attached, scans):
        first.send(command)
    for command in (scans, creation, attached):
        second.send(command)

    assert first.shipment().tracking == second.shipment().tracking
    assert first.order().version == second.order().version
    assert first.parcels == second.parcels


def test_attaching_to_a_cancelled_order_is_tracked_and_stays_cancelled():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))
    desk.send(cancel())

    decision = desk.send(attach("N1"))
    scanned = desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - timedelta(minutes=5))))

    order = desk.order()
    assert order.status is OrderStatus.CANCELLED
    assert [(s.is_draft, s.archived) for s in order.shipments] == [(False, False), (True, True)]
    assert event_types(decision) == ["shipment.fulfilled"]
    assert event_types(scanned) == ["shipment.scanned"]
    assert order.order_id == order_id_of(SHOP, "1")
