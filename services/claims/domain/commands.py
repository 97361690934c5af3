"""What can be asked of claims. A command is one item of a message; `item_id` is that item's id."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from services.claims.domain.claim import (
    NO_EVIDENCE,
    ClaimItem,
    Evidence,
    Reason,
    Resolution,
    Status,
)
from services.claims.domain.ids import Uuid

ReferenceKind = Literal["order_number", "external_id", "order_name", "uuid"]


class OrderReference(Struct, frozen=True):
    """How a command names an order; a `uuid` value is a `Uuid`, its reader saw to it."""

    shop: str
    kind: ReferenceKind
    value: str


class OpenClaim(Struct, frozen=True, kw_only=True):
    """`claim.open`"""

    item_id: Uuid
    order: OrderReference
    shipment_id: Uuid | None = None
    tracking_number: str | None = None
    reason: Reason
    resolution_preference: Resolution | None = None
    description: str | None = None
    selected_items: tuple[ClaimItem, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    dropoff_permission: bool | None = None


class UpdateClaim(Struct, frozen=True, kw_only=True):
    """`claim.update`; None leaves a member as it is, () empties a list."""

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
    """`claim.withdraw`"""

    item_id: Uuid
    shop: str
    claim_id: Uuid
    reason: str | None = None


ChangeClaim = UpdateClaim | WithdrawClaim
Command = OpenClaim | ChangeClaim
