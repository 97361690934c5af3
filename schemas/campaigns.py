"""Campaigns, discounts and AB tests: their commands on `orders.commands`, and their events.

The commands have the shop as their key, so that Kafka keeps their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from .commands import Command
from .model import ContractModel, about
from .patterns import CAMPAIGN_ID
from .repair import FACT
from .values import Currency, Line, LongLine, Money, Timestamp, Url, WholeNumber, Word

TEXTS_MAX = 50
PRODUCTS_MAX = 50
VARIANTS_MAX = 20
TARGETS_MAX = 1_000
PRIORITY_MAX = 1_000
WHEN = "2026-03-01T09:30:06.120Z"
EVENT = "c5b5c1c4-1a58-5f3e-8b0e-0a8a8f0f6a11"
_START = "Since when; absent: the start that it has, if it has started, else `effective_at`"
VERSION = "6a0b0a52-0c0c-5b3b-9d4e-1f6f5b6c0d22"

CampaignId = Annotated[str, Field(max_length=64, pattern=CAMPAIGN_ID)]
"""The shop's own id of a campaign, a discount or a test."""
Percentage = Annotated[int, Field(ge=0, le=100)]


class PromotionType(StrEnum):
    """What a campaign shows. A word that is not known is refused."""

    BASIC = "basic"
    PRODUCT = "product"
    BANNER = "banner"


class DiscountType(StrEnum):
    """What a discount is on. A word that is not known is refused."""

    PRODUCT = "product"
    ORDER = "order"
    SHIPPING = "shipping"


class ValueType(StrEnum):
    """How the value of a discount is meant. A word that is not known is refused."""

    PERCENTAGE = "percentage"
    FIXED_AMOUNT = "fixed_amount"


class TargetType(StrEnum):
    """Which lines a discount is on. A word that is not known is refused."""

    LINE_ITEM = "line_item"
    SHIPPING_LINE = "shipping_line"


class TargetSelection(StrEnum):
    """Which of these lines. A word that is not known is refused."""

    ALL = "all"
    GROUP = "group"
    SPECIFIC = "specific"


class CampaignCommandBase(Command):
    """What every command of a campaign, a discount or a test says."""

    effective_at: Annotated[
        Timestamp | None,
        FACT,
        about(
            "Since when it holds: an order of an earlier time keeps what held then; absent: "
            "`updated_at`, else the time of the message",
            "2026-03-01T00:00:00Z",
        ),
    ] = None


class PromotedProduct(ContractModel):
    """A product that a campaign shows."""

    title: Annotated[LongLine | None, about("Name shown", "Blue mug")] = None
    image_url: Annotated[Url | None, about("Picture", "https://shop.example/img/mug.png")] = None
    product_url: Annotated[Url | None, about("Page", "https://shop.example/mug")] = None
    price: Annotated[Money | None, about("Price", "12.95", unit="currency")] = None
    currency: Annotated[Currency | None, about("ISO 4217 code", "EUR")] = None
    sku: Annotated[Line | None, about("Stock keeping unit", "MUG-BLUE")] = None
    category: Annotated[Word | None, about("sale or new", "sale")] = None
    discount: Annotated[Word | None, about("Discount shown beside it", "-20 %")] = None


class Translation(ContractModel):
    """The texts of a campaign in another language; what is absent is as in the campaign."""

    language: Annotated[Word, about("Language, as BCP 47 writes it", "de")]
    title: Annotated[LongLine | None, about("Headline", "Frühling")] = None
    subtitle: Annotated[LongLine | None, about("Text below it", "20 % auf Tassen")] = None
    cta_label: Annotated[Line | None, about("Label of the button", "Zum Shop")] = None
    cta_url: Annotated[Url | None, about("Where it leads", "https://shop.example/de/sale")] = None
    image_url: Annotated[Url | None, about("Picture", "https://shop.example/img/de.png")] = None


class PromotionProperties(ContractModel):
    """What a tracking page shows of a campaign."""

    title: Annotated[LongLine | None, about("Headline", "Spring sale")] = None
    subtitle: Annotated[LongLine | None, about("Text below it", "20 % on mugs")] = None
    cta_label: Annotated[Line | None, about("Label of the button", "To the shop")] = None
    cta_url: Annotated[Url | None, about("Where it leads", "https://shop.example/sale")] = None
    image_url: Annotated[Url | None, about("Picture", "https://shop.example/img/sale.png")] = None
    translations: Annotated[
        list[Translation],
        Field(max_length=TEXTS_MAX),
        about("The texts in other languages", [{"language": "de", "title": "Frühling"}]),
    ] = Field(default_factory=list)
    products: Annotated[
        list[PromotedProduct],
        Field(max_length=PRODUCTS_MAX),
        about("Products shown", [{"sku": "MUG-BLUE", "product_url": "https://shop.example/mug"}]),
    ] = Field(default_factory=list)


