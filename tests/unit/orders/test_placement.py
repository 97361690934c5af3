"""Placing and upserting orders: references, what is said and what is not, repeats and age."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.orders.domain.model.commands import PlacementFields, Tracking
from services.orders.domain.model.decision import OrderEventData, Outcome
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.order import Address, Analytics, Discount, OrderStatus
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import ReferenceKind
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    cancel,
    event_types,
    fields,
    place,
    product,
    ref,
    update,
    upsert,
)


def test_placed_order_has_its_expected_drafts_and_one_event():
    desk = Desk()

    decision = desk.send(place(expected_number_of_shipments=3))

    order = desk.order()
    assert decision.outcome is Outcome.APPLIED
    assert order.status is OrderStatus.PLACED
    assert [(s.ordinal, s.is_draft, s.archived) for s in order.shipments] == [
        (1, True, False),
        (2, True, False),
        (3, True, False),
    ]
    assert event_types(decision) == ["order.placed"]
    event = decision.events[0]
    assert (event.sequence, event.order_version, event.event_name) == (1, 1, "ORDER_PLACED")
    assert event.occurred_at == NOON
    assert event.event_group == "shipment_pre_transit"
    assert event.data == OrderEventData(
        status=OrderStatus.PLACED,
        shipment_ids=tuple(s.shipment_id for s in order.shipments),
        notify=True,
    )


def test_defaults_of_a_new_order_are_karlas():
    desk = Desk(now=NOON + HOUR)

    desk.send(upsert(ref(), PlacementFields(order_number="1", address=Address(zip_code="1"))))

    order = desk.order()
    assert order.placement.currency == "EUR"
    assert order.placed_at == NOON + HOUR
    assert order.expected_number_of_shipments == 1
    assert order.placement.products == ()


def test_order_can_be_created_and_fulfilled_at_once():
    desk = Desk()

    decision = desk.send(
        upsert(ref(), fields(), (Tracking(tracking_number="N1"), Tracking(tracking_number="N2")))
    )

    order = desk.order()
    assert order.status is OrderStatus.FULFILLED
    assert order.expected_number_of_shipments == 2
    assert event_types(decision) == ["order.placed", "shipment.fulfilled", "shipment.fulfilled"]
    assert [(e.sequence, e.order_version) for e in decision.events] == [(1, 1), (1, 2), (2, 3)]
    assert decision.events[0].event_group is None


def test_new_order_calls_everything_that_waits_for_one_of_its_names():
    desk = Desk()

    decision = desk.send(place(external_id="X", order_name="N"))

    order_id = order_id_of(SHOP, "1")
    assert decision.appeared == (
        "order/shop/order_number/1",
        "order/shop/external_id/X",
        "order/shop/order_name/N",
        f"order/shop/uuid/{order_id}",
    )
    assert {reference.kind for reference, _ in decision.references} == {
        ReferenceKind.ORDER_NUMBER,
        ReferenceKind.EXTERNAL_ID,
        ReferenceKind.ORDER_NAME,
    }


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        (ref("9"), "order/shop/order_number/9"),
        (ref("9", "external_id"), "order/shop/external_id/9"),
        (ref("9", "order_name"), "order/shop/order_name/9"),
        (ref("not a uuid", "uuid"), "order/shop/uuid/not a uuid"),
        (
            ref("{0F14D0AB-9605-4A62-A9E4-5ED26688389B}", "uuid"),
            "order/shop/uuid/0f14d0ab-9605-4a62-a9e4-5ed26688389b",
        ),
    ],
)
def test_command_for_an_unknown_order_waits_for_its_name(reference, key):
    for command in (upsert(reference), update(reference), cancel(reference)):
        decision = Desk().send(command)

        assert decision.outcome is Outcome.WAITING
        assert decision.reason is Reason.ORDER_NOT_FOUND
        assert decision.waits_for == key


@pytest.mark.parametrize(
    "reference",
    [
        ref("1"),
        ref("X", "external_id"),
        ref("N", "order_name"),
        ref(str(order_id_of(SHOP, "1")).upper(), "uuid"),
    ],
)
def test_order_is_found_by_each_of_its_names(reference):
    desk = Desk()
    desk.send(place(external_id="X", order_name="N"))

    decision = desk.send(upsert(reference, trackings=(Tracking(tracking_number="N1"),)))

    assert decision.outcome is Outcome.APPLIED
    assert desk.order().status is OrderStatus.FULFILLED


def test_another_shops_order_is_never_found():
    desk = Desk()
    desk.send(place(external_id="X"))
    own_id = str(order_id_of(SHOP, "1"))

    for reference in (ref("1", shop="b"), ref("X", "external_id", "b"), ref(own_id, "uuid", "b")):
        assert desk.send(cancel(reference)).outcome is Outcome.WAITING


def test_placing_the_same_order_again_is_no_difference():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))
    before = desk.order()

    decision = desk.send(place(expected_number_of_shipments=2))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.NO_DIFFERENCE)
    assert replace(desk.order(), applied=before.applied) == before


@pytest.mark.parametrize(
    "other",
    [
        {"email_id": "other@example.org"},
        {"expected_number_of_shipments": 2},
        {"order_analytics": Analytics(source="mail")},
        {"products": (product("a"),)},
    ],
)
def test_placing_a_different_order_under_a_known_number_is_refused(other):
    desk = Desk()
    desk.send(place())
    before = desk.order()

    decision = desk.send(place(**other))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.ORDER_EXISTS)
    assert decision.pointer == "/order/order_number"
    assert desk.order() == before


def test_upsert_replaces_what_it_says_and_keeps_what_it_does_not():
    desk = Desk()
    desk.send(
        place(
            email_id="a@example.org",
            currency="BRL",
            total_order_price=Decimal("10.50"),
            products=(product("a", 2),),
            discounts=(Discount(code="X"),),
            segments=("vip",),
            promised_delivery_date=date(2024, 1, 9),
        )
    )

    decision = desk.send(upsert(ref(), fields(total_order_price=Decimal("9.00"), segments=())))

    placement = desk.order().placement
    assert placement.total_order_price == Decimal("9.00")
    assert placement.segments == ()
    assert placement.email_id == "a@example.org"
    assert placement.currency == "BRL"
    assert placement.products == (product("a", 2),)
    assert placement.discounts == (Discount(code="X"),)
    assert placement.promised_delivery_date == date(2024, 1, 9)
    assert event_types(decision) == ["order.updated"]
    assert decision.events[0].data.changed_fields == ("segments", "total_order_price")
    assert (decision.events[0].sequence, decision.events[0].order_version) == (2, 2)


def test_upsert_may_change_everything_at_once_and_makes_one_order_event():
    desk = Desk()
    desk.send(place())

    decision = desk.send(
        upsert(
            ref(),
            fields(email_id="b@example.org", expected_number_of_shipments=2),
            (Tracking(tracking_number="N1"),),
            order_analytics=Analytics(source="mail"),
        )
    )

    assert event_types(decision) == ["order.partially_fulfilled", "shipment.fulfilled"]
    assert decision.events[0].data == OrderEventData(
        status=OrderStatus.PARTIALLY_FULFILLED,
        previous_status=OrderStatus.PLACED,
        changed_fields=(
            "email_id",
            "expected_number_of_shipments",
            "order_analytics",
            "status",
        ),
        shipment_ids=tuple(s.shipment_id for s in desk.order().shipments),
    )


@pytest.mark.parametrize(
    ("reference", "order"),
    [
        (ref("1"), fields("2")),
        (ref("2"), fields("1")),
        (ref("X1", "external_id"), fields("2")),
        (ref("X1", "external_id"), fields("3")),
        (ref("N1", "order_name"), fields("2", order_name="N2")),
        (ref(str(order_id_of(SHOP, "1")), "uuid"), fields("2")),
        (ref(str(order_id_of(SHOP, "9")), "uuid"), fields("8")),
        (ref("9"), fields("8")),
        (ref("X9", "external_id"), fields("8", external_id="X8")),
        (ref("nonsense", "uuid"), fields("8")),
        (ref("2"), fields("2", external_id="X1")),
        (ref("8"), fields("8", external_id="X1")),
    ],
)
def test_references_that_name_two_orders_are_refused(reference, order):
    desk = Desk()
    desk.send(place("1", external_id="X1", order_name="N1"))
    desk.send(place("2"))
    before = dict(desk.orders)

    decision = desk.send(upsert(reference, order))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.REFERENCE_CONFLICT)
    assert decision.pointer in (
        "/id",
        "/order/order_number",
        "/order/external_id",
        "/order/order_name",
    )
    assert desk.orders == before


def test_placing_an_order_with_anothers_external_id_is_refused():
    desk = Desk()
    desk.send(place("1", external_id="X"))

    decision = desk.send(place("2", external_id="X"))

    assert decision.reason is Reason.REFERENCE_CONFLICT
    assert decision.pointer == "/order/external_id"


def test_reference_counts_when_the_order_inside_leaves_it_out():
    desk = Desk()

    desk.send(upsert(ref("X", "external_id"), fields("1")))

    assert desk.order().placement.external_id == "X"
    assert desk.send(cancel(ref("X", "external_id"))).outcome is Outcome.APPLIED


def test_external_id_can_change_and_the_old_one_still_names_the_order():
    desk = Desk()
    desk.send(place(external_id="X"))

    decision = desk.send(upsert(ref("X", "external_id"), fields("1", external_id="Y")))

    assert decision.outcome is Outcome.APPLIED
    assert decision.appeared == ("order/shop/external_id/Y",)
    assert desk.send(cancel(ref("X", "external_id"))).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (101, Reason.TOO_MANY_SHIPMENTS),
        (-1, Reason.TOO_FEW_SHIPMENTS),
    ],
)
def test_impossible_number_of_shipments_is_refused(expected, reason):
    desk = Desk()

    for command in (
        place("9", expected_number_of_shipments=expected),
        upsert(ref("9"), fields("9", expected_number_of_shipments=expected)),
    ):
        decision = desk.send(command)

        assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
        assert decision.pointer == "/order/expected_number_of_shipments"
    assert not desk.orders


def test_attached_numbers_call_the_tracking_that_waits_for_them():
    desk = Desk()
    desk.send(place())

    assert desk.send(attach("n-1")).appeared == ("number/N1",)
