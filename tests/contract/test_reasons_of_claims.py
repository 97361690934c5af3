"""Every reason of the claims service: a command that gets it, read and decided."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.claims.domain.claim import Status
from services.claims.domain.decide import decide
from services.claims.domain.decision import Decision, OrderClaims, Outcome
from services.claims.domain.order_copy import Product
from services.claims.domain.reasons import NoChangeReason, RejectionReason
from services.claims.intake import read_batch
from services.claims.messages.decode import read_command
from services.runtime.batch.batch import Batch
from services.runtime.config.allowed_sources import AllowedSources
from services.runtime.messages.records import Coordinates, Original
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
    an_order,
    items,
)

GIFT = Product(sku="GIFT", title="Sticker")
LINK = "https://evidence.example/1.jpg"


def original_of(type_: str, body: dict[str, Any], ce_id: str = "c-1") -> Original:
    headers = (("ce_type", type_.encode()), ("ce_id", ce_id.encode()), ("ce_source", b"/a"))
    value = json.dumps({"shop_slug": SHOP, **body}).encode()
    return Original(Coordinates("claims.commands", 0, 0), b"demo-shop/1001", headers, value, NOON)


def opening(**members: Any) -> Original:
    said = {"id": "1001", "tracking_number": "1Z-001", "reason": "damage", **members}
    return original_of("claim.open", said)


def updating(**members: Any) -> Original:
    return original_of("claim.update", {"claim_id": an_id("claim"), **members})


def withdrawing(**members: Any) -> Original:
    return original_of("claim.withdraw", {"claim_id": an_id("claim"), **members})


def selected(*names: str, quantity: int = 1) -> list[dict[str, Any]]:
    return [{"sku": name, "quantity": quantity} for name in names]


def decided(state: OrderClaims | None, original: Original) -> Decision:
    return decide(state, read_command(original).command, NOON)


STATE = a_state()
ON_THE_WAY = a_state(order=an_order(a_shipment(phase="in_transit", delivered_at=None)))
DRAFT = a_state(order=an_order(a_draft()))
WITH_GIFT = a_state(order=an_order(a_shipment(products=(MUG, GIFT), lines=(MUG,))))
TWO_TEES = a_state(order=an_order(products=(TEE, Product(sku="TEE-L", title="T-shirt"))))
CLAIMED = a_state(a_claim())
ALL_CLAIMED = a_state(a_claim(selected_items=items(MUG_BLUE=3, TEE_M=2)))
CLOSED = a_state(a_claim(status=Status.CLOSED))
CLOSED_AND_OPEN = a_state(a_claim(status=Status.CLOSED), a_claim("second"))

WAITS_FIRST = {
    RejectionReason.ORDER_NOT_FOUND: (None, opening()),
    RejectionReason.SHIPMENT_NOT_FOUND: (STATE, opening(tracking_number="1Z-999")),
    RejectionReason.NOT_SHIPPED: (
        DRAFT,
        opening(tracking_number=None, shipment_id=a_draft().shipment_id),
    ),
    RejectionReason.NOT_DELIVERED: (ON_THE_WAY, opening(reason="investigation")),
    RejectionReason.CLAIM_NOT_FOUND: (STATE, updating(status="accepted")),
}
REJECTED = {
    RejectionReason.SHIPMENT_NOT_NAMED: (STATE, opening(tracking_number=None)),
    RejectionReason.ITEMS_NOT_SELECTED: (STATE, opening(reason="partial_damage")),
    RejectionReason.TOO_MANY_ITEMS: (STATE, opening(selected_items=selected("MUG-BLUE") * 101)),
    RejectionReason.ITEM_NOT_NAMED: (STATE, opening(selected_items=[{"quantity": 1}])),
    RejectionReason.ITEM_NOT_IN_SHIPMENT: (STATE, opening(selected_items=selected("CUP"))),
    RejectionReason.ITEM_NOT_ORDERED: (WITH_GIFT, opening(selected_items=selected("GIFT"))),
    RejectionReason.ITEM_AMBIGUOUS: (
        TWO_TEES,
        opening(selected_items=[{"title": "T-shirt", "quantity": 1}]),
    ),
    RejectionReason.QUANTITY_ABOVE_SHIPPED: (
        STATE,
        opening(selected_items=selected("MUG-BLUE", quantity=4)),
    ),
    RejectionReason.NOTHING_LEFT_TO_CLAIM: (ALL_CLAIMED, opening(reason="return")),
    RejectionReason.TOO_MANY_EVIDENCE_LINKS: (
        STATE,
        opening(
            image_urls=[LINK] * 20,
            optional_image_urls=[LINK] * 20,
            selected_items=[{"sku": "MUG-BLUE", "quantity": 1, "image_urls": [LINK] * 11}],
        ),
    ),
    RejectionReason.CLAIM_TOO_LARGE: (
        STATE,
        opening(selected_items=[{"title": "é" * 1024, "quantity": 1}] * 300),
    ),
    RejectionReason.EVIDENCE_NOT_HTTPS: (STATE, opening(image_urls=["http://a.example/1"])),
    RejectionReason.CLAIM_WITHDRAWN: (
        a_state(a_claim(deleted_at=NOON)),
        updating(status="accepted"),
    ),
    RejectionReason.CLAIM_CLOSED: (CLOSED, updating(description="Broken")),
    RejectionReason.STATUS_NOT_ALLOWED: (
        a_state(a_claim(status=Status.ACCEPTED)),
        updating(status="pending", reason_for_change="again"),
    ),
    RejectionReason.REOPENING_NEEDS_REASON: (CLOSED, updating(status="pending")),
    RejectionReason.CLAIM_ALREADY_OPEN: (
        CLOSED_AND_OPEN,
        updating(status="pending", reason_for_change="again"),
    ),
}
NO_CHANGE = {
    "a second claim for the same items of the same parcel": (
        CLAIMED,
        opening(selected_items=selected("MUG-BLUE", quantity=2)),
        NoChangeReason.DUPLICATE,
    ),
    "an update to what the claim is": (
        CLAIMED,
        updating(status="pending"),
        NoChangeReason.NO_DIFFERENCE,
    ),
    "a withdrawal of a withdrawn claim": (
        a_state(a_claim(deleted_at=NOON)),
        withdrawing(),
        NoChangeReason.NO_DIFFERENCE,
    ),
}


@pytest.mark.parametrize("reason", WAITS_FIRST)
def test_reason_of_a_claim_command_that_waits_first(reason: RejectionReason) -> None:
    decision = decided(*WAITS_FIRST[reason])

    assert (decision.outcome, decision.reason) == (Outcome.WAITING, reason)
    assert decision.detail
    assert decision.pointer


@pytest.mark.parametrize("reason", REJECTED)
def test_reason_of_a_claim_command_that_is_refused(reason: RejectionReason) -> None:
    decision = decided(*REJECTED[reason])

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
    assert decision.detail


def test_reason_of_a_claim_by_a_name_of_two_orders_is_reference_ambiguous() -> None:
    bearers = [a_state(order=an_order(order_name="#1", order_number=each)) for each in ("1", "2")]
    command = read_command(opening(id="#1", id_type="order_name")).command

    decision = decide(None, command, NOON, bearers)

    assert (decision.outcome, decision.reason) == (
        Outcome.REJECTED,
        RejectionReason.REFERENCE_AMBIGUOUS,
    )
    assert decision.detail


@pytest.mark.parametrize("case", NO_CHANGE)
def test_reason_of_a_claim_command_that_changes_nothing(case: str) -> None:
    state, original, reason = NO_CHANGE[case]

    decision = decided(state, original)

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, reason)
    assert decision.detail


def test_reason_of_a_claim_command_that_is_sent_again_is_duplicate() -> None:
    first = decided(STATE, opening())
    assert first.claim is not None

    again = decided(a_state(first.claim), opening())

    assert (again.outcome, again.reason) == (Outcome.NO_CHANGE, NoChangeReason.DUPLICATE)


@pytest.mark.parametrize(
    ("original", "state", "reason"),
    [
        (
            opening(id=an_order().order_id, id_type="uuid", shop_slug="other"),
            STATE,
            RejectionReason.ORDER_NOT_FOUND,
        ),
        (
            updating(status="accepted", shop_slug="other"),
            CLAIMED,
            RejectionReason.CLAIM_NOT_FOUND,
        ),
    ],
    ids=["order", "claim"],
)
def test_reason_of_a_claim_command_about_another_shop_is_given_at_once(
    original: Original, state: OrderClaims, reason: RejectionReason
) -> None:
    decision = decided(state, original)

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)


def test_reason_of_a_claim_command_of_a_sender_that_is_not_allowed() -> None:
    lists = AllowedSources.parse(json.dumps({SHOP: ["/b"]}))

    (refused,) = read_batch(Batch((opening(),), NOON), lists).refused

    assert refused.reason == RejectionReason.SOURCE_NOT_ALLOWED


def test_every_reason_of_claims_has_a_command_that_gets_it() -> None:
    given = {*WAITS_FIRST, *REJECTED, RejectionReason.SOURCE_NOT_ALLOWED}
    given |= {RejectionReason.REFERENCE_AMBIGUOUS}  # Of a command about several orders.

    assert given == set(RejectionReason)
    assert {reason for *_, reason in NO_CHANGE.values()} == set(NoChangeReason)
