"""Claim: one customer's problem with one parcel, from opening to closing, as one value."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from services.claims.domain.ids import Uuid, digest

APPLIED_MAX = 64
"""How many command items a claim remembers as applied."""
HISTORY_MAX = 50
"""How many status changes a claim remembers; a real one has two or three."""


class Reason(StrEnum):
    """Why the customer claims (Karla's five)."""

    DAMAGE = "damage"
    PARTIAL_DAMAGE = "partial_damage"
    INVESTIGATION = "investigation"
    """Not received."""
    SUPPORT = "support"
    RETURN = "return"


class Status(StrEnum):
    """Where a claim stands (Karla's four). Withdrawn is no status: see `Claim.deleted_at`."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CLOSED = "closed"


class Resolution(StrEnum):
    """What the customer would like."""

    REFUND = "refund"
    REORDER = "reorder"


class ClaimItem(Struct, frozen=True, kw_only=True):
    """A line the customer selected. `net_price` is per unit, in the order's currency."""

    sku: str | None = None
    title: str | None = None
    quantity: int
    net_price: Decimal | None = None
    image_urls: tuple[str, ...] = ()


class Evidence(Struct, frozen=True, kw_only=True):
    """Links to pictures; the pictures themselves are stored elsewhere and never fetched."""

    image_urls: tuple[str, ...] = ()
    optional_image_urls: tuple[str, ...] = ()
    customer_signature_image_url: str | None = None


NO_EVIDENCE = Evidence()


class ClaimedShipment(Struct, frozen=True, kw_only=True):
    """The parcel as it was when the claim was opened; it holds nothing about where people live."""

    shipment_id: Uuid
    tracking_number: str | None = None
    carrier_reference: str | None = None
    phase: str | None = None


class Held(Struct, frozen=True, kw_only=True):
    """Goods a claim takes out of what can still be claimed; `product` is a key of `goods`."""

    product: str
    quantity: int


class StatusChange(Struct, frozen=True, kw_only=True):
    """One step of a claim's history."""

    status: Status
    at: datetime
    reason: str | None = None


class Claim(Struct, frozen=True, kw_only=True):
    """One claim. All times are business time."""

    claim_id: Uuid
    order_id: Uuid
    order_number: str
    shop: str
    shipment: ClaimedShipment | None = None
    """None only for a support claim about the order as a whole."""
    reason: Reason
    resolution_preference: Resolution | None = None
    description: str | None = None
    selected_items: tuple[ClaimItem, ...] = ()
    """As the customer chose them; () the whole parcel."""
    items_hash: str
    """What makes two openings the same selection: see `goods.selection_hash`."""
    holds: tuple[Held, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    dropoff_permission: bool | None = None
    status: Status = Status.PENDING
    history: tuple[StatusChange, ...] = ()
    """Oldest first."""
    is_granted: bool = False
    """Accepted, and not rejected since: stays true when the claim is closed."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    """When the customer took it back."""
    withdrawal_reason: str | None = None
    applied: tuple[int, ...] = ()
    """Digests of the last command items applied, oldest first."""

    def remembering(self, item_id: Uuid) -> Claim:
        """With the item noted, also where it changed nothing: repeated later it must not either."""
        return replace(self, applied=(*self.applied, digest(item_id))[-APPLIED_MAX:])

    def has_met(self, item_id: Uuid) -> bool:
        """Whether the item is among the last that were applied to it."""
        return digest(item_id) in self.applied

    @property
    def is_open(self) -> bool:
        """Somebody still has to do something about it."""
        return self.deleted_at is None and self.status in {Status.PENDING, Status.ACCEPTED}

    @property
    def is_holding(self) -> bool:
        """Its goods cannot be claimed again: it is open, or it was granted and is done with."""
        granted = self.deleted_at is None and self.status is Status.CLOSED and self.is_granted
        return self.is_open or granted
