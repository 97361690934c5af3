"""What every event carries beside its own facts: the order, its customer, parcels and claims.

These are readers' models: words are open and lengths are free, so that a subscriber written
today reads what is published tomorrow.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from .attribution import Attribution, CampaignChoice
from .model import ContractModel, about
from .values import WholeNumber

ORDER = "9d0f3a52-5d0c-5b3b-9d4e-6a6f5b6c0d11"
SHIPMENT = "5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11"
CLAIM = "0a2b7c84-52f1-5d9e-9f5e-6a0f3f0e7c55"
NUMBER = "1Z999AA10123456784"
EVENT = "1f5e8a0e-8f1c-5d9f-a0de-8a2f1a7b0c01"
WHEN = "2026-03-02T18:05:00Z"


class Eta(ContractModel):
    """A window of expected arrival. A day stays a day: it is the destination's."""

    from_: Annotated[str | None, Field(alias="from"), about("Earliest", "2026-03-04")] = None
    to: Annotated[str | None, about("Latest", "2026-03-04")] = None
    source: Annotated[
        str | None,
        about("promise: the day that the order promises, of a draft; absent: a carrier", "promise"),
    ] = None

    model_config = ConfigDict(populate_by_name=True)


class CarrierCandidate(ContractModel):
    """A carrier that a tracking number may belong to; found from the number, said by no message."""

    carrier_reference: Annotated[str, about("Carrier key", "ups")]
    confidence: Annotated[str, about("high, medium or low", "high")]
    evidence: Annotated[
        list[str], about("Why, in words", ["has the form UPS 1Z", "check digit 4 is right"])
    ] = Field(default_factory=list)


class Tracking(ContractModel):
    """A parcel as the order's `trackings` summary shows it."""

    shipment_id: Annotated[UUID, about("The parcel", SHIPMENT)]
    ordinal: Annotated[
        WholeNumber | None, about("Its number among the order's parcels, from 1", 1)
    ] = None
    draft: Annotated[bool, about("Not yet handed to a carrier", example=False)] = False
    tracking_number: Annotated[str | None, about("The carrier's number", NUMBER)] = None
    carrier_reference: Annotated[str | None, about("Carrier key", "ups")] = None
    tracking_url: Annotated[
        str | None, about("The carrier's page", f"https://carrier.example/t/{NUMBER}")
    ] = None
    phase: Annotated[str, about("How far it is", "in_transit")]
    flag: Annotated[str | None, about("normal, delay or error", "normal")] = None
    state: Annotated[str | None, about("Phase in six words", "transit")] = None
    direction: Annotated[str | None, about("Which way it travels", "merchant_customer")] = None
    eta: Annotated[Eta | None, about("Expected arrival", {"from": "2026-03-04"})] = None
    first_scan_at: Annotated[AwareDatetime | None, about("First seen by its carrier", WHEN)] = None
    delivered_at: Annotated[AwareDatetime | None, about("When it arrived", WHEN)] = None
    first_scan_on: Annotated[
        date | None, about("Day of first_scan_at, where only a day is known", "2026-03-02")
    ] = None
    delivered_on: Annotated[
        date | None, about("Day of delivered_at, where only a day is known", "2026-03-02")
    ] = None
    sub_status: Annotated[
        str | None,
        about(
            "Event name that says its state more exactly than phase; absent: none does",
            "ARRIVED_AT_DELIVERY_DEPOT",
        ),
    ] = None
    reason_code: Annotated[
        str | None,
        about(
            "Why it is held up, of a list; absent: no reason, or none since it moved on",
            "consignee_not_home",
        ),
    ] = None
    reason: Annotated[str | None, about("The carrier's word for it", "NOT_AT_HOME")] = None
    action_required: Annotated[
        bool, about("The addressee or the shop has to act; absent: false", example=True)
    ] = False
    carrier_candidates: Annotated[
        list[CarrierCandidate],
        about(
            "Where no message names the carrier: which it may be, the most likely first; absent: "
            "none is found",
            [{"carrier_reference": "ups", "confidence": "high"}],
        ),
    ] = Field(default_factory=list)


