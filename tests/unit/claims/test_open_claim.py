"""Opening a claim: gates, quantities, duplicates, evidence."""

import pytest
from msgspec.structs import replace

from services.claims.domain.claim import ClaimItem, ClaimReason, Evidence, HeldGoods, Status
from services.claims.domain.commands import OrderReference
from services.claims.domain.decide import decide
from services.claims.domain.decision import Action, Outcome
from services.claims.domain.ids import claim_id
from services.claims.domain.limits import LINKS_MAX
from services.claims.domain.named_goods import ITEMS_MAX
from services.claims.domain.order_copy import OrderCopy, Product
from services.claims.domain.reasons import SENTENCES, RejectionReason
from services.claims.domain.references import anchor_key, order_key
from tests.unit.claims.builders import (
    MUG,
    NOON,
    SHOP,
    TEE,
    a_claim,
    a_draft,
    a_shipment,
    a_state,
    an_id,
    an_opening,
    an_order,
    items,
)

UNDER_WAY = a_shipment(phase="in_transit", delivered_at=None)


def refused(state, command) -> str:
    """The reason for which a command is rejected; asserts that it changes nothing."""
    decision = decide(state, command, NOON)
    assert decision.outcome is Outcome.REJECTED
    assert decision.claim is None
    assert decision.event is None
    assert decision.detail
    return decision.reason


def test_reasons_have_sentences():
    assert set(SENTENCES) == set(RejectionReason)


def test_claim_is_opened_with_the_current_state_of_the_parcel():
    state = a_state(sequence=4)

    decision = decide(state, an_opening(selected_items=items(MUG_BLUE=2)), NOON)

    claim = decision.claim
    assert decision.outcome is Outcome.APPLIED
    assert claim.claim_id == claim_id(state.order.order_id, an_id("open"))
    assert (claim.status, claim.reason, claim.created_at) == (
        Status.PENDING,
        ClaimReason.DAMAGE,
        NOON,
    )
    assert (claim.shipment.phase, claim.shipment.carrier_reference) == ("delivered", "ups")
    assert claim.holds == (HeldGoods(product="sku/MUG-BLUE", quantity=2, variant_id="v-1"),)
    assert (decision.event.action, decision.event.sequence) == (Action.CREATED, 5)
    assert decision.event.order_version == 4


def test_parcel_is_found_by_another_spelling_of_its_number():
    decision = decide(a_state(), an_opening(tracking_number="1z 001"), NOON)

    assert decision.claim.shipment.shipment_id == an_id("shipment 1")


def test_parcel_id_and_number_must_name_the_same_parcel():
    order = an_order(a_shipment(1), a_shipment(2))
    command = an_opening(shipment_id=an_id("shipment 2"), tracking_number="1Z-001")

    decision = decide(a_state(order=order), command, NOON)

    assert (decision.outcome, decision.reason) == (
        Outcome.WAITING,
        RejectionReason.SHIPMENT_NOT_FOUND,
    )


@pytest.mark.parametrize(
    ("order", "changes", "reason"),
    [
        (OrderCopy(order_id=an_order().order_id), {}, RejectionReason.ORDER_NOT_FOUND),
        (an_order(), {"tracking_number": "unheard-of"}, RejectionReason.SHIPMENT_NOT_FOUND),
        (
            an_order(a_draft()),
            {"tracking_number": None, "shipment_id": an_id("shipment 1")},
            RejectionReason.NOT_SHIPPED,
        ),
        (an_order(UNDER_WAY), {"reason": ClaimReason.INVESTIGATION}, RejectionReason.NOT_DELIVERED),
    ],
)
def test_opening_waits_for_what_is_not_known_yet(order, changes, reason):
    decision = decide(a_state(order=order), an_opening(**changes), NOON)

    assert (decision.outcome, decision.reason) == (Outcome.WAITING, reason)
    assert decision.waits_for == order_key(order.order_id)
    assert decision.claim is None


def test_opening_waits_for_the_anchor_of_an_unknown_reference():
    reference = OrderReference(SHOP, "external_id", "gid-9")

    decision = decide(None, an_opening(order=reference), NOON)

    assert decision.waits_for == anchor_key(reference)


@pytest.mark.parametrize("phase", ["order_processed", "in_transit", "in_delivery", "collect"])
@pytest.mark.parametrize("reason", list(ClaimReason))
def test_opening_needs_the_delivery_only_for_an_investigation(phase, reason):
    order = an_order(a_shipment(phase=phase, delivered_at=None))
    command = an_opening(reason=reason, selected_items=items(MUG_BLUE=1))

    outcome = decide(a_state(order=order), command, NOON).outcome

    gated = reason is ClaimReason.INVESTIGATION
    assert outcome is (Outcome.WAITING if gated else Outcome.APPLIED)


def test_order_of_another_shop_is_rejected_as_not_found():
    reference = OrderReference("other-shop", "uuid", str(an_order().order_id))

    assert refused(a_state(), an_opening(order=reference)) == RejectionReason.ORDER_NOT_FOUND


