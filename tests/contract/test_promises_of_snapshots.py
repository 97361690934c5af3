"""Promises about snapshots that are cut: what is left out, in which order, and what never is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from services.claims.messages.encode import encode_within
from services.orders.domain.model.order import (
    Analytics,
    BundledProduct,
    ClaimCopy,
    Discount,
    Image,
    TaxLine,
)
from services.orders.domain.value import replace
from services.orders.messages import snapshot
from tests.unit.orders.builders import Desk, attach, place, product

Json = dict[str, Any]
LINK = "https://shop.example/a.png"
DECORATION = ("ledger", "segments", "user_agent", "order_analytics")
OF_LINES = ("images", "tax_lines", "size", "weight", "bundled_products")

ORDERS: Mapping[str, Callable[[Json], bool]] = {
    "contents of parcels": lambda found: any(each["products"] for each in found["shipments"]),
    "decoration": lambda found: _is_decorated(found["order"]),
    "shipments": lambda found: bool(found["shipments"]),
    "claims": lambda found: bool(found["claims"]),
    "lines": lambda found: bool(found["order"]["products"] or found["order"]["discounts"]),
    "links": lambda found: any(each["tracking_url"] for each in found["order"]["trackings"]),
}
CLAIMS: Mapping[str, Callable[[Json], bool]] = {
    "descriptions": lambda found: any("description" in each for each in found["claims"]),
    "contents of parcels": lambda found: any("products" in each for each in found["shipments"]),
    "shipments": lambda found: bool(found["shipments"]),
    "claims": lambda found: bool(found["claims"]),
    "lines": lambda found: bool(
        found["order"] and (found["order"]["products"] or found["order"]["discounts"])
    ),
    "order": lambda found: found["order"] is not None,
}


def _is_decorated(order: Json) -> bool:
    of_lines = any(line.get(name) for line in order["products"] for name in OF_LINES)
    return of_lines or any(order.get(name) for name in DECORATION)


def an_order() -> Desk:
    """A desk with an order of which everything is said."""
    desk = Desk()
    line = product(
        "SET",
        size="M",
        title="Set",
        bundled_products=(BundledProduct(sku="MUG"),),
        images=(Image(src=LINK),),
        tax_lines=(TaxLine(title="VAT"),),
    )
    desk.send(
        place(
            products=(line,),
            discounts=(Discount(code="TEN"),),
            segments=("newsletter",),
            user_agent="Mozilla/5.0",
            order_analytics=Analytics(source="a"),
            expected_number_of_shipments=2,
        )
    )
    desk.send(attach("1Z999", tracking_url=LINK, products=(product("SET"),)))
    return desk


def cut_in_turn(
    parts: Mapping[str, Callable[[Json], bool]], encode: Callable[[int], tuple[Json, int]]
) -> list[list[str]]:
    """What is left out, step by step, as the room shrinks.

    `encode` makes a snapshot with room for so many bytes; it returns it with the bytes it takes.
    """
    (found, size), steps = encode(10**6), []
    assert all(is_there(found) for is_there in parts.values())
    left = list(parts)
    while left:
        found, size = encode(size - 1)
        gone = [name for name in left if not parts[name](found)]
        assert gone
        steps.append(gone)
        left = [name for name in left if name not in gone]
    return steps


def test_snapshot_of_an_order_is_cut_in_the_order_of_the_page() -> None:
    desk = an_order()
    claim = ClaimCopy(claim_id="c-1", sequence=1, status="pending")
    order = replace(desk.order(), claims=(claim,))

    def encode(most: int) -> tuple[Json, int]:
        encoded = snapshot.encode(order, most)
        assert encoded.is_truncated is (most < 10**6)
        found: Json = json.loads(encoded.json)
        named = found["order"]
        assert (named["uuid"], named["order_number"]) == (order.order_id, "1")
        assert (named["status"], named["address"]["zip_code"]) == ("partially_fulfilled", "10115")
        assert [each["tracking_number"] for each in named["trackings"]] == ["1Z999", None]
        return found, len(encoded.json)

    assert cut_in_turn(ORDERS, encode) == [[name] for name in ORDERS]


def test_context_of_a_claim_event_is_cut_in_the_order_of_the_page() -> None:
    order = {"products": [{"sku": "MUG"}], "discounts": [{"code": "TEN"}]}
    context = {
        "order": order,
        "shipments": [{"shipment_id": "s-1", "products": [{"sku": "MUG"}]}],
        "claims": [{"claim_id": "c-1", "description": "Broken"}],
    }
    data = {"claim_id": "c-1", "order_number": "1"}

    def encode(most: int) -> tuple[Json, int]:
        body = {"event_data": data, "context": json.loads(json.dumps(context))}
        value = encode_within(body | {"context_truncated": False}, most)
        found: Json = json.loads(value)
        assert found["event_data"] == data
        assert found["context_truncated"] is (most < 10**6)
        return found["context"], len(value)

    assert cut_in_turn(CLAIMS, encode) == [[name] for name in CLAIMS]
