"""A number that is replaced by another one under the same `external_shipment_id`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.reasons import Reason
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    event_types,
    place,
    product,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
    void,
)
from tests.unit.orders.test_properties import scans


def listed(*numbers, under="f1", **sent):
    """An upsert that lists these numbers of one delivery."""
    said = tuple(Tracking(tracking_number=n, external_shipment_id=under) for n in numbers)
    return upsert(ref(), trackings=said, **sent)


def handed_over(*numbers, expected=1, delivered=()):
    """A desk with an order whose parcels came under f1."""
    desk = Desk()
    desk.send(place(expected_number_of_shipments=expected))
    desk.send(listed(*numbers))
    for number in delivered:
        desk.send(
            report(
                scan("PICKED_UP_BY_CARRIER", number=number),
                scan("SUCCESSFULLY_DELIVERED", NOON + HOUR, number=number),
                number=number,
            )
        )
    return desk


def numbers_of(desk):
    return [each.number for each in desk.order().shipments]


@pytest.mark.parametrize(
    "command",
    [listed("N2"), update_shipment(external_shipment_id="f1", tracking_number="N2")],
    ids=["order.upsert", "shipment.update"],
)
def test_another_number_under_a_known_id_replaces_the_number(command):
    desk = handed_over("N1")
    desk.send(report(scan("OUT_FOR_DELIVERY")))
    desk.send(report(scan("PICKED_UP_BY_CARRIER", number="N2"), number="N2"))
    held = desk.shipment()

    decision = desk.send(command)

    after = desk.shipment()
    assert numbers_of(desk) == ["N2"]
    assert (after.shipment_id, after.external_shipment_id) == (held.shipment_id, "f1")
    assert after.tracking.phase is Phase.IN_TRANSIT
    assert event_types(decision) == ["shipment.released", "shipment.fulfilled", "shipment.scanned"]
    released, fulfilled, _ = [event.data for event in decision.events]
    assert (released.tracking_number, released.released_by) == ("N1", "replace")
    assert (released.previous_phase, released.shipment_phase) == (
        "in_delivery",
        "order_created",
    )
    assert (fulfilled.tracking_number, fulfilled.previous_phase) == ("N2", "order_created")
    assert sum(event.data.notify for event in decision.events) <= 1
    assert desk.parcels["N1"].owners == ()


def test_replaced_number_keeps_contents_and_carrier_and_loses_its_link():
    desk = Desk()
    desk.send(place(products=(product("MUG", 2),)))
    desk.send(
        attach(
            "N1",
            carrier="ups",
            external_shipment_id="f1",
            products=(product("MUG"),),
            tracking_url="https://carrier.example/N1",
        )
    )

    desk.send(listed("N2"))

    after = desk.shipment()
    assert after.products == (product("MUG"),)
    assert [each.quantity for each in after.lines] == [1]
    assert after.carrier_reference == "ups"
    assert after.tracking_url is None


@pytest.mark.parametrize(
    ("held", "said", "left"),
    [
        # What is missing is replaced, pairwise and in order; what is new beyond that is added.
        (["N1"], ["N2"], ["N2"]),
        (["N1"], ["N1"], ["N1"]),
        (["N1"], ["N1", "N2"], ["N1", "N2"]),
        (["N1"], ["N2", "N3"], ["N2", "N3"]),
        (["N1", "N2"], ["N1"], ["N1", "N2"]),
        (["N1", "N2"], ["N2"], ["N1", "N2"]),
        (["N1", "N2"], ["N1", "N3"], ["N1", "N3"]),
        (["N1", "N2"], ["N3", "N2"], ["N3", "N2"]),
        (["N1", "N2"], ["N3"], ["N3", "N2"]),
        (["N1", "N2"], ["N3", "N4", "N5"], ["N3", "N4", "N5"]),
        (["N1"], ["n-1"], ["N1"]),
        (["N1"], ["N2", "n 2"], ["N2"]),
    ],
)
def test_numbers_of_one_delivery(held, said, left):
    desk = handed_over(*held)

    desk.send(listed(*said))
    again = desk.send(listed(*said))

    assert numbers_of(desk) == left
    # A repeat changes nothing, unless it lists fewer numbers than the delivery has left.
    assert set(said) >= set(left) or again.outcome is Outcome.NO_CHANGE


def test_outcome_of_an_upsert_says_which_number_was_replaced():
    desk = handed_over("N1")

    decision = desk.send(listed("N2", "N3"))

    (found,) = decision.warnings
    assert (found.code.value, found.pointer) == ("number_replaced", "/trackings/0/tracking_number")
    assert "'N1'" in found.detail
    assert "'f1'" in found.detail


def test_number_without_the_id_or_with_another_one_is_another_parcel():
    desk = handed_over("N1")

    desk.send(listed("N2", under="f2"))
    desk.send(attach("N3"))

    assert numbers_of(desk) == ["N1", "N2", "N3"]


def test_delivered_parcel_is_not_replaced_by_an_upsert():
    desk = handed_over("N1", delivered=["N1"])

    desk.send(listed("N2"))

    assert numbers_of(desk) == ["N1", "N2"]


@pytest.mark.parametrize("age", [{"source_version": 1}, {"updated_at": NOON - DAY}])
def test_old_command_replaces_nothing(age):
    desk = handed_over("N1")
    desk.send(listed("N2", source_version=3, updated_at=NOON))

    decision = desk.send(listed("N1", **age))

    assert decision.reason is Reason.STALE
    assert numbers_of(desk) == ["N2"]


def test_old_command_with_a_number_that_never_was_replaced_adds_it():
    desk = handed_over("N1")
    desk.send(listed("N1", updated_at=NOON))

    desk.send(listed("N7", updated_at=NOON - DAY))

    assert numbers_of(desk) == ["N1", "N7"]


def test_number_replaced_there_and_back_has_new_event_ids():
    desk = handed_over("N1")
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.send(listed("N2"))

    decision = desk.send(listed("N1"))

    assert event_types(decision)[-1] == "shipment.scanned"
    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT


@pytest.mark.parametrize(
    ("said", "reason", "pointer"),
    [
        ({"tracking_number": "N2"}, Reason.NUMBER_ON_ORDER, "/tracking_number"),
        ({"tracking_number": "none"}, Reason.TRACKING_NUMBER_PLACEHOLDER, "/tracking_number"),
        ({"external_shipment_id": "f404"}, Reason.SHIPMENT_NOT_FOUND, "/external_shipment_id"),
        ({"external_shipment_id": "f3"}, Reason.SHIPMENT_DELIVERED, "/tracking_number"),
        ({"external_shipment_id": "f45"}, Reason.SHIPMENT_AMBIGUOUS, "/external_shipment_id"),
        ({"shipment_id": "another"}, Reason.SHIPMENT_AMBIGUOUS, "/shipment_id"),
    ],
)
def test_replacement_that_is_not_taken_has_a_reason_and_changes_nothing(said, reason, pointer):
    desk = handed_over("N1")
    desk.send(listed("N2", under="f2"))
    desk.send(listed("N3", under="f3"))
    desk.send(listed("N4", "N5", under="f45"))
    for event in ("PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED"):
        desk.send(report(scan(event, number="N3"), number="N3"))
    names = {"external_shipment_id": "f1", "tracking_number": "N9", **said}
    if "shipment_id" in said:
        names["shipment_id"] = desk.shipment(2).shipment_id
    before = desk.copy()

    decision = desk.send(update_shipment(**names))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
    assert decision.pointer == pointer
    assert desk == before


def test_upsert_with_a_placeholder_for_a_replacement_changes_nothing():
    desk = handed_over("N1")
    before = desk.copy()

    decision = desk.send(listed("pending"))

    assert decision.reason is Reason.TRACKING_NUMBER_PLACEHOLDER
    assert desk == before


def test_external_id_names_the_parcel_of_a_change():
    desk = handed_over("N1")

    decision = desk.send(
        update_shipment(external_shipment_id="f1", tracking_url="https://c.example/N1")
    )

    assert event_types(decision) == ["shipment.updated"]
    assert numbers_of(desk) == ["N1"]


def test_void_of_a_replaced_number_is_no_change():
    desk = handed_over("N1")
    desk.send(listed("N2"))

    decision = desk.send(void(tracking_number="N1"))

    assert decision.reason is Reason.ALREADY_VOIDED
    assert numbers_of(desk) == ["N2"]


NUMBERED = st.sampled_from(["N1", "N2"]).flatmap(
    lambda number: st.tuples(st.just(number), scans(number))
)


def reported(desk, found):
    for number, each in found:
        desk.send(report(each, number=number, carrier=None))


def end_of(desk):
    """The order without what tells of its history, and without what was notified."""
    order = desk.order()
    shipments = tuple(replace(each, generation=0, notices=None) for each in order.shipments)
    return replace(
        order,
        shipments=shipments,
        version=0,
        order_sequence=0,
        shipment_sequence=0,
        reassignments=0,
        applied=(),
        voided=(),
        released=(),
        warnings=(),
    )


@settings(max_examples=60)
@given(*[st.lists(NUMBERED, max_size=5)] * 3, st.booleans())
def test_replaced_number_ends_as_if_it_had_been_the_first(before, between, after, is_upsert):
    last = {"external_shipment_id": "f1", "tracking_number": "N2"}
    desk, other = Desk(now=NOON + DAY), Desk(now=NOON + DAY)
    first = place()
    desk.send(first)
    reported(desk, before)
    desk.send(listed("N1"))
    reported(desk, between)
    if desk.shipment().tracking.delivered_at is not None:
        return  # Such a parcel is not replaced.

    desk.send(listed("N2") if is_upsert else update_shipment(**last))
    reported(desk, after)

    other.send(first)
    reported(other, before)
    other.send(listed("N2"))
    reported(other, between)
    reported(other, after)
    assert end_of(desk) == end_of(other)
    # A scan that no parcel sees drops the resume point, which only saves work.
    assert replace(desk.parcels["N2"], trail=None) == replace(other.parcels["N2"], trail=None)
    assert desk.parcels["N1"].owners == ()
    assert desk.parcels["N1"].scans == other.parcels.get("N1", desk.parcels["N1"]).scans
