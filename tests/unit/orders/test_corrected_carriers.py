"""A parcel's carrier, named or corrected by `shipment.update`."""

from __future__ import annotations

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import number_key
from services.orders.domain.tracking.catalogue import Phase
from tests.unit.orders.builders import (
    SHOP,
    Desk,
    attach,
    event_types,
    place,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
)

FULFILLED, SCANNED, UPDATED = "shipment.fulfilled", "shipment.scanned", "shipment.updated"


def _desk(carrier: str | None) -> Desk:
    """Order 1 with the parcel N1, and a scan by UPS that is kept on the number."""
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier=carrier))
    if carrier is not None:
        desk.send(report(scan("PICKED_UP_BY_CARRIER", carrier="ups"), carrier="ups"))
    return desk


def _names(desk: Desk, by: str) -> dict[str, str]:
    shipment = desk.shipment()
    names = {"tracking_number": "n-1", "shipment_id": shipment.shipment_id}
    return names if by == "both" else {by: names[by]}


@pytest.mark.parametrize("by", ["tracking_number", "shipment_id", "both"])
@pytest.mark.parametrize("carrier", [None, "dhl"])
def test_carrier_is_changed_by_any_name_of_the_parcel(by, carrier):
    desk = _desk(carrier)

    decision = desk.send(update_shipment(carrier_reference="ups", **_names(desk, by)))

    assert decision.outcome is Outcome.APPLIED
    assert desk.shipment().carrier_reference == "ups"
    assert decision.events[0].type == UPDATED
    assert decision.events[0].data.changed_fields == ("carrier_reference",)


@pytest.mark.parametrize("by", ["tracking_number", "shipment_id"])
def test_scans_of_the_new_carrier_reach_the_parcel(by):
    desk = _desk("dhl")
    assert desk.shipment().tracking.phase is Phase.ORDER_PROCESSED

    decision = desk.send(update_shipment(carrier_reference="ups", **_names(desk, by)))
    later = desk.send(report(scan("OUT_FOR_DELIVERY", carrier="ups"), carrier="ups"))
    of_the_former = desk.send(report(scan("SORTED", carrier="dhl"), carrier="dhl"))

    assert event_types(decision) == [UPDATED, SCANNED]
    assert event_types(later) == [SCANNED]
    assert of_the_former.outcome is Outcome.WAITING
    assert desk.shipment().tracking.phase is Phase.IN_DELIVERY


def test_report_that_waited_for_the_new_carrier_waits_no_more():
    """Else it would be rejected as of no order, though its scan counts."""
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    waiting = report(scan("PICKED_UP_BY_CARRIER", carrier="ups"), carrier="ups")
    assert desk.send(waiting).outcome is Outcome.WAITING

    decision = desk.send(update_shipment(carrier_reference="ups", tracking_number="N1"))

    assert decision.appeared == (number_key("N1"),)
    assert desk.send(waiting).outcome is Outcome.NO_CHANGE


def test_same_carrier_again_is_no_difference():
    desk = _desk("dhl")

    decision = desk.send(update_shipment(tracking_number="N1", carrier_reference="dhl"))

    assert decision.reason is Reason.NO_DIFFERENCE


def test_carrier_changes_together_with_the_url():
    desk = _desk("dhl")

    decision = desk.send(
        update_shipment(
            tracking_number="N1", carrier_reference="ups", tracking_url="https://x.example"
        )
    )

    assert decision.events[0].data.changed_fields == ("carrier_reference", "tracking_url")


def test_carrier_and_url_of_a_draft_are_those_of_the_number_to_come():
    desk = Desk()
    desk.send(place())
    draft = desk.shipment().shipment_id

    decision = desk.send(
        update_shipment(
            shipment_id=draft, carrier_reference="ups", tracking_url="https://x.example"
        )
    )
    desk.send(attach("N1"))

    assert event_types(decision) == [UPDATED]
    assert desk.shipment().carrier_reference == "ups"
    assert desk.shipment().tracking_url == "https://x.example"
    assert event_types(desk.send(report(scan("SORTED", carrier="ups"), carrier="ups"))) == [SCANNED]


def test_carrier_that_arrives_before_the_number_waits_for_it():
    desk = Desk()
    desk.send(place())
    command = update_shipment(tracking_number="N1", carrier_reference="ups")

    waiting = desk.send(command)
    attached = desk.send(attach("N1", carrier="dhl"))

    assert waiting.waits_for in attached.appeared
    assert event_types(desk.send(command)) == [UPDATED]
    assert desk.shipment().carrier_reference == "ups"


@pytest.mark.parametrize("shop", [SHOP, "other"])
def test_number_under_the_corrected_carrier_stays_on_the_parcel_that_has_it(shop):
    desk = Desk()
    desk.send(place("1"))
    desk.send(attach("N1", to="1", carrier="dhl"))
    desk.send(place("2", shop=shop))
    desk.send(upsert(ref("2", shop=shop), trackings=attach("N1", carrier="ups").trackings))

    decision = desk.send(update_shipment(tracking_number="N1", carrier_reference="ups"))
    scanned = desk.send(report(scan("SORTED", carrier="ups"), carrier="ups"))

    assert event_types(decision) == [UPDATED]
    assert [event.order_id for event in scanned.events] == [
        desk.order("1").order_id,
        desk.order("2", shop).order_id,
    ]
