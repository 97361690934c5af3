"""Claims hold their goods when the shop gives the order line another name."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.claims.domain.claim import ClaimItem, ClaimReason, HeldGoods, Status
from services.claims.domain.decide import decide
from services.claims.domain.goods import contents, pieces
from services.claims.domain.order_copy import Product
from services.claims.domain.reasons import RejectionReason
from tests.unit.claims.builders import (
    LATER,
    a_claim,
    a_shipment,
    a_state,
    an_opening,
    an_order,
    an_update,
    items,
)
from tests.unit.claims.test_properties import command_for


def an_order_of(*lines):
    """An order with all its lines in one parcel."""
    return an_order(a_shipment(lines=lines), products=lines)


def renamed(state, *lines):
    return replace(state, order=an_order_of(*lines))


def claimed(state, *selected, name="again", reason=ClaimReason.RETURN):
    """The decision about a claim on the selected items, and the state after it."""
    opening = an_opening(name, reason=reason, selected_items=selected)
    decision = decide(state, opening, LATER)
    return decision, state.after(decision)


def held(claim):
    found = Counter()
    for each in claim.holds:
        found[each.product] += each.quantity
    return found


TWO = {"quantity": 2}
RENAMED = [
    ("sku of a line id", {"line_id": "L", "sku": "OLD"}, {"line_id": "L", "sku": "NEW"}),
    ("sku of a variant", {"variant_id": "V", "sku": "OLD"}, {"variant_id": "V", "sku": "NEW"}),
    (
        "variant of a line id",
        {"line_id": "L", "variant_id": "V"},
        {"line_id": "L", "variant_id": "W"},
    ),
    ("title of a line id", {"line_id": "L", "title": "Old"}, {"line_id": "L", "title": "New"}),
    ("sku is added", {"line_id": "L", "title": "Mug"}, {"line_id": "L", "sku": "NEW"}),
    ("sku is taken away", {"line_id": "L", "sku": "OLD"}, {"line_id": "L", "title": "Mug"}),
    (
        "line id is added",
        {"variant_id": "V", "sku": "OLD"},
        {"line_id": "L", "variant_id": "V", "sku": "NEW"},
    ),
    (
        "line id is taken away",
        {"line_id": "L", "variant_id": "V", "sku": "OLD"},
        {"variant_id": "V", "sku": "NEW"},
    ),
    ("title of a sku", {"sku": "S", "title": "Old"}, {"sku": "S", "title": "New"}),
    (
        "all names of a line id",
        {"line_id": "L", "variant_id": "V", "sku": "OLD", "title": "Old"},
        {"line_id": "L", "variant_id": "W", "sku": "NEW", "title": "New"},
    ),
]


@pytest.mark.parametrize(
    ("former", "present"),
    [
        pytest.param(Product(**a, **TWO), Product(**b, **TWO), id=f"{name}, {way}")
        for name, one, other in RENAMED
        for way, a, b in (("there", one, other), ("back", other, one))
    ],
)
def test_whole_parcel_after_a_rename_is_what_claims_left(former, present):
    first = ClaimItem(sku=former.sku or former.variant_id, title=former.title, quantity=1)
    _, state = claimed(a_state(order=an_order_of(former)), first, name="first")

    decision, state = claimed(renamed(state, present))

    assert held(decision.claim).total() == 1
    none_left, _ = claimed(state, name="third", reason=ClaimReason.INVESTIGATION)
    assert none_left.reason == RejectionReason.NOTHING_LEFT_TO_CLAIM


def test_line_with_another_sku_and_no_line_id_or_variant_is_another_line():
    state = a_state(order=an_order_of(Product(sku="OLD", title="Shirt")))
    _, state = claimed(state, *items(OLD=1), name="first")

    decision, _ = claimed(renamed(state, Product(sku="NEW", title="Shirt")), *items(NEW=1))

    assert decision.claim is not None


def test_goods_held_without_line_id_follow_their_key():
    """A claim that the version before stored."""
    claim = a_claim(holds=(HeldGoods(product="sku/OLD", quantity=1),))
    former = Product(line_id="L", sku="OLD", quantity=2)

    before, _ = claimed(a_state(claim, order=an_order_of(former)))
    after, _ = claimed(a_state(claim, order=an_order_of(replace(former, sku="NEW"))))

    assert (held(before.claim).total(), held(after.claim).total()) == (1, 2)


def test_goods_stay_with_their_line_when_two_lines_swap_their_skus():
    one = Product(line_id="L1", sku="A")
    two = Product(line_id="L2", sku="B", quantity=3)
    _, state = claimed(a_state(order=an_order_of(one, two)), *items(A=1), name="first")

    decision, _ = claimed(renamed(state, replace(one, sku="B"), replace(two, sku="A")))

    assert held(decision.claim) == {"sku/A": 3}


def test_goods_of_two_lines_with_one_sku_are_held_of_each_line():
    one, two = Product(line_id="L1", sku="A"), Product(line_id="L2", sku="A")
    state = a_state(order=an_order_of(one, two))
    first, state = claimed(state, *items(A=1), name="first")
    second, state = claimed(state, *items(A=1), name="second", reason=ClaimReason.DAMAGE)

    decision, _ = claimed(renamed(state, one, replace(two, sku="B")))

    lines = [each.line_id for claim in (first.claim, second.claim) for each in claim.holds]
    assert lines == ["L1", "L2"]
    assert decision.reason == RejectionReason.NOTHING_LEFT_TO_CLAIM


def test_variant_of_two_lines_is_held_of_each_when_both_are_renamed():
    one, two = Product(variant_id="V", sku="A"), Product(variant_id="V", sku="B")
    state = a_state(order=an_order_of(one, two))
    _, state = claimed(state, *items(A=1), name="first")
    _, state = claimed(state, *items(B=1), name="second")

    decision, _ = claimed(renamed(state, replace(one, sku="C"), replace(two, sku="D")))

    assert decision.reason == RejectionReason.NOTHING_LEFT_TO_CLAIM


def test_renamed_bundle_and_its_renamed_parts_use_each_other_up():
    def bundle(name, part):
        parts = (Product(variant_id="P", sku=part, quantity=2),)
        return Product(line_id="L", sku=name, parts=parts, quantity=2)

    state = a_state(order=an_order_of(bundle("SET", "MUG")))
    _, state = claimed(state, *items(SET=1), name="first")
    state = renamed(state, bundle("KIT", "CUP"))
    _, state = claimed(state, *items(CUP=1), name="second")

    decision, _ = claimed(renamed(state, bundle("BOX", "JUG")))

    assert held(decision.claim) == {"sku/JUG": 1}


def test_claim_that_is_opened_again_holds_its_goods_under_their_present_name():
    former = Product(line_id="L", sku="OLD", quantity=2)
    first, state = claimed(a_state(order=an_order_of(former)), *items(OLD=1), name="first")
    close = an_update("close", claim_id=first.claim.claim_id, status=Status.CLOSED)
    state = state.after(decide(state, close, LATER))
    again = an_update(
        "again", claim_id=first.claim.claim_id, status=Status.PENDING, reason_for_change="x"
    )
    state = renamed(state, replace(former, sku="NEW"))

    opened = decide(state, again, LATER)
    _, other = claimed(state, name="all of it")
    refused = decide(other, again, LATER)

    assert opened.claim.holds == (HeldGoods(product="sku/NEW", quantity=1, line_id="L"),)
    assert refused.reason == RejectionReason.QUANTITY_ABOVE_SHIPPED


LINE_IDS = ("L1", "L2", "L3")
NAMES = st.fixed_dictionaries(
    {},
    optional={
        "sku": st.sampled_from("AB"),
        "variant_id": st.sampled_from("VW"),
        "title": st.sampled_from(["x", "y"]),
    },
)
RENAMES = st.lists(NAMES, min_size=3, max_size=3)
SELECTIONS = st.sampled_from(
    [(), items(A=1), items(B=2), items(V=1), items(L1=1), items(L2=1, A=1)]
) | st.builds(lambda title: (ClaimItem(title=title, quantity=1),), st.sampled_from(["x", "y"]))
OPENINGS = st.builds(
    lambda name, parcel, reason, selected: an_opening(
        name, tracking_number=f"1Z-00{parcel}", reason=reason, selected_items=selected
    ),
    st.integers(0, 99),
    st.integers(1, 2),
    st.sampled_from([ClaimReason.DAMAGE, ClaimReason.RETURN, ClaimReason.INVESTIGATION]),
    SELECTIONS,
)
CHANGES = st.tuples(st.integers(0, 99), st.sampled_from([*Status, None]), st.integers(0, 5))
PACKED = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), max_size=3)


def an_order_named(names, packed):
    """An order with two of each line, and two parcels with pieces of its lines."""
    lines = [
        Product(line_id=L, quantity=2, **each) for L, each in zip(LINE_IDS, names, strict=True)
    ]
    parcels = [
        a_shipment(number, lines=tuple(replace(lines[at], quantity=count) for at, count in inside))
        for number, inside in enumerate(packed, 1)
    ]
    return an_order(*parcels, products=tuple(lines))


def held_of_lines(state):
    found = Counter()
    for claim in state.claims.values():
        for each in claim.holds if claim.is_holding else ():
            found[each.line_id] += each.quantity
    return found


@settings(max_examples=300)
@given(st.tuples(PACKED, PACKED), RENAMES, st.lists(OPENINGS | CHANGES | RENAMES, max_size=20))
def test_claims_never_hold_more_of_a_line_than_was_ordered_whatever_its_names(packed, names, steps):
    state = a_state(order=an_order_named(names, packed))
    for step in steps:
        if isinstance(step, list):
            state = replace(state, order=an_order_named(step, packed))
            continue
        command = command_for(state, step)
        state = state.after(decide(state, command, LATER))
        found = held_of_lines(state)
        assert set(found) <= set(LINE_IDS)
        assert max(found.values(), default=0) <= 2


SKUS = st.permutations("ABCDE")


@settings(max_examples=300)
@given(SKUS, st.lists(SKUS | OPENINGS, max_size=15))
def test_claims_never_hold_more_than_was_ordered_of_variants_with_other_skus(first, steps):
    def an_order_with(skus):
        lines = [Product(variant_id=f"V{at // 2}", sku=sku) for at, sku in enumerate(skus[:3])]
        return an_order(a_shipment(1, lines=tuple(lines)), a_shipment(2), products=tuple(lines))

    state = a_state(order=an_order_with(first))
    for step in steps:
        if isinstance(step, list):
            state = replace(state, order=an_order_with(step))
        else:
            state = state.after(decide(state, step, LATER))
        total = sum(each.quantity for claim in state.claims.values() for each in claim.holds)
        assert total <= pieces(contents(state.order, state.order.shipments[0])).total()
