"""Goods of claims as lines of the order: bundles, parcels that share contents, goods sent again."""

from collections import Counter
from itertools import product as every

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.claims.domain.claim import ClaimItem, ClaimReason, HeldGoods
from services.claims.domain.decide import decide
from services.claims.domain.decision import Outcome
from services.claims.domain.goods import contents, pieces
from services.claims.domain.order_copy import Product
from services.claims.domain.reasons import RejectionReason
from tests.unit.claims.builders import (
    NOON,
    a_claim,
    a_shipment,
    a_state,
    an_id,
    an_opening,
    an_order,
    items,
)

MUG = Product(sku="MUG", line_id="L1", variant_id="V1", title="Mug", quantity=2)
SET = Product(
    sku="SET", parts=(Product(sku="MUG", quantity=2), Product(sku="TEA", quantity=1)), quantity=1
)


def outcomes(order, *openings):
    """What becomes of openings, one after the other."""
    state = a_state(order=order)
    found = []
    for opening in openings:
        decision = decide(state, opening, NOON)
        state = state.after(decision)
        found.append(decision.reason or decision.outcome.value)
    return found


def opening(name, number=1, reason=ClaimReason.DAMAGE, selected=()):
    return an_opening(
        name, tracking_number=f"1Z-00{number}", reason=reason, selected_items=selected
    )


@pytest.mark.parametrize(
    "item",
    [
        ClaimItem(sku="MUG", quantity=1),
        ClaimItem(sku="V1", quantity=1),
        ClaimItem(sku="L1", quantity=1),
        ClaimItem(title="mug", quantity=1),
        # As the warehouse called it in the parcel's list.
        ClaimItem(sku="WH-7", quantity=1),
    ],
)
def test_goods_of_a_parcel_are_the_line_they_were_matched_to(item):
    listed = (Product(line_id="L1", sku="WH-7", quantity=1),)
    parcel = a_shipment(products=listed, lines=(replace(MUG, quantity=1),))
    order = an_order(parcel, products=(MUG,))

    claim = decide(a_state(order=order), opening("one", selected=(item,)), NOON).claim

    assert claim.holds == (HeldGoods(product="sku/MUG", quantity=1, line_id="L1", variant_id="V1"),)


def test_one_mug_is_one_mug_for_every_reason():
    parcel = a_shipment(
        products=(Product(line_id="L1", quantity=1),), lines=(replace(MUG, quantity=1),)
    )
    order = an_order(parcel, products=(MUG,))
    mug = items(MUG=1)

    assert outcomes(
        order,
        opening("damaged", selected=mug),
        opening("returned", reason=ClaimReason.RETURN, selected=mug),
        opening("missing", reason=ClaimReason.INVESTIGATION, selected=mug),
        opening("all of it", reason=ClaimReason.INVESTIGATION),
    ) == ["applied", "quantity_above_shipped", "quantity_above_shipped", "nothing_left_to_claim"]


def test_two_ordered_mugs_are_claimed_twice_over_all_parcels():
    first = a_shipment(1, products=(Product(variant_id="V1", quantity=2),), lines=(MUG,))
    order = an_order(first, a_shipment(2), products=(MUG,))

    assert outcomes(
        order,
        opening("one", 2, selected=items(MUG=1)),
        opening("two", 1, selected=items(MUG=2)),
        opening("three", 1, selected=items(MUG=1)),
        opening("four", 2, ClaimReason.RETURN, items(MUG=1)),
        opening("five", 2),
    ) == [
        "applied",
        "quantity_above_shipped",
        "applied",
        "quantity_above_shipped",
        "nothing_left_to_claim",
    ]


def test_bundle_that_is_claimed_uses_up_its_parts_and_the_reverse():
    order = an_order(a_shipment(lines=(SET,)), products=(SET,))

    assert outcomes(
        order, opening("set", selected=items(SET=1)), opening("mug", selected=items(MUG=1))
    ) == ["applied", "quantity_above_shipped"]
    assert outcomes(
        order,
        opening("mug", selected=items(MUG=1)),
        opening("set", selected=items(SET=1)),
        opening("rest", reason=ClaimReason.RETURN),
        opening("more", reason=ClaimReason.RETURN, selected=items(TEA=1)),
    ) == ["applied", "quantity_above_shipped", "applied", "quantity_above_shipped"]


def test_bundle_beside_single_pieces_of_its_part():
    single = Product(sku="MUG", quantity=1)
    order = an_order(a_shipment(lines=(SET, single)), products=(SET, single))

    assert outcomes(
        order,
        opening("three", selected=items(MUG=3)),
        opening("tea", selected=items(TEA=1)),
        opening("set", selected=items(SET=1)),
    ) == ["applied", "applied", "quantity_above_shipped"]