class PackedLine(ContractModel):
    """Pieces of one line of the order that are in a parcel; without `part`, of the line itself."""

    line: Annotated[WholeNumber, about("Position in `order.products`, from 0", 0)]
    part: Annotated[
        WholeNumber | None, about("Position in the line's `bundled_products`, from 0", 0)
    ] = None
    line_id: Annotated[str | None, about("The line's or part's own id", "line-1")] = None
    variant_id: Annotated[str | None, about("Its variant", "v-77-b")] = None
    sku: Annotated[str | None, about("Its stock keeping unit", "MUG-BLUE")] = None
    title: Annotated[str | None, about("Its name", "Blue mug")] = None
    quantity: Annotated[WholeNumber, about("How many pieces", 1, unit="pieces")]


class NotOrdered(ContractModel):
    """Pieces in a parcel that are on no line of the order."""

    product: Annotated[WholeNumber, about("Position in the parcel's `products`, from 0", 0)]
    quantity: Annotated[WholeNumber, about("How many pieces", 1, unit="pieces")]
    reason: Annotated[
        str, about("product_not_ordered or quantity_above_ordered", "product_not_ordered")
    ]


class Shipment(Tracking):
    """A parcel in full, without its scans."""

    order_id: Annotated[UUID | None, about("Its order", ORDER)] = None
    external_shipment_id: Annotated[str | None, about("The shop's id of it", "ful-1")] = None
    tracking_placed_at: Annotated[AwareDatetime | None, about("Handed over", WHEN)] = None
    products: Annotated[
        list[dict[str, Any]], about("What is in it", [{"sku": "MUG-BLUE", "quantity": 1}])
    ] = Field(default_factory=list)
    lines: Annotated[
        list[PackedLine] | None,
        about(
            "What is in it as lines of the order; absent: there are none, all or nothing is in it",
            [{"line": 0, "sku": "MUG-BLUE", "quantity": 1}],
        ),
    ] = None
    contents: Annotated[
        str | None,
        about(
            "assumed: the shop sent no list, it is shown with what remains; absent: as listed, or "
            "the only parcel",
            "assumed",
        ),
    ] = None
    not_ordered: Annotated[
        list[NotOrdered],
        about(
            "What of `products` was not ordered; absent: nothing",
            [{"product": 1, "quantity": 1, "reason": "product_not_ordered"}],
        ),
    ] = Field(default_factory=list)
    shares_contents_with: Annotated[
        UUID | None, about("The parcel whose `lines` are the contents of both together", SHIPMENT)
    ] = None
    given_up: Annotated[
        str | None,
        about("Event by which the carrier gave it up; absent: it did not", "LOST"),
    ] = None
    leg: Annotated[WholeNumber | None, about("1, or more if the parcel set out again", 1)] = None
    attempts: Annotated[WholeNumber | None, about("Delivery attempts", 0)] = None
    pickup: Annotated[dict[str, Any] | None, about("Where it waits", {"type": "shop"})] = None
    promised_delivery_date: Annotated[
        date | None, about("Day promised, at the destination", "2026-03-05")
    ] = None
    updated_at: Annotated[AwareDatetime | None, about("When it last changed", WHEN)] = None


