"""Order and its shipments: everything the orders service knows of one purchase, as one value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any

from msgspec import field

from services.orders.domain.model.campaigns import (
    Attribution,
    CampaignChoice,
    Referral,
    SaidSegments,
)
from services.orders.domain.model.goods import NotOrdered, PackedLine
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.voided import VoidedNumber
from services.orders.domain.model.warnings import KeptWarning
from services.orders.domain.tracking.catalogue import ORDER_CANCELLED, Phase, State, state_of
from services.orders.domain.tracking.notifications import Notice
from services.orders.domain.tracking.scan import Direction
from services.orders.domain.tracking.state import DRAFT, TrackingState
from services.orders.domain.value import Value, replace

SHIPMENTS_MAX = 100
"""Most shipments one order can have (Karla's `expected_number_of_shipments`)."""


_BACK = frozenset(
    {Phase.RETURN_TRANSIT, Phase.RETURN_FAILED, Phase.RETURN_RECEIVED, Phase.RETURNED}
)


class OrderStatus(StrEnum):
    """Where an order is; how much of it is delivered is its `delivery_state`."""

    PLACED = "placed"
    PARTIALLY_FULFILLED = "partially_fulfilled"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """How many of an order's parcels are delivered; derived from them, never stored."""

    NOTHING_EXPECTED = "nothing_expected"
    """No parcel is handed over or expected: none is needed, or the order was cancelled before."""
    NOT_DELIVERED = "not_delivered"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"


class ProductType(StrEnum):
    """A single product, or a bundle of several."""

    PRODUCT = "product"
    BUNDLE = "bundle"


class Image(Value, frozen=True, kw_only=True):
    """A product's picture."""

    src: str
    alt: str | None = None


class TaxLine(Value, frozen=True, kw_only=True):
    """One tax on a product line."""

    title: str | None = None
    rate: Decimal | None = None
    price: Decimal | None = None
    currency: str | None = None


class BundledProduct(Value, frozen=True, kw_only=True):
    """A product inside a bundle; `quantity` is per bundle. Prices are per unit, weight in grams."""

    title: str | None = None
    sku: str | None = None
    size: str | None = None
    line_id: str | None = None
    product_id: str | None = None
    variant_id: str | None = None
    quantity: int = 1
    price: Decimal | None = None
    weight: Decimal | None = None
    images: tuple[Image, ...] = ()
    tax_lines: tuple[TaxLine, ...] = ()
    type: ProductType = ProductType.PRODUCT


class Product(BundledProduct, frozen=True, kw_only=True):
    """A line of an order, or a line of what is in a parcel. Money is in the order's currency."""

    bundled_products: tuple[BundledProduct, ...] = ()


class Discount(Value, frozen=True, kw_only=True):
    """A discount on the order. `amount` is absolute, in the order's currency or per cent."""

    code: str
    amount: Decimal | None = None
    type: str | None = None


class Address(Value, frozen=True, kw_only=True):
    """A delivery address. `street` is both lines combined; `country_code` has two letters."""

    zip_code: str | None = None
    address_line_1: str | None = None
    address_line_2: str | None = None
    street: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    name: str | None = None
    phone: str | None = None
    company: str | None = None


class Analytics(Value, frozen=True, kw_only=True):
    """Attribution of an order: which campaign brought it. Known keys, and whatever else came."""

    campaign_id: str | None = None
    campaign_code: str | None = None
    source: str | None = None
    medium: str | None = None
    content: str | None = None
    term: str | None = None
    affiliate_code: str | None = None
    product_sku: str | None = None
    channel: str | None = None
    clicked_at: datetime | None = None
    session_id: str | None = None
    method: str | None = None
    confidence: str | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    """Free-form keys as the shop sent them: JSON values only."""


class Placement(Value, frozen=True, kw_only=True):
    """What the shop said of the purchase. Amounts are in `currency` (ISO 4217), weight in grams."""

    order_number: str
    external_id: str | None = None
    order_name: str | None = None
    order_placed_at: datetime
    promised_delivery_date: date | None = None
    """The day promised to the customer, in the destination's time zone."""
    currency: str = "EUR"
    total_order_price: Decimal | None = None
    shipping_price: Decimal | None = None
    sub_total_price: Decimal | None = None
    discount_price: Decimal | None = None
    products: tuple[Product, ...] = ()
    discounts: tuple[Discount, ...] = ()
    email_id: str | None = None
    address: Address = Address()
    segments: tuple[str, ...] = ()
    weight: Decimal | None = None
    user_agent: str | None = None
    external_customer_id: str | None = None


class Shipment(Value, frozen=True, kw_only=True):
    """One parcel of an order: a draft until a tracking number is attached."""

    shipment_id: Uuid
    ordinal: int
    """Place in the order, from 1; the shipment's id is made from it."""
    tracking_number: str | None = None
    """As the shop wrote it; None on a draft."""
    number: str | None = None
    """The same number normalised: the key of its `Parcel`."""
    carrier_reference: str | None = None
    """The carrier the shop named. See `carrier` for the one in use."""
    tracking_url: str | None = None
    tracking_placed_at: datetime | None = None
    external_shipment_id: str | None = None
    delivery: str | None = None
    """What the numbers that came in one field have in common, where the shop gave no
    `external_shipment_id` and their list of products is of all of them."""
    products: tuple[Product, ...] | None = None
    """What is inside as the shop said it; None: nothing was said; `()`: nothing is inside."""
    lines: tuple[PackedLine, ...] | None = None
    """`products` as order lines (`rules` keep them); None where nothing was said, or by a version
    that did not know them."""
    not_ordered: tuple[NotOrdered, ...] = ()
    """What of `products` is on no order line."""
    shares_with: Uuid | None = None
    """The parcel of the same delivery that has the list of both: see `contents.match_contents`."""
    archived: bool = False
    """A draft of a cancelled order: nothing is expected of it any more."""
    generation: int = 0
    """How many reassignments the order had seen when the number was attached (see `Order`)."""
    tracking: TrackingState = DRAFT
    notices: tuple[Notice, ...] | None = None
    """What a customer was notified of since the number was attached, oldest first; None on a draft,
    and where a version that did not know them wrote the order."""

    @property
    def is_draft(self) -> bool:
        """No tracking number yet."""
        return self.number is None

    @property
    def direction(self) -> Direction:
        """Which way it travels: a return may follow on the same number."""
        return self.tracking.direction

    @property
    def is_gone(self) -> bool:
        """The goods reach the customer no more, or left again: they may be sent a second time."""
        return self.tracking.given_up is not None or self.tracking.phase in _BACK

    @property
    def carrier(self) -> str | None:
        """The carrier the shop named, else the only one that reported scans."""
        return self.carrier_reference or self.tracking.carrier

    @property
    def state(self) -> State:
        """Grouping for a user interface."""
        return State.ARCHIVED if self.archived else state_of(self.tracking.phase)

    @property
    def sub_status(self) -> str | None:
        """The event name that says its state more exactly than the phase; None: none does."""
        return ORDER_CANCELLED if self.archived else self.tracking.sub_status


class ReleasedNumber(Value, frozen=True, kw_only=True):
    """A tracking number that went from the order to another one, and what was notified of it.

    A number that comes back must not notify the same customer of the same again.
    """

    number: str
    """Normalised."""
    notices: tuple[Notice, ...]


class ClaimCopy(Value, frozen=True, kw_only=True):
    """Passive copy of a claim, kept only to show it in the context of events."""

    claim_id: Uuid
    sequence: int
    """The claim event's number within the order: an older copy never replaces a newer one."""
    status: str
    reason: str | None = None
    resolution_preference: str | None = None
    description: str | None = None
    shipment_id: Uuid | None = None
    tracking_number: str | None = None
    carrier_reference: str | None = None
    shipment_phase_at_creation: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    event_data: dict[str, Any] | None = None
    """The data of the claim event, as JSON: part of snapshots, from which claims is rebuilt."""


class Order(Value, frozen=True, kw_only=True):
    """One order, whole.

    `version` = `order_sequence` + `shipment_sequence`, one step per event. It is higher after a
    restore, once facts were decided again that had been published (`published.py`).
    """

    order_id: Uuid
    shop: str
    placement: Placement
    status: OrderStatus
    version: int
    order_sequence: int
    """Number of the last event on `orders.events`; 0 before the first."""
    shipment_sequence: int
    """Number of the last event on `shipments.events`; 0 before the first."""
    expected_number_of_shipments: int
    """In force: never below the number of parcels handed over."""
    expected_asked: int
    """As the shop asked; the one in force falls back to it when a parcel is taken away."""
    shipments: tuple[Shipment, ...] = ()
    """In ascending order of `ordinal`."""
    order_analytics: Analytics | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    source_version: int | None = None
    """Newest version of the order in the shop's own counting that was applied."""
    updated_at: datetime | None = None
    """Newest change in the shop's own time that was applied."""
    analytics_source_version: int | None = None
    analytics_updated_at: datetime | None = None
    is_imported: bool = False
    """Whether its placement was too old to notify a customer when the order came, or may have been:
    its time was said and could not be read."""
    reassignments: int = 0
    """How often a number left the order or changed carrier: keeps event ids apart afterwards."""
    released: tuple[ReleasedNumber, ...] = ()
    """The last numbers that the order lost, oldest first; at most `SHIPMENTS_MAX`."""
    claims: tuple[ClaimCopy, ...] = ()
    applied: tuple[int, ...] = ()
    """Digests of items applied, oldest first (signed 64-bit): the newest 64 as stored, more in a
    batch (see `rules.repeats`)."""
    voided: tuple[VoidedNumber, ...] = ()
    """The last numbers that were taken off or replaced, oldest first; not in events."""
    warnings: tuple[KeptWarning, ...] = ()
    """The last warnings about its items, oldest first; not in events."""
    said_segments: tuple[SaidSegments, ...] = ()
    """The segments as commands said them, by time, the one without a time first; not in events.
    Empty where none had a time and none was empty: then `placement` has them."""
    referrals: tuple[Referral, ...] = ()
    """The links that led to it, in a fixed order; events have them as touches."""
    campaign: CampaignChoice | None = None
    """None: its shop had no campaign at its time."""
    campaign_changes: int = 0
    """How often an event said that another campaign is chosen."""
    attribution: Attribution | None = None
    """None: no contact is known, or its shop has no campaign."""

    @property
    def order_number(self) -> str:
        """The shop's number of the order."""
        return self.placement.order_number

    @property
    def placed_at(self) -> datetime:
        """When the customer placed it."""
        return self.placement.order_placed_at

    @property
    def fulfilled(self) -> tuple[Shipment, ...]:
        """Shipments that have a tracking number."""
        return tuple(shipment for shipment in self.shipments if not shipment.is_draft)

    @property
    def is_dispatched(self) -> bool:
        """At least one parcel is handed over."""
        for shipment in self.shipments:  # noqa: SIM110 - asked for each event; the cheapest way
            if shipment.number is not None:
                return True
        return False

    @property
    def delivery_state(self) -> DeliveryState:
        """How much of what is still expected has been delivered to the customer.

        A delivery that a return follows stays one; a delivery that is retracted is none.
        """
        is_any, is_all, is_none_expected = False, True, True
        for shipment in self.shipments:
            if shipment.archived:
                continue
            is_none_expected = False
            if shipment.tracking.delivered_at is None:
                is_all = False
            else:
                is_any = True
        if is_none_expected:
            return DeliveryState.NOTHING_EXPECTED
        if not is_any:
            return DeliveryState.NOT_DELIVERED
        return DeliveryState.DELIVERED if is_all else DeliveryState.PARTIALLY_DELIVERED


BY_ORDINAL = attrgetter("ordinal")
"""Key to sort shipments by."""


def with_shipment(order: Order, changed: Shipment) -> Order:
    """The order with one shipment replaced, or added, by ordinal."""
    if len(order.shipments) == 1 and order.shipments[0].ordinal == changed.ordinal:
        return replace(order, shipments=(changed,))  # Most orders: asked for each scan.
    others = [each for each in order.shipments if each.ordinal != changed.ordinal]
    return replace(order, shipments=tuple(sorted((*others, changed), key=BY_ORDINAL)))
