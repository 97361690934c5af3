"""A claim: a customer's problem with a parcel, from opening to closing, as one value."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from services.claims.domain.ids import Uuid, digest

APPLIED_MAX = 64
"""How many applied command items are stored with a claim itself, and named in its events."""
HISTORY_MAX = 50
"""Most status changes that are kept on a claim; a usual claim has two or three."""


class ClaimReason(StrEnum):
    """Why the customer opened the claim (the five reasons of Karla's API)."""

    DAMAGE = "damage"
    PARTIAL_DAMAGE = "partial_damage"
    INVESTIGATION = "investigation"
    """The parcel was not received."""
    SUPPORT = "support"
    RETURN = "return"


class Status(StrEnum):
    """Status of a claim (the four of Karla's API). A withdrawn claim has `deleted_at` instead."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CLOSED = "closed"


class Resolution(StrEnum):
    """What the customer would like."""

    REFUND = "refund"
    REORDER = "reorder"


class ClaimItem(Struct, frozen=True, kw_only=True):
    """A line that the customer selected. `net_price` is per unit, in the order's currency."""

    sku: str | None = None
    title: str | None = None
    quantity: int
    net_price: Decimal | None = None
    image_urls: tuple[str, ...] = ()


class Evidence(Struct, frozen=True, kw_only=True):
    """Links to pictures. The pictures are stored outside this system and never fetched."""

    image_urls: tuple[str, ...] = ()
    optional_image_urls: tuple[str, ...] = ()
    customer_signature_image_url: str | None = None


NO_EVIDENCE = Evidence()


class ClaimedShipment(Struct, frozen=True, kw_only=True):
    """The parcel as it was when the claim was opened, without personal data."""

    shipment_id: Uuid
    tracking_number: str | None = None
    carrier_reference: str | None = None
    phase: str | None = None


class HeldGoods(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods of one order line that other claims cannot claim while this one holds them."""

    product: str
    """The line's key as in `goods`, when the goods were claimed."""
    quantity: int
    line_id: str | None = None
    variant_id: str | None = None


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
    reason: ClaimReason
    resolution_preference: Resolution | None = None
    description: str | None = None
    selected_items: tuple[ClaimItem, ...] = ()
    """The lines the customer selected; (): the whole parcel."""
    items_hash: str
    """Equal for equal selections: see `goods.selection_hash`."""
    holds: tuple[HeldGoods, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    dropoff_permission: bool | None = None
    status: Status = Status.PENDING
    history: tuple[StatusChange, ...] = ()
    """Oldest first."""
    is_granted: bool = False
    """The claim was accepted and not rejected after that; stays true when the claim is closed."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    """When the customer withdrew the claim."""
    withdrawal_reason: str | None = None
    applied: tuple[int, ...] = ()
    """Digests of command items applied, oldest first: the newest `APPLIED_MAX` as stored, more in a
    batch. Those before them are stored apart (`OrderClaims.older`)."""

    def with_applied(self, item_id: Uuid) -> Claim:
        """The claim with the id of an applied command item, so that a repeat changes nothing.

        Also for an item that changed nothing, because its repeat must not change anything either.
        """
        return replace(self, applied=(*self.applied, digest(item_id)))

    @property
    def newest_applied(self) -> tuple[int, ...]:
        """The applied items that are stored with the claim and named in its events."""
        return self.applied[-APPLIED_MAX:]

    @property
    def older_applied(self) -> tuple[int, ...]:
        """The applied items that no longer have room with the claim: to be stored apart."""
        return self.applied[:-APPLIED_MAX]

    def has_applied(self, item_id: Uuid) -> bool:
        """Whether the command item is one of those in `applied`."""
        return digest(item_id) in self.applied

    @property
    def is_open(self) -> bool:
        """Whether the claim is pending or accepted, and not withdrawn."""
        return self.deleted_at is None and self.status in {Status.PENDING, Status.ACCEPTED}

    @property
    def is_holding(self) -> bool:
        """Whether its goods cannot be claimed again: the claim is open, or closed as granted."""
        granted = self.deleted_at is None and self.status is Status.CLOSED and self.is_granted
        return self.is_open or granted
