"""Scans as events: one each, numbered, with what they changed, and whether they notify."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.orders.domain.model.decision import Outcome, ShipmentEventData
from services.orders.domain.model.reasons import Reason
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.scan import (
    Eta,
    Location,
    Pickup,
    Proof,
)
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    Desk,
    attach,
    event_types,
    place,
    report,
    scan,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk() -> Desk:
    """An order with one parcel, N1 at dhl."""
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    return desk


def notified(desk: Desk) -> list[str]:
    facts = [e for e in desk.events if isinstance(e.data, ShipmentEventData)]
    return [e.event_name for e in facts if e.data.notify]


def test_scan_is_one_event_with_everything_it_says(desk):
    place_, eta = Location(city="Leipzig"), Eta(latest=date(2024, 1, 6))
    reported = scan(
        "OUT_FOR_DELIVERY",
        NOON - MINUTE,
        code="OFD",
        scan_id="s1",
        text="On the van",
        location=place_,
        eta=eta,
        attempt=1,
        pickup=Pickup(name="Kiosk"),
        proof=Proof(signed_by="A"),
        reason="none",
        tz_known=False,
    )

    decision = desk.send(report(reported))

    (event,) = decision.events
    assert (event.type, event.event_name) == ("shipment.scanned", "OUT_FOR_DELIVERY")
    assert event.event_group == "shipment_out_for_delivery"
    assert (event.sequence, event.order_version) == (2, 4)
    assert (event.occurred_at, event.triggered_at) == (NOON - MINUTE, NOON)
    fact = event.data
    assert (fact.phase, fact.shipment_phase, fact.previous_phase) == (
        Phase.IN_DELIVERY,
        Phase.IN_DELIVERY,
        Phase.ORDER_PROCESSED,
    )
    assert (fact.eta, fact.previous_eta) == (eta, None)
    assert (fact.carrier_reference, fact.tracking_number) == ("dhl", "N1")
    assert (fact.carrier_code, fact.carrier_text, fact.scan_id) == ("OFD", "On the van", "s1")
    assert (fact.location, fact.attempt, fact.reason) == (place_, 1, "none")
    assert (fact.pickup, fact.proof) == (Pickup(name="Kiosk"), Proof(signed_by="A"))
    assert (fact.notify, fact.leg, fact.tz_known) == (True, 1, False)
    assert desk.shipment().tracking.phase is Phase.IN_DELIVERY


def test_repeated_scan_changes_nothing(desk):
    first = scan("PICKED_UP_BY_CARRIER")
    desk.send(report(first))
    before = dict(desk.orders), dict(desk.parcels)

    decision = desk.send(report(first))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.DUPLICATE)
    assert (desk.orders, desk.parcels) == before


def test_history_sent_again_makes_events_only_of_new_scans(desk):
    history = [scan("PICKED_UP_BY_CARRIER", NOON - HOUR)]
    desk.send(report(*history))

    decision = desk.send(report(*history, scan("SORTED", NOON)))

    assert [event.event_name for event in decision.events] == ["SORTED"]


def test_reworded_scan_is_the_same_scan(desk):
    desk.send(report(scan("SORTED", text="Sorted in PARIS, FR")))

    decision = desk.send(report(scan("SORTED", text="Sorted in Paris, France")))

    assert decision.outcome is Outcome.NO_CHANGE
    assert len(desk.parcels["N1"].scans) == 1


def test_scan_id_with_two_contents_ends_the_same_in_either_order():
    one = scan("SORTED", scan_id="1")
    other = scan("SUCCESSFULLY_DELIVERED", scan_id="1")
    ends = []
    for first, second in ((one, other), (other, one)):
        desk = Desk()
        desk.send(place())
        desk.send(attach("N1", carrier="dhl"))
        desk.send(report(first))
        decision = desk.send(report(second))
        assert event_types(decision)[:1] in ([], ["shipment.updated"])
        assert set(event_types(decision)[1:]) <= {"order.updated", "order.delivered"}
        ends.append((desk.parcels, desk.shipment().tracking))

    assert ends[0] == ends[1]


def test_late_scan_is_an_event_without_moving_the_parcel(desk):
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON)))

    decision = desk.send(report(scan("OUT_FOR_DELIVERY", NOON - HOUR)))

    fact = decision.events[0].data
    assert (fact.phase, fact.shipment_phase) == (Phase.IN_DELIVERY, Phase.DELIVERED)
    assert not fact.notify


def test_retraction_is_an_event_and_the_state_is_recomputed(desk):
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - HOUR, scan_id="1")))
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON, scan_id="2")))

    decision = desk.send(report(scan("SCAN_RETRACTED", NOON + MINUTE, retracts="2")))

    event, of_order = decision.events
    assert of_order.data.changed_fields == ("delivery_state",)
    assert event.event_name == "SCAN_RETRACTED"
    assert (event.data.previous_phase, event.data.shipment_phase) == (
        Phase.DELIVERED,
        Phase.IN_TRANSIT,
    )
    assert event.data.phase is Phase.IN_TRANSIT
    assert not event.data.notify
    assert desk.shipment().tracking.delivered_at is None


def test_retraction_that_comes_first_takes_the_scan_back_when_it_comes(desk):
    desk.send(report(scan("SCAN_RETRACTED", NOON, retracts="2")))

    decision = desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON, scan_id="2")))

    assert decision.events[0].data.shipment_phase is Phase.ORDER_PROCESSED
    assert not decision.events[0].data.notify


def test_two_retractions_of_one_instant_are_two():
    keys = {scan("SCAN_RETRACTED", NOON, retracts=each).key for each in ("1", "2")}

    assert len(keys) == 2


def test_unmapped_scan_is_an_event_and_keeps_the_phase(desk):
    decision = desk.send(report(scan("NO_SUCH_NAME", code="XYZ")))

    (event,) = decision.events
    assert (event.event_name, event.event_group) == ("UNMAPPED", None)
    assert event.data.shipment_phase is Phase.ORDER_PROCESSED


def test_scans_of_a_number_without_owner_wait_and_are_kept():
    desk = Desk()

    decision = desk.send(report(scan("SORTED")))
    again = desk.send(report(scan("SORTED")))

    assert (decision.outcome, decision.reason) == (Outcome.WAITING, Reason.NUMBER_NOT_OWNED)
    assert len(decision.parcels[0].scans) == 1
    assert again.reason is Reason.DUPLICATE


def test_scans_of_another_carrier_wait_for_the_order_that_has_it(desk):
    decision = desk.send(report(scan("SORTED", carrier="ups")))

    assert decision.outcome is Outcome.WAITING
    assert desk.shipment().tracking.phase is Phase.ORDER_PROCESSED


def test_carrier_is_the_same_in_capitals(desk):
    assert desk.send(report(scan("SORTED", carrier="DHL"))).outcome is Outcome.APPLIED


def test_carrier_that_was_not_named_is_adopted_from_the_scans():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))

    desk.send(report(scan("SORTED", carrier="dhl")))
    assert desk.shipment().carrier == "dhl"

    desk.send(report(scan("SORTED", NOON + MINUTE, carrier="ups")))
    assert desk.shipment().carrier is None


def test_empty_number_is_refused():
    decision = Desk().send(report(scan("SORTED"), number=" "))

    assert (decision.reason, decision.pointer) == (
        Reason.TRACKING_NUMBER_EMPTY,
        "/tracking_number",
    )


def test_scan_has_the_same_event_id_whichever_message_brings_it():
    ids = []
    for extra in ((), (scan("SORTED", NOON - HOUR),)):
        desk = Desk()
        desk.send(place())
        desk.send(attach("N1", carrier="dhl"))
        decision = desk.send(report(scan("OUT_FOR_DELIVERY"), *extra))
        ids.append({e.event_name: e.event_id for e in decision.events}["OUT_FOR_DELIVERY"])

    assert ids[0] == ids[1]
