"""Commands: one frozen value for each kind of command."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from msgspec import field

from services.orders.domain.model.campaigns import (
    Act,
    CampaignContent,
    Content,
    EntryName,
    Kind,
    Referral,
)
from services.orders.domain.model.ids import Uuid, digest_of
from services.orders.domain.model.order import (
    Address,
    Analytics,
    ClaimCopy,
    Discount,
    Product,
)
from services.orders.domain.model.references import Reference, ReferenceKind, canonical
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.warnings import FactWarning
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value


class PlacementFields(Value, frozen=True, kw_only=True):
    """What a command says of the purchase. None (also JSON null) = not said: what is stored stays.

    An empty tuple is said: it empties. Lists replace what was there as a whole; the address and the
    attribution have rules of their own (`rules/address.py`, `rules/analytics.py`).
    """

    order_number: str
    external_id: str | None = None
    order_name: str | None = None
    order_placed_at: datetime | None = None
    """None on creation = the time of the decision."""
    is_placed_at_unread: bool = False
    """Whether a time was said that could not be read: the order may be of any age."""
    promised_delivery_date: date | None = None
    currency: str | None = None
    """None on creation = EUR, as Karla has it."""
    total_order_price: Decimal | None = None
    shipping_price: Decimal | None = None
    sub_total_price: Decimal | None = None
    discount_price: Decimal | None = None
    products: tuple[Product, ...] | None = None
    discounts: tuple[Discount, ...] | None = None
    email_id: str | None = None
    address: Address | None = None
    address_nulls: tuple[str, ...] = ()
    """Members of the address that are null in the message: they are cleared."""
    segments: tuple[str, ...] | None = None
    weight: Decimal | None = None
    user_agent: str | None = None
    external_customer_id: str | None = None
    expected_number_of_shipments: int | None = None
    order_analytics: Analytics | None = None
    analytics_nulls: tuple[str, ...] = ()
    """Keys of the attribution that are null in the message: they are removed."""
    referral: Referral | None = None
    """The link that led to the order; with a known key at least."""


class Tracking(Value, frozen=True, kw_only=True):
    """A tracking number to attach. `products` None or empty on a new parcel = all of the order."""

    tracking_number: str
    carrier_reference: str | None = None
    tracking_url: str | None = None
    tracking_placed_at: datetime | None = None
    """None = the time of the decision."""
    is_placed_at_unread: bool = False
    """Whether a time was said that could not be read: the hand-over may be of any age."""
    external_shipment_id: str | None = None
    products: tuple[Product, ...] | None = None
    delivery: str | None = None
    """See `Shipment.delivery`."""
    position: int | None = None
    """Its place in the message's list, where that is not its place in the command's."""

    def pointer(self, index: int) -> str:
        """JSON pointer to it in the message; `index` is its place in the command."""
        return f"/trackings/{index if self.position is None else self.position}"


class CommandItem(Value, frozen=True, kw_only=True):
    """Members of every command: the item, and how new its sender says the content is."""

    item_id: Uuid
    causation_id: str
    """Id of the message with the command, for the `causationid` of its events."""
    source_version: int | None = None
    """The shop's own version of the order; an older one does not replace newer content."""
    updated_at: datetime | None = None
    """The shop's time of change, for shops without versions; guards in the same way."""
    warnings: tuple[FactWarning, ...] = ()
    """What was doubtful in the item when it was read."""

    @property
    def item_digest(self) -> int:
        """Short form of `item_id`, stored on the order to recognise a repeat."""
        return digest_of(self.item_id)


class ShopItem(CommandItem, frozen=True, kw_only=True):
    """What all commands of a shop have; a report may be of shipments of any shop."""

    shop: str


class PlaceOrder(ShopItem, frozen=True, kw_only=True):
    """`order.place`: a new order."""

    order: PlacementFields


