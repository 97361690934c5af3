"""The commands on `claims.commands`, by their type, and the data of claim events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from .commands import NamesOrder
from .context import CLAIM, EVENT, NUMBER, SHIPMENT, WHEN
from .enums import ClaimReason, ClaimStatus, ResolutionPreference
from .model import ContractModel, about
from .repair import FACT
from .values import (
    Line,
    LongLine,
    Money,
    Paragraph,
    Quantity,
    Reference,
    ShopSlug,
    TrackingNumber,
    Url,
)

IMAGES_MAX = 20
ITEMS_MAX = 500
SIGNATURE = "https://evidence.example/signature.png"
PICTURE = "https://evidence.example/1.jpg"


class ClaimItem(ContractModel):
    """A line the customer claims for."""

    sku: Annotated[Reference | None, about("Stock keeping unit", "MUG-BLUE")] = None
    title: Annotated[LongLine | None, about("Name of the product", "Blue mug")] = None
    quantity: Annotated[Quantity, about("How many of it", 1, unit="pieces")]
    net_price: Annotated[Money | None, about("Unit price", "10.88", unit="currency")] = None
    image_urls: Annotated[
        list[Url], Field(max_length=IMAGES_MAX), about("Pictures of it", [PICTURE])
    ] = Field(default_factory=list)


class ClaimCommand(ContractModel):
    """What every claim command says."""

    shop_slug: Annotated[ShopSlug, about("The shop", "demo-shop")]


class ClaimOpen(ClaimCommand, NamesOrder):
    """`claim.open`: a customer has a problem with a parcel. Opened once for the same problem."""

    shipment_id: Annotated[
        UUID | None, FACT, about("The parcel", "5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11")
    ] = None
    tracking_number: Annotated[
        TrackingNumber | None, FACT, about("The parcel, by its number", "1Z999AA10123456784")
    ] = None
    reason: Annotated[ClaimReason, about("Why; investigation = not received", "damage")]
    resolution_preference: Annotated[
        ResolutionPreference | None, FACT, about("What the customer would like", "refund")
    ] = None
    description: Annotated[Paragraph | None, about("In the customer's words", "Broken")] = None
    selected_items: Annotated[
        list[ClaimItem],
        FACT,
        Field(max_length=ITEMS_MAX),
        about("Lines it is about; [] the whole parcel", [{"sku": "MUG-BLUE", "quantity": 1}]),
    ] = Field(default_factory=list)
    image_urls: Annotated[list[Url], Field(max_length=IMAGES_MAX), about("Evidence", [PICTURE])] = (
        Field(default_factory=list)
    )
    optional_image_urls: Annotated[
        list[Url], Field(max_length=IMAGES_MAX), about("More evidence", [PICTURE])
    ] = Field(default_factory=list)
    customer_signature_image_url: Annotated[Url | None, about("Signature", SIGNATURE)] = None
    dropoff_permission: Annotated[
        bool | None, FACT, about("The customer had allowed leaving it somewhere", example=False)
    ] = None


class ClaimUpdate(ClaimCommand):
    """`claim.update`: decide a claim or add to it. Absent members stay as they are."""

    claim_id: Annotated[UUID, about("The claim", "0a2b7c84-52f1-5d9e-9f5e-6a0f3f0e7c55")]
    status: Annotated[ClaimStatus | None, FACT, about("Where it stands now", "accepted")] = None
    resolution_preference: Annotated[
        ResolutionPreference | None, FACT, about("What the customer would like", "reorder")
    ] = None
    description: Annotated[Paragraph | None, about("In the customer's words", "Broken")] = None
    image_urls: Annotated[
        list[Url] | None, Field(max_length=IMAGES_MAX), about("Evidence, replaces", [PICTURE])
    ] = None
    optional_image_urls: Annotated[
        list[Url] | None, Field(max_length=IMAGES_MAX), about("More evidence, replaces", [PICTURE])
    ] = None
    customer_signature_image_url: Annotated[Url | None, about("Signature", SIGNATURE)] = None
    reason_for_change: Annotated[
        Line | None, about("Why; needed to reopen a closed claim", "stock checked")
    ] = None


class ClaimWithdraw(ClaimCommand):
    """`claim.withdraw`: the customer takes it back."""

    claim_id: Annotated[UUID, about("The claim", "0a2b7c84-52f1-5d9e-9f5e-6a0f3f0e7c55")]
    reason: Annotated[Line | None, about("Why", "parcel turned up")] = None


class ClaimStep(ContractModel):
    """A status the claim came to."""

    status: Annotated[str, about("The status", "pending")]
    at: Annotated[AwareDatetime, about("Since when", WHEN)]
    reason: Annotated[str | None, about("Why", "stock checked")] = None


class ClaimEventData(ContractModel):
    """The claim after the event."""

    claim_id: Annotated[UUID, about("The claim", CLAIM)]
    event_id: Annotated[UUID | None, about("Id of the event", EVENT)] = None
    event_name: Annotated[str, about("created, updated or withdrawn", "created")]
    event_group: Annotated[str | None, about("Bucket", "claim_created")] = None
    order_number: Annotated[str | None, about("The shop's number of the order", "1001")] = None
    shipment_id: Annotated[UUID | None, about("The parcel", SHIPMENT)] = None
    tracking_number: Annotated[str | None, about("Its number", NUMBER)] = None
    carrier_reference: Annotated[str | None, about("Carrier key", "ups")] = None
    shipment_phase_at_creation: Annotated[
        str | None, about("How far the parcel was when it was opened", "delivered")
    ] = None
    reason: Annotated[str, about("Why", "damage")]
    status: Annotated[str, about("Where it stands", "pending")]
    previous_status: Annotated[str | None, about("And before", "pending")] = None
    resolution_preference: Annotated[str | None, about("What they would like", "refund")] = None
    description: Annotated[str | None, about("In the customer's words", "Broken")] = None
    reason_for_change: Annotated[str | None, about("Why it changed", "stock checked")] = None
    selected_items: Annotated[
        list[dict[str, Any]], about("Lines", [{"sku": "MUG-BLUE", "quantity": 1}])
    ] = Field(default_factory=list)
    image_urls: Annotated[list[str], about("Evidence", ["https://evidence.example/1.jpg"])] = Field(
        default_factory=list
    )
    optional_image_urls: Annotated[
        list[str], about("More evidence", ["https://evidence.example/2.jpg"])
    ] = Field(default_factory=list)
    customer_signature_image_url: Annotated[
        str | None, about("Signature", "https://evidence.example/signature.png")
    ] = None
    dropoff_permission: Annotated[bool | None, about("Leaving it was allowed", example=False)] = (
        None
    )
    changed_fields: Annotated[list[str], about("Members that changed", ["status"])] = Field(
        default_factory=list
    )
    created_at: Annotated[AwareDatetime | None, about("Opened", WHEN)] = None
    updated_at: Annotated[AwareDatetime | None, about("Last changed", WHEN)] = None
    deleted_at: Annotated[AwareDatetime | None, about("Withdrawn", WHEN)] = None
    held_items: Annotated[
        list[dict[str, Any]] | None,
        about(
            "Goods it takes out of what can still be claimed: `product` names the order line as it "
            "was when they were claimed; `line_id` and `variant_id`, where the line has them, name "
            "it also after that",
            [
                {
                    "product": "sku/MUG-BLUE",
                    "quantity": 1,
                    "line_id": "line-1",
                    "variant_id": "v-77-b",
                }
            ],
        ),
    ] = None
    is_granted: Annotated[bool | None, about("Accepted, and not rejected since", example=False)] = (
        None
    )
    applied_commands: Annotated[
        list[str] | None,
        about("Digests of the last commands applied to it, oldest first", ["3f0a9c1be27d5a44"]),
    ] = None
    history: Annotated[
        list[ClaimStep], about("Every status it had", [{"status": "pending", "at": WHEN}])
    ] = Field(default_factory=list)


CLAIM_OPEN = "claim.open"
CLAIM_UPDATE = "claim.update"
CLAIM_WITHDRAW = "claim.withdraw"

MODELS: Mapping[str, type[ContractModel]] = {
    CLAIM_OPEN: ClaimOpen,
    CLAIM_UPDATE: ClaimUpdate,
    CLAIM_WITHDRAW: ClaimWithdraw,
}
