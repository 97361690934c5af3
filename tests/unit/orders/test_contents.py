"""What is in the parcels, held against what was ordered."""

from __future__ import annotations

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import BundledProduct, Product
from services.orders.domain.model.reasons import Reason
from tests.unit.orders.builders import (
    Desk,
    attach,
    fields,
    place,
    product,
    ref,
    update_shipment,
    upsert,
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
ABOVE = Reason.QUANTITY_ABOVE_ORDERED
UNKNOWN = Reason.PRODUCT_UNKNOWN


@pytest.mark.parametrize(
    ("parcels", "reason"),
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
        ([[Product(sku="s3", quantity=3), Product(line_id="l3")]], ABOVE),
        ([[Product(sku="part", quantity=6)]], OK),
        ([[Product(sku="part", quantity=7)]], ABOVE),
        ([[Product(sku="other")]], UNKNOWN),
        ([[Product()]], UNKNOWN),
        # A name the order does not know gives way to the next that it does.
        ([[Product(line_id="theirs", sku="s2")]], OK),
        ([[], [Product(sku="s1", quantity=2)]], OK),
    ],
)
def test_parcels_hold_no_more_than_was_ordered(parcels, reason):
    desk = Desk()
    desk.send(place(products=ORDERED))
    before = desk.order()
    trackings = tuple(
        Tracking(tracking_number=f"N{index}", products=tuple(products))
        for index, products in enumerate(parcels)
    )

    decision = desk.send(upsert(ref(), trackings=trackings))

    assert decision.reason is reason
    assert decision.outcome is (Outcome.REJECTED if reason else Outcome.APPLIED)
    if reason:
        assert decision.pointer == "/trackings"
        assert desk.order() == before
        assert not desk.parcels


def test_quantities_count_over_commands():
    desk = Desk()
    desk.send(place(products=(product("a", 2),), expected_number_of_shipments=2))
    desk.send(attach("N1", products=(product("a", 1),)))

    assert desk.send(attach("N2", products=(product("a", 2),))).reason is ABOVE
    assert desk.send(attach("N2", products=(product("a", 1),))).outcome is Outcome.APPLIED
    refused = desk.send(update_shipment(tracking_number="N2", products=(product("a", 2),)))
    assert (refused.reason, refused.pointer) == (ABOVE, "/products")


def test_delivery_that_repeats_its_list_on_every_number_counts_once():
    desk = Desk()
    desk.send(place(products=(product("a", 2),)))
    listed = {"products": (product("a", 2),), "external_shipment_id": "delivery-1"}

    decision = desk.send(attach("N1", "N2", **listed))

    assert decision.outcome is Outcome.APPLIED


def test_order_without_products_takes_any_contents():
    desk = Desk()
    desk.send(place())

    assert desk.send(attach("N1", products=(product("any", 9),))).outcome is Outcome.APPLIED


def test_order_cannot_shrink_below_what_is_packed():
    desk = Desk()
    desk.send(place(products=(product("a", 2),)))
    desk.send(attach("N1", products=(product("a", 2),)))

    decision = desk.send(upsert(ref(), fields(products=(product("a", 1),))))

    assert (decision.reason, decision.pointer) == (ABOVE, "/order/products")


def test_missing_list_and_empty_list_mean_all_products():
    desk = Desk()
    desk.send(place(products=(product("a", 1),)))

    desk.send(attach("N1", "N2", products=()))

    assert [s.products for s in desk.order().shipments] == [None, None]