class UpsertOrder(ShopItem, frozen=True, kw_only=True):
    """`order.upsert`, and each item of `orders.fulfill_bulk`: create, change or fulfil an order."""

    reference: Reference
    order: PlacementFields | None = None
    trackings: tuple[Tracking, ...] = ()
    order_analytics: Analytics | None = None
    """Beside the order; the one inside `order` counts only when this is None."""
    analytics_nulls: tuple[str, ...] = ()
    """Keys of the attribution beside the order that are null in the message."""
    is_old: bool = False
    """Whether it is older than the order: then only its new parcels are left of it."""


class UpdateOrder(ShopItem, frozen=True, kw_only=True):
    """`order.update`: address, expected number of shipments, or both."""

    reference: Reference
    address: Address | None = None
    address_nulls: tuple[str, ...] = ()
    """Members of the address that are null in the message: they are cleared."""
    expected_number_of_shipments: int | None = None


class CancelOrder(ShopItem, frozen=True, kw_only=True):
    """`order.cancel`."""

    reference: Reference
    reason: str | None = None
    cancelled_at: datetime | None = None
    """None = the time of the decision."""
    is_cancelled_at_unread: bool = False
    """Whether a time was said that could not be read: the cancellation may be of any age."""


class UpdateShipment(ShopItem, frozen=True, kw_only=True):
    """`shipment.update`: carrier, URL and products of one parcel, named by id or tracking number.

    Named by `external_shipment_id`, its tracking number is the parcel's from now on.
    `products` None skips, `()` empties, anything else replaces. An order has a number once, so the
    carrier never helps to name the parcel: it is the parcel's carrier from now on.
    """

    reference: Reference
    shipment_id: Uuid | None = None
    tracking_number: str | None = None
    external_shipment_id: str | None = None
    carrier_reference: str | None = None
    tracking_url: str | None = None
    products: tuple[Product, ...] | None = None


class VoidShipment(ShopItem, frozen=True, kw_only=True):
    """`shipment.void`: take a tracking number off an order. Every name must fit the shipment."""

    reference: Reference
    shipment_id: Uuid | None = None
    tracking_number: str | None = None
    external_shipment_id: str | None = None
    reason: str | None = None
    is_forced: bool = False
    """Whether a parcel that was delivered is taken off as well; then `reason` says why."""


class UpsertAnalytics(ShopItem, frozen=True, kw_only=True):
    """`order.analytics.upsert`: attribution sent after the order."""

    reference: Reference
    order_analytics: Analytics
    analytics_nulls: tuple[str, ...] = ()
    """Keys that are null in the message: they are removed."""
    is_whole: bool = False
    """Whether it replaces all that is held; else its keys replace theirs, and the others stay."""


class ReportTracking(CommandItem, frozen=True, kw_only=True):
    """`tracking.reported`: scans of one tracking number, from a carrier or an aggregator."""

    tracking_number: str
    carrier_reference: str | None = None
    scans: tuple[Scan, ...] = ()


class RecordClaim(ShopItem, frozen=True, kw_only=True):
    """A claim event taken into the order's passive copy: no version step and no event."""

    order_id: Uuid
    claim: ClaimCopy


class ChangeCampaigns(ShopItem, frozen=True, kw_only=True):
    """`campaign.upsert`, `.pause` and `.remove`, `discount.upsert` and `ab_test.upsert`."""

    kind: Kind
    entry_id: str
    act: Act
    content: Content | None = None
    """Of an upsert; its start is `effective_at` where the command says none."""
    properties: dict[str, Any] = field(default_factory=dict)
    """What is shown of a campaign: JSON values only."""
    effective_at: datetime
    """As said, else `updated_at`, else the time of the message; never that of the arrival."""
    said_at: datetime | None = None
    """`updated_at`, else the time of the message."""
    reason: str | None = None
    """Why a campaign is paused or removed, in the shop's words."""


class AdvanceCampaign(ShopItem, frozen=True, kw_only=True):
    """Internal: a campaign may have begun or ended by time (`book.next_change_at`)."""

    entry_id: str


