"""Commands of the claims service. A command is one item of a message, `item_id` its id."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from services.claims.domain.claim import (
    NO_EVIDENCE,
    ClaimItem,
    ClaimReason,
    Evidence,
    Resolution,
    Status,
)
from services.claims.domain.ids import Uuid

ReferenceKind = Literal["order_number", "external_id", "order_name", "uuid"]


class OrderReference(Struct, frozen=True):
    """How a command names an order. The value of kind `uuid` is a valid `Uuid`."""

    shop: str
    kind: ReferenceKind
    value: str


class OpenClaim(Struct, frozen=True, kw_only=True):
    """Command `claim.open`: open a claim on an order or one of its parcels."""

    item_id: Uuid
    order: OrderReference
    shipment_id: Uuid | None = None
    tracking_number: str | None = None
    reason: ClaimReason
    resolution_preference: Resolution | None = None
    description: str | None = None
    selected_items: tuple[ClaimItem, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    dropoff_permission: bool | None = None


class UpdateClaim(Struct, frozen=True, kw_only=True):
    """Command `claim.update`: None leaves a member unchanged, () empties a list."""

    item_id: Uuid
    shop: str
    claim_id: Uuid
    status: Status | None = None
    resolution_preference: Resolution | None = None
    description: str | None = None
    image_urls: tuple[str, ...] | None = None
    optional_image_urls: tuple[str, ...] | None = None
    customer_signature_image_url: str | None = None
    reason_for_change: str | None = None


class WithdrawClaim(Struct, frozen=True, kw_only=True):
    """Command `claim.withdraw`: take a claim back; final."""

    item_id: Uuid
    shop: str
    claim_id: Uuid
    reason: str | None = None


ChangeClaim = UpdateClaim | WithdrawClaim
Command = OpenClaim | ChangeClaim
