"""`shipment.void`: a tracking number that is taken off an order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import DeliveryState, OrderStatus
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import number_key
from services.orders.domain.model.voided import VOIDED_MAX
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    cancel,
    event_types,
    item,
    place,
    product,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
    void,
)
from tests.unit.orders.test_properties import SETS_OF_SCANS

PICKED_UP = scan("PICKED_UP_BY_CARRIER")
DELIVERED = scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)


def handed_over(*scans, expected=1, **tracking):
    """A desk with an order whose parcel N1 has these scans."""
    desk = Desk()
    desk.send(place(expected_number_of_shipments=expected))
    desk.send(attach("N1", **tracking))
    if scans:
        desk.send(report(*scans))
    return desk


def names_of(desk):
    """Every way to name the first parcel."""
    return {
        "shipment_id": desk.shipment().shipment_id,
        "tracking_number": "n-1",
        "external_shipment_id": "f1",
    }


@pytest.mark.parametrize("name", ["shipment_id", "tracking_number", "external_shipment_id"])
def test_void_makes_the_shipment_a_draft_again_and_tells_it_once(name):
    desk = handed_over(PICKED_UP, external_shipment_id="f1")
    held = desk.shipment()

    decision = desk.send(void(**{name: names_of(desk)[name]}, reason="label misprinted"))

    after = desk.shipment()
    assert (after.shipment_id, after.number, after.external_shipment_id) == (
        held.shipment_id,
        None,
        None,
    )
    assert after.tracking.phase is Phase.ORDER_CREATED
    assert after.notices is None
    assert desk.order().status is OrderStatus.PLACED
    assert event_types(decision) == ["order.updated", "shipment.released"]
    released = decision.events[1].data
    assert (released.tracking_number, released.previous_phase) == ("N1", Phase.IN_TRANSIT)
    assert (released.reason, released.released_by) == ("label misprinted", "void")
    assert not released.notify
    assert desk.parcels["N1"].owners == ()
    assert desk.parcels["N1"].scans


def test_void_of_one_of_two_parcels_makes_the_order_partially_fulfilled():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))
    desk.send(attach("N1", "N2"))

    decision = desk.send(void(tracking_number="N2"))

    assert event_types(decision) == ["order.partially_fulfilled", "shipment.released"]
    assert [each.number for each in desk.order().shipments] == ["N1", None]


def test_void_of_a_parcel_beyond_the_expected_removes_the_shipment_and_tells_it():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", "N2"))
    second = desk.shipment(2)

    decision = desk.send(void(tracking_number="N2"))

    assert [each.number for each in desk.order().shipments] == ["N1"]
    assert event_types(decision) == ["order.expected_shipments_changed", "shipment.released"]
    assert decision.events[1].shipment_id == second.shipment_id
    assert decision.events[1].data.tracking_number == "N2"


def test_void_takes_contents_and_delivery_away_with_the_number():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2, products=(product("MUG", 2),)))
    desk.send(attach("N1", products=(product("MUG", 2),)))
    desk.send(attach("N2"))
    desk.send(report(PICKED_UP, DELIVERED))

    decision = desk.send(void(tracking_number="N1", is_forced=True, reason="another shop's parcel"))

    assert desk.shipment().products is None
    assert desk.order().delivery_state is DeliveryState.NOT_DELIVERED
    assert event_types(decision) == [
        "order.partially_fulfilled",
        "order.updated",
        "shipment.released",
    ]


def test_void_works_in_a_cancelled_order():
    desk = handed_over(PICKED_UP)
    desk.send(cancel())

    decision = desk.send(void(tracking_number="N1"))

    assert event_types(decision) == ["shipment.released"]
    assert desk.order().status is OrderStatus.CANCELLED
    assert desk.shipment().archived


def test_voided_number_can_be_attached_again_and_its_scans_are_new_events():
    desk = handed_over(PICKED_UP)
    desk.send(void(tracking_number="N1"))

    decision = desk.send(attach("N1"))

    assert event_types(decision) == ["order.fulfilled", "shipment.fulfilled", "shipment.scanned"]
    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT


def test_scan_of_a_voided_number_waits_for_an_owner():
    desk = handed_over()
    desk.send(void(tracking_number="N1"))

    decision = desk.send(report(PICKED_UP))

    assert (decision.outcome, decision.waits_for) == (Outcome.WAITING, number_key("N1"))


# Refusals.


def two_parcels():
    """N1 under f1, N2 under f2, and a draft; another order of the shop has N9."""
    desk = Desk()
    desk.send(place(expected_number_of_shipments=3))
    desk.send(attach("N1", external_shipment_id="f1"))
    desk.send(attach("N2", external_shipment_id="f2"))
    desk.send(report(PICKED_UP, DELIVERED))
    desk.send(place("9"))
    desk.send(attach("N9", to="9", external_shipment_id="f9"))
    return desk


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [
        ({"tracking_number": "N404"}, "waiting", Reason.SHIPMENT_NOT_FOUND),
        ({"tracking_number": "N9"}, "waiting", Reason.SHIPMENT_NOT_FOUND),
        ({"external_shipment_id": "f9"}, "rejected", Reason.SHIPMENT_NOT_FOUND),
        ({"shipment_id": "9"}, "rejected", Reason.SHIPMENT_NOT_FOUND),
        ({"shipment_id": "draft"}, "rejected", Reason.SHIPMENT_IS_DRAFT),
        ({}, "rejected", Reason.SHIPMENT_NOT_NAMED),
        (
            {"tracking_number": "N2", "external_shipment_id": "f1"},
            "rejected",
            Reason.SHIPMENT_AMBIGUOUS,
        ),
        ({"tracking_number": "N2", "shipment_id": "draft"}, "rejected", Reason.SHIPMENT_AMBIGUOUS),
        ({"tracking_number": "N1"}, "rejected", Reason.SHIPMENT_DELIVERED),
        ({"tracking_number": "N1", "is_forced": True}, "rejected", Reason.FORCE_NEEDS_REASON),
        ({"tracking_number": "none"}, "rejected", Reason.TRACKING_NUMBER_PLACEHOLDER),
        ({"tracking_number": "N1, N2"}, "rejected", Reason.TRACKING_NUMBER_LIST),
        ({"reference": ref("404"), "tracking_number": "N1"}, "waiting", Reason.ORDER_NOT_FOUND),
    ],
)
def test_void_that_is_not_taken_has_a_reason_and_changes_nothing(said, outcome, reason):
    desk = two_parcels()
    ids = {"9": desk.shipment(1, "9").shipment_id, "draft": desk.shipment(3).shipment_id}
    if "shipment_id" in said:
        said = {**said, "shipment_id": ids[said["shipment_id"]]}
    before = desk.copy()

    decision = desk.send(void(**said))

    assert (decision.outcome.value, decision.reason) == (outcome, reason)
    assert desk == before


def test_external_id_of_several_parcels_names_none_of_them():
    desk = handed_over(external_shipment_id="f1")
    desk.send(attach("N1", "N2", external_shipment_id="f1"))

    decision = desk.send(void(external_shipment_id="f1"))

    assert decision.reason is Reason.SHIPMENT_AMBIGUOUS
    assert "2 shipments" in decision.detail


@pytest.mark.parametrize("name", ["shipment_id", "tracking_number", "external_shipment_id"])
def test_second_void_is_no_change_and_says_when_the_first_was(name):
    desk = handed_over(external_shipment_id="f1")
    names = names_of(desk)
    desk.send(void(tracking_number="N1"))
    before = desk.copy()

    decision = desk.send(void(**{name: names[name]}))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.ALREADY_VOIDED)
    assert NOON.isoformat() in decision.detail
    assert desk.order() == replace(before.order(), applied=desk.order().applied)
    assert (desk.parcels, desk.events) == (before.parcels, before.events)


def test_repeat_of_a_second_void_does_not_take_off_a_number_that_came_back():
    desk = handed_over()
    desk.send(void(tracking_number="N1"))
    second = void(tracking_number="N1")
    assert desk.send(second).reason is Reason.ALREADY_VOIDED
    desk.send(attach("N1"))

    assert desk.send(second).reason is Reason.DUPLICATE
    assert desk.shipment().number == "N1"


def test_void_of_another_shops_order_waits_and_touches_nothing():
    desk = handed_over(PICKED_UP)
    before = desk.copy()

    decision = desk.send(void(ref("1", shop="other"), tracking_number="N1"))

    assert (decision.outcome, decision.reason) == (Outcome.WAITING, Reason.ORDER_NOT_FOUND)
    assert desk == before


def test_forced_void_of_a_delivered_parcel_needs_only_a_reason():
    desk = handed_over(PICKED_UP, DELIVERED)

    decision = desk.send(void(tracking_number="N1", is_forced=True, reason="not our parcel"))

    assert decision.outcome is Outcome.APPLIED
    assert desk.shipment().is_draft


# Age.


@pytest.mark.parametrize("age", [{"source_version": 4}, {"updated_at": NOON - HOUR}])
def test_command_older_than_the_void_does_not_attach_the_number_again(age):
    desk = Desk()
    desk.send(place(sent=item(source_version=1, updated_at=NOON - DAY)))
    desk.send(attach("N1"))
    desk.send(void(tracking_number="N1", source_version=5, updated_at=NOON))
    before = desk.order().shipments

    decision = desk.send(attach_sent("N1", **age))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.STALE)
    assert desk.order().shipments == before


def attach_sent(*numbers, **sent):
    return upsert(ref(), trackings=attach(*numbers).trackings, **sent)


def test_old_command_brings_its_other_new_parcels():
    desk = handed_over()
    desk.send(void(tracking_number="N1", updated_at=NOON))

    decision = desk.send(attach_sent("N1", "N2", updated_at=NOON - HOUR))

    assert [each.number for each in desk.order().shipments] == ["N2"]
    assert [each.code.value for each in decision.warnings] == ["description_stale"]


def test_command_newer_than_the_void_attaches_the_number_again():
    desk = handed_over()
    desk.send(void(tracking_number="N1", updated_at=NOON))
    desk.send(update_shipment(shipment_id=desk.shipment().shipment_id, updated_at=NOON + DAY))

    newer = desk.send(attach_sent("N1", updated_at=NOON + HOUR))

    assert newer.outcome is Outcome.APPLIED
    assert desk.shipment().number == "N1"


def test_void_older_than_the_order_is_stale():
    desk = handed_over()
    desk.send(attach_sent("N1", updated_at=NOON))

    decision = desk.send(void(tracking_number="N1", updated_at=NOON - HOUR))

    assert decision.reason is Reason.STALE
    assert desk.shipment().number == "N1"


def test_void_that_comes_before_its_number_waits_for_it():
    desk = Desk()
    desk.send(place())
    command = void(tracking_number="N1")
    assert desk.send(command).waits_for == number_key("N1")

    appeared = desk.send(attach("N1")).appeared
    decision = desk.send(command)

    assert number_key("N1") in appeared
    assert decision.outcome is Outcome.APPLIED
    assert desk.shipment().is_draft


def test_order_keeps_the_last_voided_numbers():
    desk = Desk()
    desk.send(place())
    for number in range(VOIDED_MAX + 5):
        desk.send(attach(f"N{number}"))
        desk.send(void(tracking_number=f"N{number}"))

    kept = [each.number for each in desk.order().voided]
    assert kept == [f"N{number}" for number in range(5, VOIDED_MAX + 5)]


# Properties.


def bare(desk):
    """The order without what counts its history."""
    return replace(
        desk.order(),
        version=0,
        order_sequence=0,
        shipment_sequence=0,
        reassignments=0,
        applied=(),
        voided=(),
        released=(),
    )


@settings(max_examples=40)
@given(SETS_OF_SCANS, SETS_OF_SCANS, st.integers(0, 3), st.integers(1, 4))
def test_void_after_any_scans_leaves_the_order_as_if_never_attached(before, between, first, size):
    desk, untouched = Desk(now=NOON + DAY), Desk(now=NOON + DAY)
    order = place(expected_number_of_shipments=2)
    for each in (desk, untouched):
        each.send(order)
    for at in range(0, len(before), size):
        desk.send(report(*before[at : at + size], carrier=None))
    desk.send(attach("N1"))
    for each in between:
        desk.send(report(each, carrier=None))
    for _ in range(first):
        desk.send(attach("N1"))

    desk.send(void(tracking_number="N1", is_forced=True, reason="wrong"))

    assert bare(desk) == bare(untouched)
    assert desk.parcels["N1"].owners == ()
    assert {s.key for s in desk.parcels["N1"].scans} == {s.key for s in (*before, *between)}


@settings(max_examples=40)
@given(st.lists(SETS_OF_SCANS, min_size=1, max_size=3))
def test_attached_again_tells_each_scan_once_in_each_stay(stays):
    desk = Desk(now=NOON + DAY)
    desk.send(place())
    for found in stays:
        desk.send(attach("N1"))
        for each in (*found, *found):
            desk.send(report(each, carrier=None))
        desk.send(void(tracking_number="N1", is_forced=True, reason="wrong"))
    ids = [event.event_id for event in desk.events]
    assert len(set(ids)) == len(ids)
    notified = [e for e in desk.events if getattr(e.data, "notify", False)]
    for stay in range(1, len(stays) + 1):
        of_stay = _of_stay(desk, stay)
        groups = [(e.event_group, e.data.leg, e.data.attempt) for e in of_stay if e in notified]
        assert len(set(groups)) == len(groups)


def _of_stay(desk, stay):
    """The events of the n-th time that the number was attached."""
    begins = [n for n, e in enumerate(desk.events) if e.type == "shipment.fulfilled"]
    ends = [n for n, e in enumerate(desk.events) if e.type == "shipment.released"]
    return [
        e for e in desk.events[begins[stay - 1] : ends[stay - 1]] if e.topic == "shipments.events"
    ]