class ReviewOrder(ShopItem, frozen=True, kw_only=True):
    """Internal: choose and credit an order again, after a change of its shop's campaigns."""

    order_id: Uuid


Command: TypeAlias = (
    PlaceOrder
    | UpsertOrder
    | UpdateOrder
    | CancelOrder
    | UpdateShipment
    | VoidShipment
    | UpsertAnalytics
    | ReportTracking
    | RecordClaim
    | ChangeCampaigns
    | AdvanceCampaign
    | ReviewOrder
)


class Names(Value, frozen=True):
    """What a command names: to be locked and read before it is decided.

    With the numbers' rows come their owners' orders: those must be in the `World` as well.
    """

    references: tuple[Reference, ...] = ()
    numbers: tuple[str, ...] = ()
    """Normalised tracking numbers."""
    is_partial: bool = False
    """Whether numbers that stand only on the stored order are named too: that of `shipment`, or
    else those that `rules.implied_numbers` finds once the order is read."""
    shipment: Uuid | None = None


def names(command: Command) -> Names:
    """Every order reference and normalised tracking number that deciding `command` looks at."""
    match command:
        case PlaceOrder():
            return Names(references_of(command.shop, command.order))
        case UpsertOrder():
            own = references_of(command.shop, command.order) if command.order else ()
            asked = tuple(dict.fromkeys((canonical(command.reference), *own)))
            if not command.trackings:
                return Names(asked)
            return _with_numbers(asked, command.trackings)
        case ReportTracking():
            return Names(numbers=(normalise_number(command.tracking_number),))
        case UpdateOrder():
            return Names((canonical(command.reference),))
        case UpdateShipment():
            return _names_of_change(command)
        case VoidShipment():
            said = command.tracking_number
            named = () if said is None else (normalise_number(said),)
            return Names((canonical(command.reference),), named, is_partial=True)
        case RecordClaim() | ReviewOrder():
            return Names((Reference(command.shop, ReferenceKind.UUID, command.order_id),))
        case ChangeCampaigns() | AdvanceCampaign():
            return Names()
        case _:
            return Names((canonical(command.reference),))


def named_entries(command: ChangeCampaigns | AdvanceCampaign) -> tuple[EntryName, ...]:
    """The entries that deciding a command looks at beside the book; its own is the first.

    As far as they exist they must be in the `World`, as a whole.
    """
    if isinstance(command, AdvanceCampaign):
        return (EntryName(command.shop, Kind.CAMPAIGN, command.entry_id),)
    own = EntryName(command.shop, command.kind, command.entry_id)
    content = command.content
    if isinstance(content, CampaignContent) and content.discount_id is not None:
        return own, EntryName(command.shop, Kind.DISCOUNT, content.discount_id)
    return (own,)


def _with_numbers(asked: tuple[Reference, ...], trackings: tuple[Tracking, ...]) -> Names:
    numbers: dict[str, None] = {}
    is_partial = False
    for each in trackings:
        numbers[normalise_number(each.tracking_number)] = None
        if each.external_shipment_id is not None:
            is_partial = True
    return Names(asked, tuple(numbers), is_partial)


def _names_of_change(command: UpdateShipment) -> Names:
    asked, said = (canonical(command.reference),), command.tracking_number
    if command.external_shipment_id is not None:
        named = () if said is None else (normalise_number(said),)
        return Names(asked, named, is_partial=True)
    if not command.carrier_reference:
        return Names(asked)
    if said is None:
        return Names(asked, is_partial=True, shipment=command.shipment_id)
    return Names(asked, (normalise_number(said),))


def references_of(shop: str, order: PlacementFields) -> tuple[Reference, ...]:
    """The references that an order's fields give it."""
    said = (
        (ReferenceKind.ORDER_NUMBER, order.order_number),
        (ReferenceKind.EXTERNAL_ID, order.external_id),
        (ReferenceKind.ORDER_NAME, order.order_name),
    )
    return tuple(Reference(shop, kind, value) for kind, value in said if value is not None)
