"""What a command is decided on (the claims of an order), and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from services.claims.domain.claim import Claim, Status
from services.claims.domain.ids import Uuid, digest
from services.claims.domain.order_copy import OrderCopy


class Outcome(StrEnum):
    """Result of a decision; all but `waiting` are final."""

    APPLIED = "applied"
    NO_CHANGE = "no_change"
    REJECTED = "rejected"
    WAITING = "waiting"


class Action(StrEnum):
    """What happened to a claim; the last part of the event's type."""

    CREATED = "created"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"


class OrderClaims(Struct, frozen=True, kw_only=True):
    """An order with all its claims: locked, read, decided on and written together."""

    order: OrderCopy
    claims: Mapping[Uuid, Claim] = field(default_factory=dict)
    sequence: int = 0
    """Number of the order's last event on `claims.events`; 0 before the first."""
    older: frozenset[int] = frozenset()
    """Digests of those command items of the batch that are stored apart from the claims: they were
    applied to a claim of the order before its newest ones, or before a rebuild."""

    def has_applied(self, item_id: Uuid) -> bool:
        """Whether the command item was applied to a claim of the order that no longer names it."""
        return bool(self.older) and digest(item_id) in self.older

    def after(self, decision: Decision) -> OrderClaims:
        """The state after a decision, for the next command."""
        if decision.claim is None:
            return self
        claims = {**self.claims, decision.claim.claim_id: decision.claim}
        sequence = decision.event.sequence if decision.event else self.sequence
        return replace(self, claims=claims, sequence=sequence)


class ClaimEvent(Struct, frozen=True, kw_only=True):
    """One event for `claims.events`."""

    action: Action
    claim: Claim
    """The claim after the event."""
    sequence: int
    order_version: int
    """The version of the order's copy that was decided on."""
    previous_status: Status | None = None
    changed_fields: tuple[str, ...] = ()
    reason: str | None = None


class Decision(Struct, frozen=True, kw_only=True):
    """The result of a command, as data: nothing is written yet."""

    outcome: Outcome
    reason: str | None = None
    detail: str | None = None
    pointer: str = ""
    claim: Claim | None = None
    """The claim to store; None when nothing changes."""
    event: ClaimEvent | None = None
    waits_for: str | None = None
    claim_id: Uuid | None = None
    """The claim that the command was about, where `claim` is None."""
