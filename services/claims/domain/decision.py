"""What a command meets (an order's claims) and what becomes of it (a decision)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from services.claims.domain.claim import Claim, Status
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy


class Outcome(StrEnum):
    """How a command item ends; `waiting` is no end."""

    APPLIED = "applied"
    NO_CHANGE = "no_change"
    REJECTED = "rejected"
    WAITING = "waiting"


class Action(StrEnum):
    """What happened to a claim: the last word of its event's type."""

    CREATED = "created"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"


class OrderClaims(Struct, frozen=True, kw_only=True):
    """An order with all its claims: what is locked, read, decided on and written together."""

    order: OrderCopy
    claims: Mapping[Uuid, Claim] = field(default_factory=dict)
    sequence: int = 0
    """Number of the order's last event on `claims.events`; 0 before the first."""

    def after(self, decision: Decision) -> OrderClaims:
        """What the next command meets."""
        if decision.claim is None:
            return self
        claims = {**self.claims, decision.claim.claim_id: decision.claim}
        sequence = decision.event.sequence if decision.event else self.sequence
        return replace(self, claims=claims, sequence=sequence)


class ClaimEvent(Struct, frozen=True, kw_only=True):
    """One fact for `claims.events`."""

    action: Action
    claim: Claim
    """As it is after what happened."""
    sequence: int
    order_version: int
    """The version of the order's copy that was decided on."""
    previous_status: Status | None = None
    changed_fields: tuple[str, ...] = ()
    reason: str | None = None


class Decision(Struct, frozen=True, kw_only=True):
    """What becomes of a command. Pure data: nothing is done yet."""

    outcome: Outcome
    reason: str | None = None
    detail: str | None = None
    pointer: str = ""
    claim: Claim | None = None
    """The claim as it is to be stored; None when nothing changes."""
    event: ClaimEvent | None = None
    waits_for: str | None = None