def test_parcels_that_share_their_contents_are_claimed_once():
    """One list for the numbers of a delivery; the order has as many pieces in another parcel."""
    first = a_shipment(1, products=(MUG,), lines=(MUG,))
    second = a_shipment(2, products=(MUG,), lines=(), shares_with=first.shipment_id)
    other = a_shipment(3, products=(MUG,), lines=(MUG,))
    order = an_order(first, second, other, products=(replace(MUG, quantity=4),))

    assert outcomes(
        order,
        opening("one", 1, selected=items(MUG=1)),
        opening("two", 2, selected=items(MUG=1)),
        opening("three", 2, ClaimReason.RETURN, items(MUG=1)),
        opening("four", 3, selected=items(MUG=2)),
    ) == ["applied", "applied", "quantity_above_shipped", "applied"]


def test_gift_cannot_be_claimed_but_asked_about():
    gift = Product(sku="GIFT", quantity=1)
    order = an_order(a_shipment(products=(MUG, gift), lines=(MUG,)), products=(MUG,))

    assert outcomes(
        order,
        opening("gift", selected=items(GIFT=1)),
        opening("question", reason=ClaimReason.SUPPORT, selected=items(GIFT=1)),
        opening("no such", selected=items(CAP=1)),
        opening("all", selected=()),
    ) == [
        RejectionReason.ITEM_NOT_ORDERED,
        "applied",
        RejectionReason.ITEM_NOT_IN_SHIPMENT,
        "applied",
    ]


def test_parcel_in_which_nothing_was_ordered_has_nothing_to_claim():
    order = an_order(a_shipment(products=(Product(sku="GIFT"),), lines=()), products=(MUG,))

    assert outcomes(order, opening("all")) == ["nothing_left_to_claim"]


@pytest.mark.parametrize("event", ["LOST", "DISPOSED", "CONFISCATED", "TRACKING_EXPIRED"])
def test_parcel_that_its_carrier_gave_up_can_be_missed(event):
    lost = a_shipment(phase="in_transit", delivered_at=None, given_up=event)

    (outcome,) = outcomes(an_order(lost), opening("x", reason=ClaimReason.INVESTIGATION))

    assert outcome == "applied"


def test_damaged_parcel_that_is_under_way_is_not_missing():
    damaged = a_shipment(phase="in_transit", delivered_at=None)

    (outcome,) = outcomes(an_order(damaged), opening("x", reason=ClaimReason.INVESTIGATION))

    assert outcome == "not_delivered"


@pytest.mark.parametrize("held", ["title/mug", "variant/V1", "line/L1"])
def test_goods_that_a_claim_holds_are_known_by_every_name_of_their_line(held):
    """The order's line had fewer names when the claim was opened."""
    parcel = a_shipment(lines=(MUG,))
    claim = a_claim(holds=(HeldGoods(product=held, quantity=2),))
    state = a_state(claim, order=an_order(parcel, products=(MUG,)))

    again = opening("again", reason=ClaimReason.RETURN, selected=items(MUG=1))

    assert decide(state, again, NOON).reason == RejectionReason.QUANTITY_ABOVE_SHIPPED


SHIRTS = (
    Product(sku="S1", title="Shirt", quantity=1),
    Product(sku="S2", title="Shirt", quantity=1),
    Product(sku="S1", title="Shirt long", quantity=1),
)
SHIRT, TWO_SHIRTS = ClaimItem(title="Shirt", quantity=1), ClaimItem(title="Shirt", quantity=2)


@pytest.mark.parametrize("is_turned", [False, True], ids=["in order", "the last item first"])
@pytest.mark.parametrize(
    ("lines", "selected", "becomes"),
    [
        # All of one title, and one more of a product that has this title and another one.
        (SHIRTS, (TWO_SHIRTS, *items(S1=1)), {"sku/S1": 2, "sku/S2": 1}),
        (SHIRTS, (SHIRT, SHIRT), {"sku/S1": 1, "sku/S2": 1}),
        (SHIRTS, (SHIRT, *items(S2=1)), {"sku/S1": 1, "sku/S2": 1}),
        (SHIRTS[:2], (SHIRT, *items(S1=1)), {"sku/S1": 1, "sku/S2": 1}),
        (SHIRTS, (SHIRT,), RejectionReason.ITEM_AMBIGUOUS),
        (SHIRTS, (SHIRT, *items(S1=1)), RejectionReason.ITEM_AMBIGUOUS),
        (SHIRTS, (TWO_SHIRTS, SHIRT), RejectionReason.QUANTITY_ABOVE_SHIPPED),
        (SHIRTS[:2], (TWO_SHIRTS, *items(S1=1)), RejectionReason.QUANTITY_ABOVE_SHIPPED),
    ],
)
def test_name_of_several_products_means_those_that_are_left(lines, selected, becomes, is_turned):
    order = an_order(a_shipment(1, lines=lines), products=SHIRTS)

    decision = decide(
        a_state(order=order), opening("a", selected=selected[:: -1 if is_turned else 1]), NOON
    )

    if isinstance(becomes, RejectionReason):
        assert decision.reason == becomes
    else:
        assert {each.product: each.quantity for each in decision.claim.holds} == becomes


