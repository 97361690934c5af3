"""What parcels without a list are shown with, and where the pieces of each line are."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from uuid import uuid5

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import RecordClaim
from services.orders.domain.model.ids import NAMESPACE
from services.orders.domain.model.ledger import (
    LedgerCounts,
    ledger_of,
    parcels_of,
    whole_bundles,
    with_assumed_contents,
)
from services.orders.domain.model.order import BundledProduct, ClaimCopy, Product
from services.orders.messages import snapshot
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    fields,
    item,
    place,
    product,
    report,
    scan,
    update_shipment,
    upsert,
    void,
)

MUGS = product("mug", 3)
SET = Product(
    sku="set",
    quantity=2,
    bundled_products=(BundledProduct(sku="cup", quantity=2), BundledProduct(sku="tea")),
)


def a_desk(*products, expected=1):
    desk = Desk(now=NOON + 30 * HOUR)
    desk.send(place(products=products or (MUGS,), expected_number_of_shipments=expected))
    return desk


def shown(desk):
    """The products of each parcel as sku and quantity, in order of ordinal."""
    order = with_assumed_contents(desk.order())
    return [[(p.sku, p.quantity) for p in s.products or ()] for s in order.shipments]


def counts(desk, line=0, part=None):
    """The counts of a line that are not zero."""
    found = ledger_of(with_assumed_contents(desk.order()))[line, part]
    return {n: getattr(found, n) for n in found.__struct_fields__ if getattr(found, n)}


def test_drafts_of_an_order_show_what_remains_once():
    desk = a_desk(expected=3)
    first, *others = with_assumed_contents(desk.order()).shipments
    assert first.products is None
    assert {(s.products, s.shares_with) for s in others} == {((), first.shipment_id)}
    said = msgspec.json.decode(snapshot.encode(desk.order(), 10**6).json)["shipments"]
    assert [[p["quantity"] for p in s["products"]] for s in said] == [[3], [], []]
    assert [s["contents"] for s in said] == ["assumed"] * 3

    desk.send(attach("N1", products=(product("mug", 1),)))
    assert shown(desk) == [[("mug", 1)], [("mug", 2)], []]

    desk.send(attach("N2", products=(product("mug", 2),)))
    assert shown(desk) == [[("mug", 1)], [("mug", 2)], []]


def test_parcels_without_a_list_share_what_the_lists_leave():
    desk = a_desk(expected=3)
    desk.send(attach("N1"))
    desk.send(attach("N2", products=(product("mug", 1),)))

    first, _, draft = with_assumed_contents(desk.order()).shipments

    assert shown(desk) == [[("mug", 2)], [("mug", 1)], []]
    assert draft.shares_with == first.shipment_id
    assert parcels_of(with_assumed_contents(desk.order()), 0) == tuple(
        s.shipment_id for s in desk.order().shipments[:2]
    )


def test_remainder_of_a_bundle_is_shown_as_whole_bundles_and_parts():
    desk = a_desk(SET, expected=2)
    desk.send(attach("N1", products=(product("cup", 1),)))

    assert shown(desk) == [[("cup", 1)], [("set", 1), ("cup", 1), ("tea", 1)]]


@pytest.mark.parametrize("event", ["LOST", "RETURNED_TO_SENDER"])
def test_parcel_without_a_list_that_replaces_one_that_is_gone_holds_its_goods(event):
    desk = a_desk()
    desk.send(attach("N1"))
    desk.send(report(scan(event, NOON + HOUR)))
    desk.send(attach("N2"))

    assert shown(desk) == [[("mug", 3)], [("mug", 3)]]
    assert counts(desk) == {"ordered": 3, "packed": 3}


def test_only_parcel_without_a_list_is_left_as_it_is():
    desk = a_desk()

    assert with_assumed_contents(desk.order()) == desk.order()


def test_ledger_follows_a_parcel_and_its_corrections():
    desk = a_desk(expected=2)
    desk.send(attach("N1", products=(product("mug", 2),)))
    assert counts(desk) == {"ordered": 3, "remaining": 1, "packed": 2}
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON + HOUR)))
    assert counts(desk) == {"ordered": 3, "remaining": 1, "shipped": 2}
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + 2 * HOUR, scan_id="d")))
    assert counts(desk) == {"ordered": 3, "remaining": 1, "delivered": 2}
    desk.send(report(scan("SCAN_RETRACTED", NOON + 3 * HOUR, retracts="d")))
    assert counts(desk) == {"ordered": 3, "remaining": 1, "shipped": 2}
    desk.send(report(scan("LOST", NOON + 4 * HOUR)))
    assert counts(desk) == {"ordered": 3, "remaining": 1, "lost": 2}
    desk.send(attach("N2", products=(product("mug", 2),)))
    assert counts(desk) == {"ordered": 3, "packed": 2, "lost": 1}
    desk.send(update_shipment(tracking_number="N2", products=(MUGS,)))
    assert counts(desk) == {"ordered": 3, "packed": 3}


def test_ledger_counts_goods_that_came_back():
    desk = a_desk()
    desk.send(attach("N1", products=(MUGS,)))
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)))
    desk.send(report(scan("RETURN_RECEIVED", NOON + 20 * HOUR)))

    assert counts(desk) == {"ordered": 3, "returned": 3}


def test_released_parcel_gives_its_goods_back_to_the_ledger():
    desk = a_desk()
    desk.send(attach("N1", products=(MUGS,)))

    desk.send(void(tracking_number="N1"))

    assert counts(desk) == {"ordered": 3, "remaining": 3}


def a_claim(held, status="pending", number=1, **data):
    desk_order = a_desk().order()
    return RecordClaim(
        **item(),
        shop=SHOP,
        order_id=desk_order.order_id,
        claim=ClaimCopy(
            claim_id=str(uuid5(NAMESPACE, f"claim/{number}")),
            sequence=number,
            status=status,
            event_data={"held_items": [{"product": k, "quantity": n} for k, n in held], **data},
        ),
    )


@pytest.mark.parametrize(
    ("claim", "claimed"),
    [
        (a_claim([("sku/mug", 2)]), 2),
        (a_claim([("sku/mug", 2)], "accepted"), 2),
        (a_claim([("sku/mug", 2)], "closed", is_granted=True), 2),
        (a_claim([("sku/mug", 2)], "closed", is_granted=False), None),
        (a_claim([("sku/mug", 2)], "rejected"), None),
        (a_claim([("sku/mug", 2)], "withdrawn"), None),
        (a_claim([("sku/other", 1)]), None),
        (a_claim([]), None),
    ],
)
def test_ledger_counts_what_claims_hold(claim, claimed):
    desk = a_desk()
    desk.send(attach("N1", products=(MUGS,)))

    desk.send(claim)

    assert counts(desk).get("claimed") == claimed


def test_ledger_of_the_only_parcel_without_a_list_follows_it_beside_a_claim():
    desk = a_desk(MUGS, SET)
    desk.send(attach("N1"))
    desk.send(a_claim([("sku/mug", 2)]))
    assert counts(desk) == {"ordered": 3, "packed": 3, "claimed": 2}
    assert counts(desk, 1, 0) == {"ordered": 4, "packed": 4}

    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)))

    assert counts(desk) == {"ordered": 3, "delivered": 3, "claimed": 2}
    order = desk.order()
    assert parcels_of(with_assumed_contents(order), 0) == (order.shipments[0].shipment_id,)
    said = msgspec.json.decode(snapshot.encode(order, 10**6).json)["order"]["ledger"]
    assert [(each["remaining"], each["delivered"]) for each in said] == [(0, 3), (0, 2)]


OLD = Product(line_id="L", variant_id="V", sku="old", quantity=3)


@pytest.mark.parametrize(
    ("names", "line", "claimed"),
    [
        ({"line_id": "L", "variant_id": "V"}, Product(line_id="L", sku="new", quantity=3), 2),
        ({"line_id": "L"}, Product(line_id="L", title="New", quantity=3), 2),
        ({"variant_id": "V"}, Product(variant_id="V", sku="new", quantity=3), 2),
        ({}, Product(line_id="L", sku="old", quantity=3), 2),
        # A claim of a version that kept only the key.
        ({}, Product(line_id="L", sku="new", quantity=3), None),
    ],
)
def test_ledger_counts_what_claims_hold_when_the_line_is_renamed(names, line, claimed):
    desk = a_desk(OLD)
    desk.send(a_claim([], held_items=[{"product": "sku/old", "quantity": 2, **names}]))

    desk.send(upsert(order=fields(products=(line,))))

    assert counts(desk).get("claimed") == claimed


def test_ledger_counts_claims_on_their_lines_when_skus_are_swapped():
    desk = a_desk(OLD, Product(line_id="M", sku="new"))
    held = {"product": "sku/old", "quantity": 2, "line_id": "L"}
    desk.send(a_claim([], held_items=[held]))

    swapped = (Product(line_id="L", sku="new", quantity=3), Product(line_id="M", sku="old"))
    desk.send(upsert(order=fields(products=swapped)))

    assert [counts(desk, line).get("claimed") for line in (0, 1)] == [2, None]


def test_whole_bundles_are_counted_where_all_their_pieces_are():
    desk = a_desk(SET)
    desk.send(attach("N1", products=(product("cup", 3), product("tea", 2))))
    found = ledger_of(with_assumed_contents(desk.order()))

    assert whole_bundles(SET, [found[0, 0], found[0, 1]]) == LedgerCounts(ordered=2, packed=1)


def test_ledger_stands_in_the_snapshot_with_its_parcels():
    desk = a_desk(SET, MUGS, expected=2)
    desk.send(attach("N1", products=(product("set", 1), product("mug", 3))))

    told = msgspec.json.decode(snapshot.encode(desk.order(), 10**6).json)["order"]["ledger"]

    zero = {"shipped": 0, "delivered": 0, "lost": 0, "returned": 0, "claimed": 0}
    parcel = [desk.shipment(1).shipment_id]
    names = {"line_id": None, "variant_id": None, "title": None}
    assert told == [
        {
            "line": 0,
            **names,
            "sku": "set",
            **zero,
            "ordered": 2,
            "remaining": 1,
            "packed": 1,
            "shipment_ids": parcel,
            "parts": [
                {
                    "part": 0,
                    **names,
                    "sku": "cup",
                    **zero,
                    "ordered": 4,
                    "remaining": 2,
                    "packed": 2,
                },
                {
                    "part": 1,
                    **names,
                    "sku": "tea",
                    **zero,
                    "ordered": 2,
                    "remaining": 1,
                    "packed": 1,
                },
            ],
        },
        {
            "line": 1,
            **names,
            "sku": "mug",
            **zero,
            "ordered": 3,
            "remaining": 0,
            "packed": 3,
            "shipment_ids": parcel,
            "parts": [],
        },
    ]


EVENTS = st.sampled_from(
    ["PICKED_UP_BY_CARRIER", "LOST", "DISPOSED", "SUCCESSFULLY_DELIVERED", "REFUSED", "SORTED"]
)
LISTS = st.none() | st.lists(
    st.builds(product, st.sampled_from(["mug", "set", "cup", "tea", "gift"]), st.integers(1, 3)),
    max_size=2,
).map(tuple)
STEPS = st.lists(
    st.tuples(st.sampled_from(["N1", "N2", "N3"]), st.one_of(LISTS, EVENTS)), max_size=8
)


@settings(max_examples=200)
@given(st.integers(1, 3), STEPS)
def test_ledger_counts_every_piece_once(expected, steps):
    desk = a_desk(SET, MUGS, expected=expected)
    for at, (number, what) in enumerate(steps):
        if isinstance(what, str):
            desk.send(report(scan(what, NOON + at * HOUR, number=number), number=number))
        else:
            desk.send(attach(number, products=what))

    order = with_assumed_contents(desk.order())
    ledger = ledger_of(order)
    assert set(ledger) == {(0, 0), (0, 1), (1, None)}
    for found in ledger.values():
        places = [getattr(found, n) for n in islice(found.__struct_fields__, 1, 7)]
        assert min(places) >= 0
        assert sum(places) == found.ordered
    live = Counter()
    for shipment in order.shipments:
        for packed in () if shipment.is_gone else shipment.lines or ():
            live[packed.line] += packed.quantity if packed.part is None else 0
    assert live[0] <= 2
    assert live[1] <= 3


def test_draft_is_expected_on_the_promised_day():
    desk = Desk()
    desk.send(place(promised_delivery_date=NOON.date(), expected_number_of_shipments=2))
    desk.send(attach("N1"))

    said = msgspec.json.decode(snapshot.encode(desk.order(), 10**6).json)

    parcel, draft = said["order"]["trackings"]
    assert parcel["eta"] is None
    assert draft["eta"] == {"from": None, "to": NOON.date().isoformat(), "source": "promise"}
    assert said["shipments"][1]["eta"] == draft["eta"]
