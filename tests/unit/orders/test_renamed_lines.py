"""Goods in parcels stay on their order line when the shop renames the line after packing."""

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.order import BundledProduct, Product
from tests.unit.orders.builders import Desk, event_types, fields, upsert


def tracking_of(*products):
    return Tracking(tracking_number="N1", products=products)


RENAMED = [
    ("line_id stays", Product(line_id="l", sku="old"), Product(line_id="l", sku="new")),
    ("variant_id stays", Product(variant_id="v", sku="old"), Product(variant_id="v", sku="new")),
    ("sku stays", Product(sku="s", title="Old"), Product(sku="s", title="New")),
]


@pytest.mark.parametrize(
    ("former", "line"), [pytest.param(*pair, id=name) for name, *pair in RENAMED]
)
def test_goods_stay_on_their_line_when_it_is_renamed_after_packing(former, line):
    packed = Product(sku="old") if former.sku == "old" else Product(title="old")
    desk = Desk()
    desk.send(upsert(order=fields(products=(former,)), trackings=(tracking_of(packed),)))

    decision = desk.send(upsert(order=fields(products=(line,))))

    (shipment,) = decision.orders[0].shipments
    assert (shipment.not_ordered, decision.warnings) == ((), ())
    assert [(each.line, each.quantity) for each in shipment.lines] == [(0, 1)]
    assert shipment.products[0].sku == line.sku
    assert "shipment.updated" in event_types(decision)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="no lines"),
        pytest.param((Product(sku="new"),), id="another sku"),
        pytest.param((Product(sku="new", title="Shirt"),), id="another sku of that title"),
        pytest.param((Product(line_id="m", title="Shirt"),), id="another line of that title"),
    ],
)
def test_goods_of_a_line_that_is_gone_keep_their_name(lines):
    desk = Desk()
    former = Product(line_id="l", sku="old", title="Shirt")
    packed = (tracking_of(Product(sku="old")),)
    desk.send(upsert(order=fields(products=(former,)), trackings=packed))

    decision = desk.send(upsert(order=fields(products=lines)))

    (shipment,) = decision.orders[0].shipments
    assert shipment.products == (Product(sku="old"),)
    assert not shipment.lines


def test_part_of_a_bundle_stays_on_its_part_when_it_is_renamed():
    def bundle(sku):
        parts = (BundledProduct(variant_id="p", sku=sku), BundledProduct(sku="other"))
        return (Product(sku="set", quantity=1, bundled_products=parts),)

    desk = Desk()
    packed = (tracking_of(Product(sku="old")),)
    desk.send(upsert(order=fields(products=bundle("old")), trackings=packed))

    decision = desk.send(upsert(order=fields(products=bundle("new"))))

    (shipment,) = decision.orders[0].shipments
    assert [(each.line, each.part, each.quantity) for each in shipment.lines] == [(0, 0, 1)]


def test_list_in_the_command_that_renames_a_line_is_taken_as_it_says():
    desk = Desk()
    packed = (tracking_of(Product(sku="old")),)
    desk.send(upsert(order=fields(products=(Product(line_id="l", sku="old"),)), trackings=packed))
    renamed = fields(products=(Product(line_id="l", sku="new"),))

    decision = desk.send(upsert(order=renamed, trackings=packed))

    assert decision.orders[0].shipments[0].products == (Product(sku="old"),)
    assert [each.code.value for each in decision.warnings] == ["product_not_ordered"]
