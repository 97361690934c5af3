"""The one door to the rules: a command and the claims of its order in, a decision out."""

from __future__ import annotations

from datetime import datetime

from services.claims.domain.change_claim import decide_update, decide_withdrawal
from services.claims.domain.claim import Claim
from services.claims.domain.commands import ChangeClaim, Command, OpenClaim, UpdateClaim
from services.claims.domain.decision import Decision, OrderClaims, Outcome
from services.claims.domain.open_claim import DUPLICATE, decide_opening
from services.claims.domain.reasons import NotYet, Refusal, Refused
from services.claims.domain.references import anchor_key, claim_key


def decide(state: OrderClaims | None, command: Command, now: datetime) -> Decision:
    """What becomes of `command`; `state` is None when nobody knows which order it is about."""
    try:
        if isinstance(command, OpenClaim):
            return decide_opening(_known(state, command), command, now)
        return _decide_change(state, command, now)
    except NotYet as early:
        return Decision(
            outcome=Outcome.WAITING,
            reason=early.reason,
            detail=early.detail,
            pointer=early.pointer,
            waits_for=early.waits_for,
        )
    except Refused as refused:
        return Decision(
            outcome=Outcome.REJECTED,
            reason=refused.reason,
            detail=refused.detail,
            pointer=refused.pointer,
        )


def _known(state: OrderClaims | None, command: OpenClaim) -> OrderClaims:
    if state is None:
        order = command.order
        facts = {"shop": order.shop, "kind": order.kind, "value": order.value}
        raise NotYet(anchor_key(order), Refusal.ORDER_NOT_FOUND, "/id", **facts)
    return state


def _decide_change(state: OrderClaims | None, command: ChangeClaim, now: datetime) -> Decision:
    if state is None or command.claim_id not in state.claims:
        facts = {"shop": command.shop, "claim": command.claim_id}
        name = claim_key(command.claim_id)
        raise NotYet(name, Refusal.CLAIM_NOT_FOUND, "/claim_id", **facts)
    claim = _of_shop(state.claims[command.claim_id], command)
    if claim.has_met(command.item_id):
        detail = f"already applied to claim {claim.claim_id}"
        return Decision(outcome=Outcome.NO_CHANGE, reason=DUPLICATE, detail=detail)
    if isinstance(command, UpdateClaim):
        return decide_update(state, claim, command, now)
    return decide_withdrawal(state, claim, command, now)


def _of_shop(claim: Claim, command: ChangeClaim) -> Claim:
    """Another shop's claim is refused in the words of one that does not exist."""
    if claim.shop != command.shop:
        facts = {"shop": command.shop, "claim": command.claim_id}
        raise Refused(Refusal.CLAIM_NOT_FOUND, "/claim_id", **facts)
    return claim
