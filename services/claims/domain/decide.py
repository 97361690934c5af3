"""The entry point of the rules: a command and the claims of its order in, a decision out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.claims.domain.change_claim import decide_update, decide_withdrawal
from services.claims.domain.claim import Claim
from services.claims.domain.commands import ChangeClaim, Command, OpenClaim, UpdateClaim
from services.claims.domain.decision import Decision, OrderClaims, Outcome
from services.claims.domain.open_claim import decide_opening, find_repeat
from services.claims.domain.reasons import NoChangeReason, NotYet, RejectionReason, RuleBroken
from services.claims.domain.references import anchor_key, claim_key
from services.claims.domain.shared_names import named_order


def decide(
    state: OrderClaims | None,
    command: Command,
    now: datetime,
    bearers: Sequence[OrderClaims] = (),
) -> Decision:
    """Decide a command. `state` is None if the order of the command is not known.

    `bearers` are all orders of the name by which the command names its order, where the name is a
    shared one (`shared_names`).
    """
    try:
        if isinstance(command, OpenClaim):
            if repeat := next(filter(None, (find_repeat(each, command) for each in bearers)), None):
                return repeat
            return decide_opening(_known_order(state, command, bearers), command, now)
        return _decide_change(state, command, now)
    except NotYet as early:
        return Decision(
            outcome=Outcome.WAITING,
            reason=early.reason,
            detail=early.detail,
            pointer=early.pointer,
            waits_for=early.waits_for,
        )
    except RuleBroken as refused:
        return Decision(
            outcome=Outcome.REJECTED,
            reason=refused.reason,
            detail=refused.detail,
            pointer=refused.pointer,
        )


def _known_order(
    state: OrderClaims | None, command: OpenClaim, bearers: Sequence[OrderClaims]
) -> OrderClaims:
    if state is None:
        if bearers:
            named_order(command.order, [each.order for each in bearers])
        order = command.order
        facts = {"shop": order.shop, "kind": order.kind, "value": order.value}
        raise NotYet(anchor_key(order), RejectionReason.ORDER_NOT_FOUND, "/id", **facts)
    return state


def _decide_change(state: OrderClaims | None, command: ChangeClaim, now: datetime) -> Decision:
    if state is None or command.claim_id not in state.claims:
        facts = {"shop": command.shop, "claim": command.claim_id}
        name = claim_key(command.claim_id)
        raise NotYet(name, RejectionReason.CLAIM_NOT_FOUND, "/claim_id", **facts)
    claim = _of_shop(state.claims[command.claim_id], command)
    if claim.has_applied(command.item_id) or state.has_applied(command.item_id):
        detail = f"already applied to claim {claim.claim_id}"
        return Decision(outcome=Outcome.NO_CHANGE, reason=NoChangeReason.DUPLICATE, detail=detail)
    if isinstance(command, UpdateClaim):
        return decide_update(state, claim, command, now)
    return decide_withdrawal(state, claim, command, now)


def _of_shop(claim: Claim, command: ChangeClaim) -> Claim:
    """The claim, if it belongs to the shop of the command.

    A claim of another shop is reported as not found, so that a shop learns nothing about others.
    """
    if claim.shop != command.shop:
        facts = {"shop": command.shop, "claim": command.claim_id}
        raise RuleBroken(RejectionReason.CLAIM_NOT_FOUND, "/claim_id", **facts)
    return claim