def test_opening_without_a_parcel_is_allowed_only_for_support():
    support = an_opening(reason=ClaimReason.SUPPORT, tracking_number=None)

    assert decide(a_state(), support, NOON).claim.shipment is None
    about_items = an_opening(
        reason=ClaimReason.SUPPORT, tracking_number=None, selected_items=items(MUG_BLUE=1)
    )
    for unnamed in (about_items, an_opening(tracking_number=None)):
        assert refused(a_state(), unnamed) == RejectionReason.SHIPMENT_NOT_NAMED


@pytest.mark.parametrize(
    ("selected", "reason"),
    [
        (items(MUG_BLUE=4), RejectionReason.QUANTITY_ABOVE_SHIPPED),
        ((*items(MUG_BLUE=2), *items(MUG_BLUE=2)), RejectionReason.QUANTITY_ABOVE_SHIPPED),
        (items(CAP=1), RejectionReason.ITEM_NOT_IN_SHIPMENT),
        ((ClaimItem(quantity=1),), RejectionReason.ITEM_NOT_NAMED),
        (
            (ClaimItem(sku="OTHER", title="Blue mug", quantity=1),),
            RejectionReason.ITEM_NOT_IN_SHIPMENT,
        ),
        (items(MUG_BLUE=1) * (ITEMS_MAX + 1), RejectionReason.TOO_MANY_ITEMS),
    ],
)
def test_items_that_were_not_sent_are_rejected(selected, reason):
    assert refused(a_state(), an_opening(selected_items=selected)) == reason


@pytest.mark.parametrize(
    "item",
    [
        ClaimItem(sku="MUG-BLUE", quantity=1),
        ClaimItem(sku="v-1", quantity=1),
        ClaimItem(title=" blue  MUG ", quantity=1),
        ClaimItem(sku="MUG-BLUE", title="whatever they call it", quantity=1),
    ],
)
def test_items_are_matched_by_sku_variant_or_title(item):
    decision = decide(a_state(), an_opening(selected_items=(item,)), NOON)

    assert decision.claim.holds == (
        HeldGoods(product="sku/MUG-BLUE", quantity=1, variant_id="v-1"),
    )


def test_items_named_by_a_shared_title_are_rejected():
    order = an_order(products=(MUG, replace(MUG, sku="MUG-RED", variant_id="v-2")))
    command = an_opening(selected_items=(ClaimItem(title="Blue mug", quantity=1),))

    assert refused(a_state(order=order), command) == RejectionReason.ITEM_AMBIGUOUS


def test_goods_of_open_and_granted_claims_cannot_be_claimed_again():
    wanted = an_opening(reason=ClaimReason.RETURN, selected_items=items(MUG_BLUE=2))
    free = [
        a_claim(status=Status.REJECTED),
        a_claim(status=Status.CLOSED),
        a_claim(deleted_at=NOON),
    ]
    holding = [
        a_claim(),
        a_claim(status=Status.ACCEPTED),
        a_claim(status=Status.CLOSED, is_granted=True),
    ]

    for claim in free:
        assert decide(a_state(claim), wanted, NOON).outcome is Outcome.APPLIED
    for claim in holding:
        assert refused(a_state(claim), wanted) == RejectionReason.QUANTITY_ABOVE_SHIPPED


def test_goods_of_parcels_that_repeat_the_order_are_limited_to_the_order():
    order = an_order(a_shipment(1), a_shipment(2))
    first = decide(a_state(order=order), an_opening(selected_items=items(MUG_BLUE=2)), NOON)
    second = an_opening("two", tracking_number="1Z-002", selected_items=items(MUG_BLUE=2))

    state = a_state(order=order).after(first)

    assert refused(state, second) == RejectionReason.QUANTITY_ABOVE_SHIPPED


def test_claim_without_items_holds_what_is_left_of_the_parcel():
    state = a_state(a_claim(reason=ClaimReason.PARTIAL_DAMAGE))

    claim = decide(state, an_opening(), NOON).claim

    assert claim.holds == (
        HeldGoods(product="sku/MUG-BLUE", quantity=1, variant_id="v-1"),
        HeldGoods(product="sku/TEE-M", quantity=2),
    )


def test_parcel_with_nothing_left_cannot_be_claimed_as_a_whole():
    whole = a_claim(selected_items=items(MUG_BLUE=3, TEE_M=2))

    state = a_state(whole)

    assert (
        refused(state, an_opening(reason=ClaimReason.RETURN))
        == RejectionReason.NOTHING_LEFT_TO_CLAIM
    )


def test_parcel_of_unknown_contents_can_be_claimed_as_a_whole():
    order = an_order(products=())

    assert decide(a_state(order=order), an_opening(), NOON).claim.holds == ()
    with_items = an_opening(selected_items=items(MUG_BLUE=1))
    assert refused(a_state(order=order), with_items) == RejectionReason.ITEM_NOT_IN_SHIPMENT


