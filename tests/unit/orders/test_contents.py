"""What is in the parcels, as lines of the order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.contents import match_contents
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import BundledProduct, Product
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    Desk,
    attach,
    fields,
    place,
    product,
    ref,
    report,
    scan,
    update,
    update_shipment,
    upsert,
    void,
)

ORDERED = (
    Product(line_id="l1", variant_id="v1", sku="s1", title="One", quantity=2),
    Product(line_id="l2", variant_id="v2", sku="s2", title="Two", quantity=1),
    # Two lines of one sku: a gift and a sale.
    Product(line_id="l3", sku="s3", title="Three", quantity=1),
    Product(line_id="l4", sku="s3", title="Three", quantity=2),
    Product(
        line_id="l5",
        sku="set",
        quantity=2,
        bundled_products=(BundledProduct(sku="part", quantity=3),),
    ),
)
OK = None
ABOVE = WarningCode.QUANTITY_ABOVE_ORDERED
UNKNOWN = WarningCode.PRODUCT_NOT_ORDERED


@pytest.mark.parametrize(
    ("parcels", "code"),
    [
        ([[Product(line_id="l1", quantity=2)]], OK),
        ([[Product(line_id="l1", quantity=3)]], ABOVE),
        ([[Product(variant_id="v1", quantity=2)]], OK),
        ([[Product(variant_id="v1", quantity=3)]], ABOVE),
        ([[Product(title="One", quantity=2)]], OK),
        ([[Product(sku="s1", quantity=1)], [Product(sku="s1", quantity=1)]], OK),
        ([[Product(sku="s1", quantity=2)], [Product(sku="s1", quantity=1)]], ABOVE),
        # One line under two of its names.
        ([[Product(line_id="l2")], [Product(sku="s2")]], ABOVE),
        ([[Product(sku="s3", quantity=3)]], OK),
        ([[Product(sku="s3", quantity=4)]], ABOVE),
        ([[Product(sku="s3", quantity=2), Product(line_id="l3")]], OK),
        ([[Product(sku="s3", quantity=2)], [Product(line_id="l3")]], OK),
        ([[Product(sku="s3", quantity=3), Product(line_id="l3")]], ABOVE),
        ([[Product(sku="part", quantity=6)]], OK),
        ([[Product(sku="part", quantity=7)]], ABOVE),
        ([[Product(sku="set", quantity=1)], [Product(sku="part", quantity=3)]], OK),
        ([[Product(sku="set", quantity=1)], [Product(sku="part", quantity=4)]], ABOVE),
        ([[Product(sku="part", quantity=4)], [Product(sku="set", quantity=1)]], ABOVE),
        ([[Product(sku="other")]], UNKNOWN),
        ([[Product()]], UNKNOWN),
        # A name the order does not know gives way to the next that it does.
        ([[Product(line_id="theirs", sku="s2")]], OK),
        ([[], [Product(sku="s1", quantity=2)]], OK),
    ],
)
def test_parcel_keeps_what_its_shop_says_and_warns_of_what_was_not_ordered(parcels, code):
    desk = Desk()
    desk.send(place(products=ORDERED))
    trackings = tuple(
        Tracking(tracking_number=f"N{index}", products=tuple(products))
        for index, products in enumerate(parcels)
    )

    decision = desk.send(upsert(ref(), trackings=trackings))

    assert decision.outcome is Outcome.APPLIED
    assert [each.code for each in decision.warnings] == ([code] if code else [])
    assert [s.products or () for s in desk.order().shipments] == [tuple(p) for p in parcels]
    extra = [each for s in desk.order().shipments for each in s.not_ordered]
    assert [(each.quantity, each.is_known) for each in extra] == ([(1, code is ABOVE)] * bool(code))


def test_warning_names_the_product_and_its_place_in_the_command():
    desk = Desk()
    desk.send(place(products=(product("a", 2),)))

    decision = desk.send(attach("N1", products=(product("a", 3), product("gift"))))

    assert [(each.pointer, each.detail) for each in decision.warnings] == [
        (
            "/trackings/0/products/0",
            (
                "The parcels of the order hold 1 more of sku 'a' than was ordered; the parcel "
                "keeps them, marked as not ordered."
            ),
        ),
        (
            "/trackings/0/products/1",
            (
                "The parcel holds 1 of sku 'gift', which the order does not have; the parcel "
                "keeps them, marked as not ordered."
            ),
        ),
    ]


def test_quantities_count_over_commands():
    desk = Desk()
    desk.send(place(products=(product("a", 2),), expected_number_of_shipments=2))
    desk.send(attach("N1", products=(product("a", 1),)))

    assert not desk.send(attach("N2", products=(product("a", 1),))).warnings
    (warning,) = desk.send(
        update_shipment(tracking_number="N2", products=(product("a", 2),))
    ).warnings
    assert (warning.code, warning.pointer) == (ABOVE, "/products/0")


def test_delivery_that_repeats_its_list_on_every_number_counts_once():
    desk = Desk()
    desk.send(place(products=(product("a", 2),)))
    listed = {"products": (product("a", 2),), "external_shipment_id": "delivery-1"}

    decision = desk.send(attach("N1", "N2", **listed))

    first, second = desk.order().shipments
    assert not decision.warnings
    assert packed(first) == [(0, None, 2)]
    assert packed(second) == []
    assert (first.shares_with, second.shares_with) == (None, first.shipment_id)


def packed(shipment):
    return [(each.line, each.part, each.quantity) for each in shipment.lines]


def test_order_without_products_takes_any_contents():
    desk = Desk()
    desk.send(place())

    decision = desk.send(attach("N1", products=(product("any", 9),)))

    assert (decision.outcome, decision.warnings) == (Outcome.APPLIED, ())
    assert (desk.shipment().lines, desk.shipment().not_ordered) == (None, ())


def test_order_that_shrinks_below_what_is_packed_warns():
    desk = Desk()
    desk.send(place(products=(product("a", 2),)))
    desk.send(attach("N1", products=(product("a", 2),)))

    decision = desk.send(upsert(ref(), fields(products=(product("a", 1),))))

    assert decision.outcome is Outcome.APPLIED
    assert [(w.code, w.pointer) for w in decision.warnings] == [(ABOVE, "/order/products")]
    assert packed(desk.shipment()) == [(0, None, 1)]
    assert not desk.send(upsert(ref(), fields(products=(product("a", 2),)))).warnings
    assert packed(desk.shipment()) == [(0, None, 2)]


def test_missing_list_and_empty_list_mean_all_products():
    desk = Desk()
    desk.send(place(products=(product("a", 1),)))

    desk.send(attach("N1", "N2", products=()))

    assert [s.products for s in desk.order().shipments] == [None, None]


TAKEN_AWAY = (
    "LOST",
    "DISPOSED",
    "CONFISCATED",
    "TRACKING_EXPIRED",
    "REFUSED",
    "RETURNED_TO_SENDER",
)


@pytest.mark.parametrize("event", TAKEN_AWAY)
def test_goods_of_a_parcel_that_is_gone_may_be_sent_a_second_time(event):
    desk = sent_on_its_way()
    desk.send(report(scan(event, NOON + HOUR)))

    decision = desk.send(attach("N2", products=(product("a", 2),)))

    assert not decision.warnings
    assert [packed(each) for each in desk.order().shipments] == [[(0, None, 2)]] * 2


def sent_on_its_way():
    desk = Desk(now=NOON + 9 * HOUR)
    desk.send(place(products=(product("a", 2),)))
    desk.send(attach("N1", products=(product("a", 2),)))
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON)))
    return desk


def test_goods_sent_before_the_first_parcel_is_known_to_be_lost_are_counted_when_it_is():
    desk = sent_on_its_way()
    assert desk.send(attach("N2", products=(product("a", 2),))).warnings
    assert packed(desk.shipment(2)) == []

    desk.send(report(scan("LOST", NOON + HOUR, scan_id="x")))
    assert packed(desk.shipment(2)) == [(0, None, 2)]

    desk.send(report(scan("SCAN_RETRACTED", NOON + 2 * HOUR, retracts="x")))
    assert [packed(each) for each in desk.order().shipments] == [[(0, None, 2)], []]


@pytest.mark.parametrize("event", ["DAMAGED", "RECIPIENT_NOT_HOME", "SUCCESSFULLY_DELIVERED"])
def test_goods_of_a_parcel_that_may_still_arrive_are_sent_once(event):
    desk = sent_on_its_way()
    desk.send(report(scan(event, NOON + HOUR)))

    assert desk.send(attach("N2", products=(product("a", 2),))).warnings


def test_contents_of_a_released_parcel_are_free_again():
    desk = Desk()
    desk.send(place("1", products=(product("a", 1),), expected_number_of_shipments=2))
    desk.send(attach("N1", products=(product("a"),)))
    assert desk.send(attach("N2", products=(product("a"),))).warnings

    desk.send(void(tracking_number="N1"))

    assert desk.shipment(1).lines is None
    assert (packed(desk.shipment(2)), desk.shipment(2).not_ordered) == ([(0, None, 1)], ())


def test_contents_of_a_draft_that_is_no_longer_expected_are_free_again():
    desk = Desk()
    desk.send(place(products=(product("a", 1),), expected_number_of_shipments=2))
    draft = desk.shipment(2).shipment_id
    desk.send(update_shipment(shipment_id=draft, products=(product("a"),)))
    desk.send(attach("N1"))
    desk.send(update_shipment(tracking_number="N1", products=(product("a", 2),)))
    assert desk.shipment(1).not_ordered[0].quantity == 1

    desk.send(update(expected_number_of_shipments=1))

    assert len(desk.order().shipments) == 1
    assert packed(desk.shipment()) == [(0, None, 1)]


SKUS = st.sampled_from(["a", "b", "set", "part", "gift"])
LISTS = st.lists(st.builds(product, SKUS, st.integers(0, 3)), min_size=1, max_size=2).map(tuple)


@settings(max_examples=100)
@given(st.lists(LISTS, min_size=1, max_size=4), st.randoms())
def test_parcels_have_the_same_lines_whatever_order_they_came_in(lists, rng):
    ordered = (product("a", 2), product("a", 1), product("b", 2), ORDERED[-1])
    numbers = list(enumerate(lists))
    shuffled = list(numbers)
    rng.shuffle(shuffled)

    straight, other = (contents_after(ordered, each) for each in (numbers, shuffled))

    assert straight == other


def contents_after(ordered, numbers):
    desk = Desk()
    desk.send(place(products=ordered))
    for number, products in numbers:
        desk.send(attach(f"N{number}", products=products))
    assert match_contents(desk.order()) == desk.order()
    return {s.number: (s.lines, s.not_ordered) for s in desk.order().shipments}


def test_contents_stored_by_a_version_without_lines_are_matched_when_they_are_read():
    desk = Desk()
    desk.send(place(products=(product("a", 1),)))
    desk.send(attach("N1", products=(product("a"),)))
    order = desk.order()
    before = replace(order, shipments=(replace(order.shipments[0], lines=None),))

    assert match_contents(before) == order
