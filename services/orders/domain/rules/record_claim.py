"""Claim copies: claims as published by the claims service, kept for the context of an order."""

from __future__ import annotations

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import RecordClaim
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import ClaimCopy
from services.orders.domain.model.reasons import Reason, Unchanged
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.rules.acceptance import require
from services.orders.domain.value import replace

CLAIMS_MAX = 50
"""Most claims shown with one order; the newest are kept."""


def record(recorder: Recorder, command: RecordClaim) -> Uuid:
    """Keep the newest copy of a claim. The order has no event and no version step for it."""
    order = require(recorder, Reference(command.shop, ReferenceKind.UUID, command.order_id))
    claim = command.claim
    held = next((each for each in order.claims if each.claim_id == claim.claim_id), None)
    if held is not None and held.sequence >= claim.sequence:
        is_same = held.sequence == claim.sequence
        raise Unchanged(Reason.DUPLICATE if is_same else Reason.STALE)
    others = (each for each in order.claims if each.claim_id != claim.claim_id)
    claims = sorted((*others, claim), key=_sequence)[-CLAIMS_MAX:]
    recorder.put(replace(order, claims=tuple(claims)))
    recorder.is_applied = True
    return order.order_id


def _sequence(claim: ClaimCopy) -> tuple[int, Uuid]:
    return claim.sequence, claim.claim_id