class Campaign(ContractModel):
    """What a campaign is, as a whole."""

    name: Annotated[Line, FACT, about("Name, for the shop's own people", "Spring 2026")]
    segment: Annotated[
        Line | None,
        FACT,
        about("Segment of customers that see it; absent: a default campaign", "newsletter"),
    ] = None
    enabled: Annotated[bool, FACT, about("Whether orders may choose it", example=True)] = False
    start_date: Annotated[
        Timestamp | None,
        FACT,
        about(_START, "2026-03-01T00:00:00Z"),
    ] = None
    end_date: Annotated[
        Timestamp | None, FACT, about("Until when; absent: open", "2026-04-01T00:00:00Z")
    ] = None
    priority: Annotated[
        int, FACT, Field(ge=0, le=PRIORITY_MAX), about("The higher goes before", 10)
    ] = 0
    promotion_type: Annotated[PromotionType, FACT, about("basic, product or banner", "basic")]
    promotion_properties: Annotated[
        PromotionProperties, about("What is shown", {"title": "Spring sale"})
    ] = Field(default_factory=PromotionProperties)
    discount_id: Annotated[
        CampaignId | None, FACT, about("The discount attached to it", "spring-20")
    ] = None


class CampaignUpsert(CampaignCommandBase, Campaign):
    """`campaign.upsert`: make a campaign, or replace all that an earlier command said of it."""

    campaign_id: Annotated[CampaignId, FACT, about("The campaign", "spring")]


class CampaignPause(CampaignCommandBase):
    """`campaign.pause`: no order chooses it until it is upserted again."""

    campaign_id: Annotated[CampaignId, FACT, about("The campaign", "spring")]
    reason: Annotated[Line | None, about("Why", "out of stock")] = None


class CampaignRemove(CampaignCommandBase):
    """`campaign.remove`: end it. Choices of times before `effective_at` keep it."""

    campaign_id: Annotated[CampaignId, FACT, about("The campaign", "spring")]
    reason: Annotated[Line | None, about("Why", "replaced")] = None


class Discount(ContractModel):
    """What a discount is, as a whole."""

    code: Annotated[Line, FACT, about("Code at the checkout, in any case", "SPRING20")]
    title: Annotated[LongLine | None, about("Name shown", "20 % on mugs")] = None
    type: Annotated[DiscountType, FACT, about("product, order or shipping", "order")]
    value_type: Annotated[ValueType, FACT, about("percentage or fixed_amount", "percentage")]
    value: Annotated[Money, FACT, about("How much", "20", unit="percent, or currency by type")]
    currency: Annotated[Currency | None, FACT, about("Of a fixed amount: ISO 4217", "EUR")] = None
    target_type: Annotated[TargetType, FACT, about("line_item or shipping_line", "line_item")] = (
        TargetType.LINE_ITEM
    )
    target_selection: Annotated[TargetSelection, FACT, about("all, group or specific", "all")] = (
        TargetSelection.ALL
    )
    targets: Annotated[
        list[Line],
        FACT,
        Field(max_length=TARGETS_MAX),
        about("The groups, or the SKUs, that are selected", ["MUG-BLUE"]),
    ] = Field(default_factory=list)
    starts_at: Annotated[
        Timestamp | None,
        FACT,
        about(_START, "2026-03-01T00:00:00Z"),
    ] = None
    ends_at: Annotated[
        Timestamp | None, FACT, about("Until when; absent: open", "2026-04-01T00:00:00Z")
    ] = None
    enabled: Annotated[bool, FACT, about("Whether the code is valid", example=True)] = True


class DiscountUpsert(CampaignCommandBase, Discount):
    """`discount.upsert`: make a discount, or replace all but its code."""

    discount_id: Annotated[CampaignId, FACT, about("The discount", "spring-20")]


class Variant(ContractModel):
    """A campaign of a test."""

    campaign_id: Annotated[CampaignId, FACT, about("The campaign", "spring-a")]
    allocation: Annotated[Percentage, FACT, about("Share of the orders", 45, unit="percent")]