class PieceCounts(ContractModel):
    """Where the pieces of a line or part are: each is in one place; `claimed` is beside them."""

    line_id: Annotated[str | None, about("Its own id", "line-1")] = None
    variant_id: Annotated[str | None, about("Its variant", "v-77-b")] = None
    sku: Annotated[str | None, about("Its stock keeping unit", "MUG-BLUE")] = None
    title: Annotated[str | None, about("Its name", "Blue mug")] = None
    ordered: Annotated[WholeNumber, about("Ordered: the sum of the next six", 3)]
    remaining: Annotated[WholeNumber, about("In no parcel with a number yet", 1)] = 0
    packed: Annotated[WholeNumber, about("In a parcel that does not move yet", 1)] = 0
    shipped: Annotated[WholeNumber, about("On the way", 1)] = 0
    delivered: Annotated[WholeNumber, about("Delivered", 1)] = 0
    lost: Annotated[WholeNumber, about("Given up by the carrier, and not sent again", 0)] = 0
    returned: Annotated[WholeNumber, about("Back, or going back, and not sent again", 0)] = 0
    claimed: Annotated[WholeNumber, about("Held by claims, wherever they are", 0)] = 0


class PartLedger(PieceCounts):
    """Where the pieces of one part of a bundle are."""

    part: Annotated[WholeNumber, about("Position in `bundled_products`, from 0", 0)]


class LineLedger(PieceCounts):
    """Where the pieces of an order line are; of a bundle the bundles that are whole there."""

    line: Annotated[WholeNumber, about("Position in `order.products`, from 0", 0)]
    shipment_ids: Annotated[
        list[UUID], about("Parcels with a number that hold some", [SHIPMENT])
    ] = Field(default_factory=list)
    parts: Annotated[
        list[PartLedger],
        about("Of a bundle: the pieces of each part", [{"part": 0, "ordered": 2}]),
    ] = Field(default_factory=list)


class Order(ContractModel):
    """The whole order after the command or report that caused the event."""

    uuid: Annotated[UUID, about("Id of the order", ORDER)]
    shop_slug: Annotated[str, about("The shop", "demo-shop")]
    order_number: Annotated[str, about("The shop's number of it", "1001")]
    external_id: Annotated[str | None, about("Id in the shop's system", "gid-88231")] = None
    order_name: Annotated[str | None, about("Name shown to people", "IXF1001")] = None
    status: Annotated[
        str, about("placed, partially_fulfilled, fulfilled or cancelled", "fulfilled")
    ]
    delivery_state: Annotated[
        str | None,
        about("nothing_expected, not_delivered, partially_delivered or delivered", "not_delivered"),
    ] = None
    is_dispatched: Annotated[
        bool | None, about("At least one parcel is handed to a carrier", example=True)
    ] = None
    expected_number_of_shipments: Annotated[
        WholeNumber, about("Parcels to expect", 1, unit="parcels")
    ]
    order_placed_at: Annotated[AwareDatetime | None, about("When it was placed", WHEN)] = None
    placed_at: Annotated[AwareDatetime | None, about("The same, by our name", WHEN)] = None
    cancelled_at: Annotated[AwareDatetime | None, about("When it was cancelled", WHEN)] = None
    promised_delivery_date: Annotated[
        date | None, about("Day promised, at the destination", "2026-03-05")
    ] = None
    total_order_price: Annotated[
        Decimal | None, about("What the customer pays", "29.90", unit="currency")
    ] = None
    shipping_price: Annotated[Decimal | None, about("Of it shipping", "4.00", unit="currency")] = (
        None
    )
    sub_total_price: Annotated[Decimal | None, about("Items", "25.90", unit="currency")] = None
    discount_price: Annotated[Decimal | None, about("Discounts", "0.00", unit="currency")] = None
    currency: Annotated[str | None, about("ISO 4217 code of every amount", "EUR")] = None
    products: Annotated[
        list[dict[str, Any]], about("The lines", [{"sku": "MUG-BLUE", "quantity": 2}])
    ] = Field(default_factory=list)
    discounts: Annotated[list[dict[str, Any]], about("Discounts used", [{"code": "TEN"}])] = Field(
        default_factory=list
    )
    email_id: Annotated[str | None, about("E-mail of the customer", "ada@example.org")] = None
    external_customer_id: Annotated[str | None, about("The shop's customer", "cust-5")] = None
    address: Annotated[dict[str, Any] | None, about("Where it goes", {"zip_code": "10115"})] = None
    segments: Annotated[list[str], about("Customer's segments", ["newsletter"])] = Field(
        default_factory=list
    )
    weight: Annotated[Decimal | None, about("Weight of all", "700", unit="grams")] = None
    user_agent: Annotated[str | None, about("Customer's browser", "Mozilla/5.0")] = None
    order_analytics: Annotated[
        dict[str, Any] | None, about("What led to it", {"campaign_code": "SPRING"})
    ] = None
    campaign: Annotated[
        CampaignChoice | None,
        about(
            "The campaign of its page; absent: the shop has none",
            {"stage": "placement", "at": WHEN, "rule": "only_match", "campaign_id": "spring"},
        ),
    ] = None
    attribution: Annotated[
        Attribution | None,
        about("Which campaign led to it; absent: no contact is known", {"version": 1}),
    ] = None
    trackings: Annotated[
        list[Tracking],
        about("Its parcels, in short", [{"shipment_id": SHIPMENT, "phase": "in_transit"}]),
    ] = Field(default_factory=list)
    ledger: Annotated[
        list[LineLedger],
        about(
            "Where the pieces of each line are; absent: in the only parcel, or nothing is sent",
            [{"line": 0, "sku": "MUG-BLUE", "ordered": 3, "packed": 1, "remaining": 2}],
        ),
    ] = Field(default_factory=list)