def _meanings(lines, selected):
    """The counts of products that items can mean, found by trying every line for every piece."""
    named = [item for item in selected for _ in range(item.quantity)]
    fitting = [[n for n, line in enumerate(lines) if _fits(item, line)] for item in named]
    chosen = (Counter(each) for each in every(*fitting))
    possible = [
        each for each in chosen if all(each[n] <= line.quantity for n, line in enumerate(lines))
    ]
    return {frozenset(_by_key(lines, each).items()) for each in possible}


def _fits(item, line):
    return item.sku == line.sku if item.sku else item.title == line.title


def _by_key(lines, counts):
    found = Counter()
    for at, count in counts.items():
        found[f"sku/{lines[at].sku}"] += count
    return found


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(
            Product,
            sku=st.sampled_from("ABC"),
            title=st.sampled_from(["x", "y"]),
            quantity=st.integers(1, 2),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    st.lists(
        st.one_of(
            st.builds(ClaimItem, sku=st.sampled_from("ABC"), quantity=st.integers(1, 2)),
            st.builds(ClaimItem, title=st.sampled_from(["x", "y"]), quantity=st.integers(1, 2)),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
def test_claim_is_taken_only_with_the_one_meaning_its_items_can_have(lines, selected):
    order = an_order(a_shipment(1, lines=lines), products=lines)

    decision = decide(a_state(order=order), opening("a", selected=selected), NOON)

    meanings = _meanings(lines, selected)
    # Lines of one product are one product, also for a title that only one of them has.
    if decision.claim is not None and meanings:
        held = frozenset((each.product, each.quantity) for each in decision.claim.holds)
        assert meanings == {held}
    if len(meanings) > 1:
        assert decision.reason == RejectionReason.ITEM_AMBIGUOUS


LINES = (
    SET,
    Product(sku="MUG", title="Mug", quantity=2),
    Product(sku="MUG", title="Mug, engraved", quantity=1),
    Product(variant_id="V9", quantity=2),
)
IN_PARCELS = st.lists(
    st.builds(
        lambda line, count: replace(LINES[line], quantity=min(count, LINES[line].quantity)),
        st.integers(0, 3),
        st.integers(1, 2),
    ),
    max_size=3,
).map(tuple)
OPENINGS = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.sampled_from([ClaimReason.DAMAGE, ClaimReason.RETURN, ClaimReason.INVESTIGATION]),
        st.sampled_from([(), items(MUG=1), items(SET=1), items(TEA=1), items(V9=2, MUG=2)]),
    ),
    max_size=8,
)


@settings(max_examples=200)
@given(IN_PARCELS, st.none() | IN_PARCELS, OPENINGS)
def test_claims_hold_at_most_what_was_shipped_and_ordered(first, second, openings):
    order = an_order(a_shipment(1, lines=first), a_shipment(2, lines=second), products=LINES)
    state = a_state(order=order)
    for at, (number, reason, selected) in enumerate(openings):
        state = state.after(decide(state, opening(at, number, reason, selected), NOON))

    held, held_by_parcel = Counter(), {an_id(f"shipment {n}"): Counter() for n in (1, 2)}
    by_key = {"sku/SET": SET, **{f"sku/{part.sku}": part for part in SET.parts}}
    for claim in state.claims.values():
        for goods in claim.holds:
            product = by_key.get(goods.product, Product(variant_id="V9"))
            counted = pieces([replace(product, quantity=goods.quantity)])
            held += counted
            held_by_parcel[claim.shipment.shipment_id] += counted
    assert held <= pieces(LINES)
    for shipment in order.shipments:
        assert held_by_parcel[shipment.shipment_id] <= pieces(contents(order, shipment))
    assert all(
        decide(state, opening(at, *each), NOON).outcome is not Outcome.WAITING
        for at, each in enumerate(openings, 100)
    )
