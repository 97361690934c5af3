"""The campaign that an order's page shows, and the campaign that is credited with the order.

These are readers' models: words are open, so that a subscriber written today reads what is
published tomorrow.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from .model import ContractModel, about
from .values import WholeNumber

VERSION = "0a2b7c84-52f1-5d9e-9f5e-6a0f3f0e7c55"
WHEN = "2026-03-02T18:05:00Z"


class ConsideredCampaign(ContractModel):
    """A campaign or test that was looked at for an order, and what came of it."""

    campaign_id: Annotated[str, about("The campaign, or the test", "winter")]
    outcome: Annotated[
        str,
        about(
            "chosen, in_test, not_started, ended, disabled, paused, removed, lower_priority, "
            "later_start or greater_id",
            "lower_priority",
        ),
    ]


class CampaignChoice(ContractModel):
    """The campaign that the order's page shows, and why."""

    stage: Annotated[str, about("placement, or fulfilment: then it is final", "placement")]
    at: Annotated[AwareDatetime, about("The time as of which it was chosen", WHEN)]
    rule: Annotated[
        str,
        about(
            "What decided: ab_test, hold_out, only_match, priority, earliest_start, id, default "
            "or no_match",
            "priority",
        ),
    ]
    campaign_id: Annotated[str | None, about("The campaign; absent: none", "spring")] = None
    campaign_version: Annotated[
        UUID | None, about("The `version_id` of it on campaigns.events", VERSION)
    ] = None
    segment: Annotated[
        str | None, about("The segment that matched; absent: default", "newsletter")
    ] = None
    test_id: Annotated[str | None, about("The test that decided", "spring-test")] = None
    is_held_out: Annotated[
        bool, about("The test shows this order no campaign; absent: false", example=False)
    ] = False
    discount_id: Annotated[str | None, about("The discount attached", "spring-20")] = None
    considered: Annotated[
        list[ConsideredCampaign],
        about("Campaigns that matched too", [{"campaign_id": "winter", "outcome": "ended"}]),
    ] = Field(default_factory=list)


class Touch(ContractModel):
    """A contact that may have led to the order."""

    method: Annotated[str, about("api, discount or referral", "discount")]
    confidence: Annotated[str, about("high of api, medium of discount, low of referral", "medium")]
    outcome: Annotated[
        str,
        about("credited, outranked, unknown_campaign, after_order or order_cancelled", "credited"),
    ]
    campaign_id: Annotated[str | None, about("The campaign, if it is known", "spring")] = None
    campaign: Annotated[str | None, about("The campaign as it was written", "Spring 2026")] = None
    at: Annotated[AwareDatetime | None, about("When", WHEN)] = None
    source: Annotated[str | None, about("Where the visit came from", "orderflow")] = None
    medium: Annotated[str | None, about("By which medium", "tracking_page")] = None
    content: Annotated[str | None, about("Which variant of it", "banner-b")] = None
    term: Annotated[str | None, about("Search term", "blue mug")] = None
    channel: Annotated[str | None, about("tracking_page, email or push", "email")] = None
    product_sku: Annotated[str | None, about("Product that was clicked", "MUG-BLUE")] = None
    session_id: Annotated[str | None, about("The visit", "s-123")] = None
    discount_id: Annotated[str | None, about("Of a discount: which", "spring-20")] = None
    discount_code: Annotated[str | None, about("And its code as used", "SPRING20")] = None


class Credit(ContractModel):
    """The campaign that is credited with the order, and with what."""

    campaign_id: Annotated[str, about("The campaign", "spring")]
    method: Annotated[str, about("api, discount or referral", "discount")]
    confidence: Annotated[str, about("high, medium or low", "medium")]
    revenue: Annotated[Decimal, about("total_order_price of the order", "29.90", unit="currency")]
    discount: Annotated[Decimal, about("discount_price of the order", "5.00", unit="currency")] = (
        Decimal(0)
    )
    currency: Annotated[str, about("ISO 4217 code", "EUR")]
    session_id: Annotated[str | None, about("The visit", "s-123")] = None


class Attribution(ContractModel):
    """Which campaign led to the order."""

    version: Annotated[WholeNumber, about("Steps with every change of the credit, from 1", 1)]
    credit: Annotated[
        Credit | None,
        about(
            "Who is credited; absent: no campaign",
            {
                "campaign_id": "spring",
                "method": "discount",
                "confidence": "medium",
                "revenue": "29.90",
                "currency": "EUR",
            },
        ),
    ] = None
    touches: Annotated[
        list[Touch],
        about(
            "Every contact, the strongest first",
            [{"method": "discount", "confidence": "medium", "outcome": "credited"}],
        ),
    ] = Field(default_factory=list)