class Customer(ContractModel):
    """Who ordered, as far as the order says."""

    external_id: Annotated[str | None, about("The shop's id of them", "cust-5")] = None
    email: Annotated[str | None, about("E-mail", "ada@example.org")] = None
    first_name: Annotated[str | None, about("First name", "Ada")] = None
    last_name: Annotated[str | None, about("Last name", "Example")] = None


class Claim(ContractModel):
    """A claim on the order."""

    claim_id: Annotated[UUID, about("The claim", CLAIM)]
    shipment_id: Annotated[UUID | None, about("The parcel", SHIPMENT)] = None
    tracking_number: Annotated[str | None, about("Its number", NUMBER)] = None
    carrier_reference: Annotated[str | None, about("Carrier key", "ups")] = None
    shipment_phase_at_creation: Annotated[
        str | None, about("How far the parcel was when it was opened", "delivered")
    ] = None
    reason: Annotated[str | None, about("Why", "damage")] = None
    description: Annotated[str | None, about("In the customer's words", "Broken")] = None
    status: Annotated[str | None, about("Where it stands", "pending")] = None
    resolution_preference: Annotated[str | None, about("What they would like", "refund")] = None
    created_at: Annotated[AwareDatetime | None, about("Opened", WHEN)] = None
    updated_at: Annotated[AwareDatetime | None, about("Last changed", WHEN)] = None
    sequence: Annotated[
        WholeNumber | None, about("Number of the claim event this is from; in snapshots only", 2)
    ] = None
    event_data: Annotated[
        dict[str, Any] | None,
        about(
            "The whole `event_data` of that claim event; in snapshots only",
            {"claim_id": CLAIM, "status": "pending"},
        ),
    ] = None


class Context(ContractModel):
    """The order after what caused the event; if it was cut to fit, `context_truncated` is true."""

    order: Annotated[
        Order | None,
        about(
            "The order",
            {
                "uuid": ORDER,
                "shop_slug": "demo-shop",
                "order_number": "1001",
                "status": "placed",
                "expected_number_of_shipments": 1,
            },
        ),
    ] = None
    customer: Annotated[Customer | None, about("Who ordered", {"external_id": "cust-5"})] = None
    shipments: Annotated[
        list[Shipment],
        about("Its parcels", [{"shipment_id": SHIPMENT, "phase": "in_transit"}]),
    ] = Field(default_factory=list)
    claims: Annotated[list[Claim], about("Its claims", [{"claim_id": CLAIM}])] = Field(
        default_factory=list
    )
