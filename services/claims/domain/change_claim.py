"""Updating and withdrawing a claim: which status may follow which, and what may still change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.claims.domain import held_goods, limits
from services.claims.domain.claim import (
    HISTORY_MAX,
    Claim,
    Status,
    StatusChange,
)
from services.claims.domain.commands import ChangeClaim, UpdateClaim, WithdrawClaim
from services.claims.domain.decision import Action, ClaimEvent, Decision, OrderClaims, Outcome
from services.claims.domain.open_claim import check_available, find_open_duplicate
from services.claims.domain.reasons import NoChangeReason, RejectionReason, RuleBroken

NEXT: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.ACCEPTED, Status.REJECTED, Status.CLOSED}),
    Status.ACCEPTED: frozenset({Status.CLOSED}),
    Status.REJECTED: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset({Status.PENDING}),
}
"""The statuses that may follow each status; from closed to pending only with a reason."""


def decide_update(
    state: OrderClaims, claim: Claim, command: UpdateClaim, now: datetime
) -> Decision:
    """Decide a `claim.update` of a known claim.

    Raises:
        RuleBroken: the change is not allowed.
    """
    if claim.deleted_at is not None:
        raise RuleBroken(RejectionReason.CLAIM_WITHDRAWN, "/claim_id", claim=claim.claim_id)
    changed = _with_status(state, _with_fields(claim, command), command, now)
    fields = _changed_fields(claim, changed)
    if claim.status is Status.CLOSED and changed.status is Status.CLOSED and fields:
        raise RuleBroken(RejectionReason.CLAIM_CLOSED, "/claim_id", claim=claim.claim_id)
    limits.check_evidence(changed.evidence, changed.selected_items)
    limits.check_size(changed.description, changed.selected_items, changed.evidence)
    if not fields:
        return _no_difference(claim, command, "already is as the command wants it")
    changed = replace(changed, updated_at=now).with_applied(command.item_id)
    why = command.reason_for_change
    return _applied(Action.UPDATED, state, claim, changed, fields=fields, why=why)


def decide_withdrawal(
    state: OrderClaims, claim: Claim, command: WithdrawClaim, now: datetime
) -> Decision:
    """Decide a `claim.withdraw` of a known claim; the goods of the claim can be claimed again.

    Raises:
        RuleBroken: the claim is closed.
    """
    if claim.deleted_at is not None:
        return _no_difference(claim, command, "was withdrawn before")
    if claim.status is Status.CLOSED:
        raise RuleBroken(RejectionReason.CLAIM_CLOSED, "/claim_id", claim=claim.claim_id)
    withdrawn = replace(claim, deleted_at=now, updated_at=now, withdrawal_reason=command.reason)
    changed = withdrawn.with_applied(command.item_id)
    fields = ("deleted_at",)
    return _applied(Action.WITHDRAWN, state, claim, changed, fields=fields, why=command.reason)


def _no_difference(claim: Claim, command: ChangeClaim, fact: str) -> Decision:
    return Decision(
        outcome=Outcome.NO_CHANGE,
        reason=NoChangeReason.NO_DIFFERENCE,
        detail=f"claim {claim.claim_id} {fact}",
        claim=claim.with_applied(command.item_id),
    )


def _with_fields(claim: Claim, command: UpdateClaim) -> Claim:
    links = _without_none(
        image_urls=command.image_urls,
        optional_image_urls=command.optional_image_urls,
        customer_signature_image_url=command.customer_signature_image_url,
    )
    fields = _without_none(
        resolution_preference=command.resolution_preference, description=command.description
    )
    return replace(claim, evidence=replace(claim.evidence, **links), **fields)


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _with_status(state: OrderClaims, claim: Claim, command: UpdateClaim, now: datetime) -> Claim:
    wanted = command.status
    if wanted is None or wanted is claim.status:
        return claim
    _check_step(claim, wanted, command.reason_for_change)
    if wanted is Status.PENDING:
        claim = _with_goods_again(state, claim)
    step = StatusChange(status=wanted, at=now, reason=command.reason_for_change)
    granted = wanted is Status.ACCEPTED or (claim.is_granted and wanted is not Status.REJECTED)
    history = (*claim.history, step)[-HISTORY_MAX:]
    return replace(claim, status=wanted, is_granted=granted, history=history)


def _check_step(claim: Claim, wanted: Status, why: str | None) -> None:
    allowed = NEXT[claim.status]
    if wanted not in allowed:
        facts = {"status": claim.status, "wanted": wanted, "allowed": ", ".join(sorted(allowed))}
        raise RuleBroken(RejectionReason.STATUS_NOT_ALLOWED, "/status", **facts)
    if wanted is Status.PENDING and not (why and why.strip()):
        raise RuleBroken(RejectionReason.REOPENING_NEEDS_REASON, "/reason_for_change")


def _with_goods_again(state: OrderClaims, claim: Claim) -> Claim:
    """The claim with its goods, under the names that their lines have at present.

    Raises:
        RuleBroken: goods are no longer free, or another claim was opened for the same problem.
    """
    duplicate = find_open_duplicate(state, claim.reason, claim.shipment, claim.items_hash)
    if duplicate:
        raise RuleBroken(RejectionReason.CLAIM_ALREADY_OPEN, "/status", claim=duplicate.claim_id)
    if claim.is_holding or claim.shipment is None:
        return claim
    shipment = state.order.shipment(claim.shipment.shipment_id, None)
    if shipment is None:
        return claim
    wanted = held_goods.present_products(claim, state.order)
    check_available(wanted, state, shipment)
    holds = held_goods.hold(wanted, state.order, shipment, state.claims.values())
    return replace(claim, holds=holds)


def _changed_fields(before: Claim, after: Claim) -> tuple[str, ...]:
    names = ("status", "resolution_preference", "description")
    links = ("image_urls", "optional_image_urls", "customer_signature_image_url")
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    return (
        *changed,
        *(n for n in links if getattr(before.evidence, n) != getattr(after.evidence, n)),
    )


def _applied(
    action: Action,
    state: OrderClaims,
    before: Claim,
    after: Claim,
    *,
    fields: tuple[str, ...],
    why: str | None,
) -> Decision:
    event = ClaimEvent(
        action=action,
        claim=after,
        sequence=state.sequence + 1,
        order_version=state.order.version,
        previous_status=before.status,
        changed_fields=fields,
        reason=why,
    )
    return Decision(outcome=Outcome.APPLIED, claim=after, event=event)
