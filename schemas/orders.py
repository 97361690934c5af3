"""What an order is made of, as shops send it: lines, address, discounts, parcels, attribution."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from .enums import ProductType
from .model import ContractModel, about, refused
from .repair import FACT, TEXTS
from .values import (
    AbsoluteMoney,
    CalendarDate,
    CarrierReference,
    CountryCode,
    Currency,
    EmailAddress,
    Line,
    LineQuantity,
    LongLine,
    Money,
    OrderNumber,
    Reference,
    ReferenceOrNone,
    ShipmentCount,
    SignedMoney,
    Timestamp,
    TrackingNumberField,
    Url,
    Weight,
    Word,
)

LINES_MAX = 500
ANALYTICS_MEMBERS_MAX = 50
ANALYTICS_DEPTH_MAX = 5
ANALYTICS_CHARACTERS_MAX = 8_000


class Image(ContractModel):
    """A picture of a product."""

    src: Annotated[Url, about("Address of the picture", "https://shop.example/img/mug.png")]
    alt: Annotated[Line | None, about("Text shown instead of it", "A blue mug")] = None


class TaxLine(ContractModel):
    """One tax on a product line."""

    title: Annotated[Line | None, about("Name of the tax", "VAT")] = None
    price: Annotated[SignedMoney | None, about("Amount of tax", "2.07", unit="currency")] = None
    rate: Annotated[SignedMoney | None, about("Rate, 0.19 is 19 %", "0.19", unit="fraction")] = None
    currency: Annotated[Currency | None, about("ISO 4217 code; the order's if absent", "EUR")] = (
        None
    )


class BundledProduct(ContractModel):
    """What every product line says, alone or inside a bundle."""

    line_id: Annotated[ReferenceOrNone | None, about("The shop's id of the line", "line-1")] = None
    product_id: Annotated[ReferenceOrNone | None, about("The shop's id of the product", "p-77")] = (
        None
    )
    variant_id: Annotated[
        ReferenceOrNone | None, about("The shop's id of the variant", "v-77-b")
    ] = None
    sku: Annotated[Reference | None, about("Stock keeping unit", "MUG-BLUE")] = None
    title: Annotated[LongLine | None, about("Name shown to the customer", "Blue mug")] = None
    size: Annotated[Word | None, about("Size or other option", "M")] = None
    quantity: Annotated[LineQuantity, FACT, about("How many", 2, unit="pieces")] = 1
    price: Annotated[SignedMoney | None, about("Unit price", "12.95", unit="currency")] = None
    weight: Annotated[Weight | None, about("Weight of one piece", "350", unit="grams")] = None
    images: Annotated[
        list[Image],
        Field(max_length=20),
        about("Pictures, the first is shown", [{"src": "https://shop.example/img/mug.png"}]),
    ] = Field(default_factory=list)
    tax_lines: Annotated[
        list[TaxLine],
        Field(max_length=20),
        about("Taxes on this line", [{"title": "VAT", "price": "2.07"}]),
    ] = Field(default_factory=list)


class Product(BundledProduct):
    """A line of an order or a parcel; matched by line_id, variant_id, sku or title."""

    type: Annotated[ProductType, about("A product, or a bundle of them", "product")] = (
        ProductType.PRODUCT
    )
    bundled_products: Annotated[
        list[BundledProduct],
        FACT,
        Field(max_length=100),
        about("What a bundle holds", [{"sku": "MUG-BLUE"}]),
    ] = Field(default_factory=list)
    shipment_id: Annotated[
        Word | None,
        about("Outgoing only: the parcel it is in", "5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11"),
    ] = None


class Address(ContractModel):
    """Where something goes: a place, and whom to ask for there; every member optional."""

    name: Annotated[Line | None, about("Recipient", "Ada Example")] = None
    company: Annotated[Line | None, about("Company of the recipient", "Example GmbH")] = None
    address_line_1: Annotated[Line | None, about("First line", "Beispielweg 1")] = None
    address_line_2: Annotated[Line | None, about("Second line", "2nd floor")] = None
    street: Annotated[LongLine | None, about("Both lines together", "Beispielweg 1")] = None
    city: Annotated[Line | None, about("Town", "Berlin")] = None
    zip_code: Annotated[Word | None, about("Postal code", "10115")] = None
    province: Annotated[Line | None, about("Province or state", "Berlin")] = None
    province_code: Annotated[Word | None, about("Its code", "BE")] = None
    country: Annotated[Line | None, about("Country", "Germany")] = None
    country_code: Annotated[CountryCode | None, about("ISO 3166-1, two letters", "DE")] = None
    phone: Annotated[Word | None, about("Telephone number", "+49 30 000000")] = None


class DeliveryAddress(Address):
    """The address of a placed order. Where a country has postal codes, send the postal code."""


class OrderDiscount(ContractModel):
    """A discount on the order."""

    code: Annotated[Line, about("Code the customer used", "WELCOME10")]
    amount: Annotated[
        AbsoluteMoney | None,
        about("What it takes off, its sign ignored", "10.00", unit="currency, or percent by type"),
    ] = None
    type: Annotated[Word | None, about("How the amount is meant", "percentage")] = None


class OrderAnalytics(ContractModel):
    """What led to the order. Members of your own are kept, numbers with a point as text."""

    model_config = ConfigDict(extra="allow")

    campaign_id: Annotated[Line | None, about("Campaign", "cmp-1")] = None
    campaign_code: Annotated[Line | None, about("Code of the campaign", "SPRING")] = None
    source: Annotated[Line | None, about("Where the visit came from", "orderflow")] = None
    medium: Annotated[Line | None, about("By which medium", "tracking_page")] = None
    content: Annotated[Line | None, about("Which variant of it", "banner-b")] = None
    term: Annotated[Line | None, about("Search term", "blue mug")] = None
    affiliate_code: Annotated[Line | None, about("Affiliate", "aff-9")] = None
    product_sku: Annotated[Line | None, about("Product that was clicked", "MUG-BLUE")] = None
    channel: Annotated[Word | None, about("tracking_page, email or push", "email")] = None
    clicked_at: Annotated[Timestamp | None, about("When", "2026-03-01T09:00:00+01:00")] = None
    session_id: Annotated[Line | None, about("The visit", "s-123")] = None
    method: Annotated[Word | None, about("referral, discount or api", "api")] = None

    @model_validator(mode="after")
    def _is_bounded(self) -> OrderAnalytics:
        extra = self.model_extra or {}
        if len(extra) > ANALYTICS_MEMBERS_MAX:
            raise refused(f"holds more than {ANALYTICS_MEMBERS_MAX} members of your own")
        if sum(_size(name, 1) + _size(value, 1) for name, value in extra.items()) > (
            ANALYTICS_CHARACTERS_MAX
        ):
            raise refused(f"holds more than {ANALYTICS_CHARACTERS_MAX} characters of your own")
        return self


class OrderReferral(ContractModel):
    """The link that led to the order: its address, or the keys that were read from it.

    A key that is said goes before the same in the address. Of the address only these keys are kept:
    `of_campaign`, `of_code`, `of_product`, `of_session`, `of_channel`, `of_clicked_at`, and
    `utm_campaign`, `utm_source`, `utm_medium`, `utm_content`, `utm_term`.
    """

    landing_url: Annotated[
        Url | None,
        about(
            "Address of the first page of the visit",
            "https://shop.example/mug?of_campaign=spring&utm_source=tracking_page",
        ),
    ] = None
    campaign_id: Annotated[Line | None, about("Campaign", "spring")] = None
    campaign_code: Annotated[Line | None, about("Name or code of the campaign", "SPRING")] = None
    source: Annotated[Line | None, about("Where the visit came from", "orderflow")] = None
    medium: Annotated[Line | None, about("By which medium", "tracking_page")] = None
    content: Annotated[Line | None, about("Which variant of it", "banner-b")] = None
    term: Annotated[Line | None, about("Search term", "blue mug")] = None
    product_sku: Annotated[Line | None, about("Product that was clicked", "MUG-BLUE")] = None
    channel: Annotated[Word | None, about("tracking_page, email or push", "email")] = None
    session_id: Annotated[Line | None, about("The visit", "s-123")] = None
    clicked_at: Annotated[Timestamp | None, about("When", "2026-03-01T09:00:00+01:00")] = None


def _size(value: Any, depth: int) -> int:
    """About how many characters a free value takes; far too deep counts as far too long."""
    if depth > ANALYTICS_DEPTH_MAX:
        return ANALYTICS_CHARACTERS_MAX + 1
    if isinstance(value, dict):
        return sum(_size(key, depth) + _size(member, depth + 1) for key, member in value.items())
    if isinstance(value, list):
        return sum(1 + _size(member, depth + 1) for member in value)
    return len(value) if isinstance(value, str) else len(str(value))


class OrderPlacement(ContractModel):
    """An order as the shop took it."""

    order_number: Annotated[OrderNumber, about("The shop's number of the order", "1001")]
    external_id: Annotated[
        ReferenceOrNone | None, about("Id in the shop's system", "gid-88231")
    ] = None
    order_name: Annotated[Reference | None, about("Name shown to people", "IXF1001")] = None
    order_placed_at: Annotated[
        Timestamp | None, about("When it was placed; now if absent", "2026-03-01T09:30:00+01:00")
    ] = None
    promised_delivery_date: Annotated[
        CalendarDate | None, about("Day promised, at the destination", "2026-03-05")
    ] = None
    total_order_price: Annotated[
        Money | None, about("What the customer pays", "29.90", unit="currency")
    ] = None
    shipping_price: Annotated[Money | None, about("Of it shipping", "4.00", unit="currency")] = None
    sub_total_price: Annotated[
        Money | None, about("Items before shipping and discounts", "25.90", unit="currency")
    ] = None
    discount_price: Annotated[
        AbsoluteMoney, about("Sum of the discounts, its sign ignored", "0.00", unit="currency")
    ] = Decimal(0)
    currency: Annotated[Currency, about("ISO 4217 code of every amount", "EUR")] = "EUR"
    products: Annotated[
        list[Product],
        FACT,
        Field(max_length=LINES_MAX),
        about("The lines", [{"sku": "MUG-BLUE", "quantity": 2, "price": "12.95"}]),
    ] = Field(default_factory=list)
    discounts: Annotated[
        list[OrderDiscount],
        Field(max_length=50),
        about("Discounts used", [{"code": "WELCOME10", "amount": "10.00"}]),
    ] = Field(default_factory=list)
    email_id: Annotated[EmailAddress | None, about("E-mail of the customer", "ada@example.org")] = (
        None
    )
    external_customer_id: Annotated[
        ReferenceOrNone | None, about("The shop's customer; absent for guests", "cust-5")
    ] = None
    address: Annotated[
        DeliveryAddress,
        about("Where it goes", {"zip_code": "10115", "city": "Berlin", "country_code": "DE"}),
    ]
    segments: Annotated[
        list[Line],
        TEXTS,
        Field(max_length=100),
        about("Customer's segments", ["newsletter"]),
    ] = Field(default_factory=list)
    weight: Annotated[Weight | None, about("Weight of all", "700", unit="grams")] = None
    user_agent: Annotated[LongLine | None, about("Customer's browser", "Mozilla/5.0")] = None
    order_analytics: Annotated[
        OrderAnalytics | None, about("What led to it", {"campaign_code": "SPRING"})
    ] = None
    referral: Annotated[
        OrderReferral | None,
        about("The link that led to it", {"campaign_id": "spring", "session_id": "s-123"}),
    ] = None
    expected_number_of_shipments: Annotated[
        ShipmentCount | None,
        FACT,
        about("Parcels to expect; 1 if absent, 0 if none, at most 100", 1, unit="parcels"),
    ] = None


class OrderTracking(ContractModel):
    """A parcel handed to a carrier."""

    tracking_number: Annotated[
        TrackingNumberField, about("The carrier's number", "1Z999AA10123456784")
    ]
    carrier_reference: Annotated[
        CarrierReference | None, about("Carrier key; taken from the scans if absent", "ups")
    ] = None
    tracking_url: Annotated[
        Url | None, about("The carrier's page", "https://carrier.example/t/1Z999AA10123456784")
    ] = None
    tracking_placed_at: Annotated[
        Timestamp | None, about("When it was handed over; now if absent", "2026-03-02T08:00:00Z")
    ] = None
    external_shipment_id: Annotated[
        ReferenceOrNone | None, about("The shop's id of it", "ful-1")
    ] = None
    products: Annotated[
        list[Product] | None,
        FACT,
        Field(max_length=LINES_MAX),
        about("What is in it; absent or [] on creation: everything", [{"sku": "MUG-BLUE"}]),
    ] = None