def test_parcel_without_products_has_no_items_to_claim():
    order = an_order(a_shipment(products=()))

    with_items = an_opening(selected_items=items(MUG_BLUE=1))

    assert refused(a_state(order=order), with_items) == RejectionReason.ITEM_NOT_IN_SHIPMENT


def test_partial_damage_needs_items():
    command = an_opening(reason=ClaimReason.PARTIAL_DAMAGE)

    assert refused(a_state(), command) == RejectionReason.ITEMS_NOT_SELECTED


def test_support_holds_nothing_but_its_items_must_have_been_sent():
    asking = an_opening(reason=ClaimReason.SUPPORT, selected_items=items(MUG_BLUE=3))
    taken = a_state(a_claim(selected_items=items(MUG_BLUE=3)))

    assert decide(taken, asking, NOON).claim.holds == ()
    too_many = replace(asking, selected_items=items(MUG_BLUE=4))
    assert refused(a_state(), too_many) == RejectionReason.QUANTITY_ABOVE_SHIPPED


def test_repeated_opening_opens_one_claim():
    opened = decide(a_state(), an_opening(), NOON)
    closed = replace(opened.claim, status=Status.CLOSED)

    again = decide(a_state(closed), an_opening(), NOON)

    assert (again.outcome, again.reason) == (Outcome.NO_CHANGE, "duplicate")
    assert str(closed.claim_id) in again.detail
    assert again.claim is None


@pytest.mark.parametrize("status", [Status.PENDING, Status.ACCEPTED])
def test_duplicate_of_an_open_claim_opens_nothing(status):
    known = a_claim(status=status, selected_items=(*items(MUG_BLUE=1), *items(TEE_M=1)))
    again = an_opening("again", selected_items=(*items(TEE_M=1), *items(MUG_BLUE=1)))

    decision = decide(a_state(known), again, NOON)

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, "duplicate")
    assert str(known.claim_id) in decision.detail


def test_duplicate_delivered_again_after_the_claim_is_closed_opens_nothing():
    known = a_claim()
    second = an_opening("second", selected_items=items(MUG_BLUE=2))
    noted = decide(a_state(known), second, NOON).claim
    done = replace(noted, status=Status.REJECTED)

    again = decide(a_state(done), second, NOON)

    assert (again.outcome, again.reason, again.claim) == (Outcome.NO_CHANGE, "duplicate", None)
    assert noted == known.with_applied(second.item_id)


@pytest.mark.parametrize(
    "known",
    [
        a_claim(status=Status.REJECTED),
        a_claim(status=Status.CLOSED),
        a_claim(deleted_at=NOON),
    ],
)
def test_problem_whose_claim_is_closed_can_be_claimed_again(known):
    again = an_opening("again", selected_items=items(MUG_BLUE=2))

    assert decide(a_state(known), again, NOON).outcome is Outcome.APPLIED


def test_claim_too_large_for_an_event_is_rejected():
    """Within every other bound: 100 lines, 1,024 characters a title, each six bytes in JSON."""
    huge = tuple(ClaimItem(sku=TEE.sku, title="\x01" * 1024, quantity=1) for _ in range(100))
    order = an_order(products=(Product(sku=TEE.sku, quantity=100),))

    assert (
        refused(a_state(order=order), an_opening(selected_items=huge))
        == RejectionReason.CLAIM_TOO_LARGE
    )
    smaller = an_opening(selected_items=huge[:70])
    assert decide(a_state(order=order), smaller, NOON).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"evidence": Evidence(image_urls=("http://a.example/1",))},
            RejectionReason.EVIDENCE_NOT_HTTPS,
        ),
        (
            {"evidence": Evidence(customer_signature_image_url="http://a.example/1")},
            RejectionReason.EVIDENCE_NOT_HTTPS,
        ),
        (
            {"evidence": Evidence(image_urls=("https://a.example/1",) * (LINKS_MAX + 1))},
            RejectionReason.TOO_MANY_EVIDENCE_LINKS,
        ),
        (
            {
                "selected_items": (
                    ClaimItem(sku=TEE.sku, quantity=1, image_urls=("http://a.example/1",)),
                )
            },
            RejectionReason.EVIDENCE_NOT_HTTPS,
        ),
    ],
)
def test_evidence_is_linked_by_https_and_bounded(changes, reason):
    assert refused(a_state(), an_opening(**changes)) == reason


def test_ambiguous_item_is_named_in_the_rejection():
    order = an_order(
        products=(
            Product(sku="A", variant_id="V", quantity=1),
            Product(sku="B", variant_id="V", quantity=1),
        )
    )

    decision = decide(a_state(order=order), an_opening(selected_items=items(V=1)), NOON)

    assert decision.detail == "several products are called V; name it by its sku"


def test_quantities_of_lines_of_one_product_are_added():
    order = an_order(products=(Product(sku="A", quantity=1), Product(sku="A", quantity=2)))

    decision = decide(a_state(order=order), an_opening(selected_items=items(A=3)), NOON)

    assert decision.claim.holds == (HeldGoods(product="sku/A", quantity=3),)