class AbTest(ContractModel):
    """What a test is, as a whole."""

    name: Annotated[Line, FACT, about("Name, for the shop's own people", "Banner or product")]
    segment: Annotated[
        Line | None,
        FACT,
        about("Segment it is on; absent: orders without a campaign of a segment", "newsletter"),
    ] = None
    campaigns: Annotated[
        list[Variant],
        FACT,
        Field(min_length=1, max_length=VARIANTS_MAX),
        about(
            "Its campaigns; the shares and the hold-out add up to 100",
            [
                {"campaign_id": "spring-a", "allocation": 45},
                {"campaign_id": "spring-b", "allocation": 45},
            ],
        ),
    ]
    has_holdout: Annotated[bool, FACT, about("Whether some see no campaign", example=True)] = False
    holdout_percentage: Annotated[
        Percentage, FACT, about("Share that sees none", 10, unit="percent")
    ] = 0
    start_date: Annotated[
        Timestamp | None,
        FACT,
        about(_START, "2026-03-01T00:00:00Z"),
    ] = None
    end_date: Annotated[
        Timestamp | None, FACT, about("Until when; absent: open", "2026-04-01T00:00:00Z")
    ] = None
    enabled: Annotated[bool, FACT, about("Whether it runs", example=True)] = True


class AbTestUpsert(CampaignCommandBase, AbTest):
    """`ab_test.upsert`: make a test, or replace what an earlier command said of it."""

    test_id: Annotated[CampaignId, FACT, about("The test", "spring-test")]


class CampaignsEvent(ContractModel):
    """What every event on `campaigns.events` says."""

    event_name: Annotated[str, about("What happened", "updated")]
    triggered_at: Annotated[AwareDatetime, about("When it was decided", WHEN)]
    event_id: Annotated[UUID, about("Id of the event; a repeat carries it again", EVENT)]
    shop_slug: Annotated[str, about("The shop", "demo-shop")]
    sequence: Annotated[
        WholeNumber, about("Number among the shop's events on this topic, from 1", 7)
    ]
    effective_at: Annotated[AwareDatetime, about("Since when what it says holds", WHEN)]
    version_id: Annotated[
        UUID, about("Id of what holds since then; orders name it as `campaign_version`", VERSION)
    ]
    is_newest: Annotated[
        bool,
        about("False: it came late, and what holds since a later time stays", example=True),
    ] = True
    reason: Annotated[str | None, about("Why, in the shop's words", "out of stock")] = None


class CampaignEvent(CampaignsEvent):
    """A campaign that changed, or that began or ended by time."""

    campaign_id: Annotated[str, about("The campaign", "spring")]
    state: Annotated[
        str, about("scheduled, active, paused, inactive or removed, after it", "active")
    ]
    previous_state: Annotated[str | None, about("And before it", "scheduled")] = None
    campaign: Annotated[
        Campaign | None,
        about("What it is", {"name": "Spring 2026", "promotion_type": "basic"}),
    ] = None


class DiscountEvent(CampaignsEvent):
    """A discount that was made or changed."""

    discount_id: Annotated[str, about("The discount", "spring-20")]
    discount: Annotated[
        Discount,
        about(
            "What it is",
            {"code": "SPRING20", "type": "order", "value_type": "percentage", "value": "20"},
        ),
    ]


class AbTestEvent(CampaignsEvent):
    """A test that was made or changed."""

    test_id: Annotated[str, about("The test", "spring-test")]
    ab_test: Annotated[
        AbTest,
        about(
            "What it is",
            {
                "name": "Banner or product",
                "campaigns": [{"campaign_id": "spring-a", "allocation": 100}],
            },
        ),
    ]


CAMPAIGN_UPSERT = "campaign.upsert"
CAMPAIGN_PAUSE = "campaign.pause"
CAMPAIGN_REMOVE = "campaign.remove"
DISCOUNT_UPSERT = "discount.upsert"
AB_TEST_UPSERT = "ab_test.upsert"

MODELS: Mapping[str, type[ContractModel]] = {
    CAMPAIGN_UPSERT: CampaignUpsert,
    CAMPAIGN_PAUSE: CampaignPause,
    CAMPAIGN_REMOVE: CampaignRemove,
    DISCOUNT_UPSERT: DiscountUpsert,
    AB_TEST_UPSERT: AbTestUpsert,
}
"""The commands, by their type."""

CAMPAIGN_SNAPSHOT = "campaign.snapshot"
DISCOUNT_SNAPSHOT = "discount.snapshot"
AB_TEST_SNAPSHOT = "ab_test.snapshot"

EVENTS: Mapping[str, type[ContractModel]] = {
    "campaign.updated": CampaignEvent,
    "campaign.paused": CampaignEvent,
    "campaign.removed": CampaignEvent,
    "campaign.activated": CampaignEvent,
    "campaign.ended": CampaignEvent,
    "discount.updated": DiscountEvent,
    "ab_test.updated": AbTestEvent,
    CAMPAIGN_SNAPSHOT: CampaignEvent,
    DISCOUNT_SNAPSHOT: DiscountEvent,
    AB_TEST_SNAPSHOT: AbTestEvent,
}
"""The events, by their type."""
