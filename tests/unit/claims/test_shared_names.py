"""Claims that name their order by a name that several orders have or had."""

from __future__ import annotations

import pytest

from services.claims.domain.commands import OrderReference
from services.claims.domain.decide import decide
from services.claims.domain.decision import Outcome
from services.claims.domain.ids import order_id
from services.claims.domain.order_copy import OrderCopy
from services.claims.domain.reasons import NotYet, RejectionReason, RuleBroken
from services.claims.domain.references import anchor_key
from services.claims.domain.shared_names import BEARERS_MAX, named_order
from tests.unit.claims.builders import LATER, NOON, SHOP, a_state, an_opening, an_order

NAME = OrderReference(SHOP, "order_name", "#1")
UNSEEN = "unseen"


def a_bearer(number: str, name: str | None) -> OrderCopy:
    """An order that has or had the name, with its present name."""
    id_ = order_id(SHOP, number)
    if name == UNSEEN:
        return OrderCopy(order_id=id_)
    return an_order(order_id=id_, order_number=number, order_name=name)


def bearers(*names: str | None) -> list[OrderCopy]:
    return [a_bearer(str(at), name) for at, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["#1", "#2"], "1"),
        (["#2", "#1"], "2"),
        (["#2", "#1", None], "2"),
        (["#1", "#1"], RejectionReason.REFERENCE_AMBIGUOUS),
        (["#1", "#1", UNSEEN], RejectionReason.REFERENCE_AMBIGUOUS),
        (["#2", "#3"], RejectionReason.REFERENCE_AMBIGUOUS),
        (["#2", None], RejectionReason.REFERENCE_AMBIGUOUS),
        (["#1", UNSEEN], RejectionReason.ORDER_NOT_FOUND),
        ([UNSEEN, "#2"], RejectionReason.ORDER_NOT_FOUND),
        (["#1"] + ["#2"] * (BEARERS_MAX - 1), RejectionReason.REFERENCE_AMBIGUOUS),
    ],
)
def test_shared_name_means_the_only_order_that_has_it(names, meant):
    if isinstance(meant, RejectionReason):
        with pytest.raises(RuleBroken) as raised:
            named_order(NAME, bearers(*names))
        assert raised.value.reason is meant
        assert isinstance(raised.value, NotYet) == (meant is RejectionReason.ORDER_NOT_FOUND)
    else:
        assert named_order(NAME, bearers(*names)).order_number == meant


def test_claim_by_a_shared_name_is_rejected_with_the_orders_of_the_name():
    states = [a_state(order=each) for each in bearers("#1", "#1", "#3")]

    decision = decide(None, an_opening(order=NAME), NOON, states)

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, "reference_ambiguous")
    assert decision.pointer == "/id"
    assert decision.detail == (
        "order_name '#1' names 2 orders (1, 2); name the order by order_number, external_id or uuid"
    )


def test_claim_waits_for_a_shared_name_until_all_its_orders_are_seen():
    states = [a_state(order=each) for each in bearers("#1", UNSEEN)]

    decision = decide(None, an_opening(order=NAME), NOON, states)

    assert (decision.outcome, decision.waits_for) == (Outcome.WAITING, anchor_key(NAME))


def test_claim_opened_by_a_name_is_a_repeat_when_the_name_is_shared_or_has_moved():
    first, second = bearers("#1", "#1")
    command = an_opening(order=NAME)
    opened = decide(a_state(order=first), command, NOON)
    assert opened.outcome is Outcome.APPLIED
    held, other = a_state(order=first).after(opened), a_state(order=second)

    shared = decide(None, command, LATER, [held, other])
    moved = decide(other, command, LATER, [held, other])

    for decision in (shared, moved):
        assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, "duplicate")
        assert decision.claim_id == opened.claim.claim_id
