"""Domain values as events write them."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from services.orders.domain.model.order import (
    BundledProduct,
    Image,
    Product,
    ProductType,
    TaxLine,
)
from services.orders.messages.members import lines_of, to_json, with_all_members

PART = BundledProduct(sku="part", quantity=3, images=(Image(src="https://shop.example/p"),))
LINES = (
    Product(),
    Product(title="two\nlines, a \u2028 and }\n", sku='"', price=Decimal("0.10")),
    Product(
        type=ProductType.BUNDLE,
        tax_lines=(TaxLine(rate=Decimal("0.19")), TaxLine(title="VAT", currency="EUR")),
        bundled_products=(PART, BundledProduct()),
    ),
)


def test_lines_are_those_of_one_value_after_the_other():
    assert lines_of(LINES) == b"".join(to_json(with_all_members(line)) + b"\n" for line in LINES)


def test_lines_of_no_values_are_empty():
    assert lines_of(()) == b""


@pytest.mark.parametrize("product", LINES)
def test_line_has_every_member_of_its_value(product):
    written = json.loads(lines_of((product,)))

    assert list(written) == list(Product.__struct_fields__)
    assert msgspec.convert(written, Product, strict=False) == product
    for part in written["bundled_products"]:
        assert list(part) == list(BundledProduct.__struct_fields__)
