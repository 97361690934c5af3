"""Order commands of the contract as commands of the domain."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypedDict

import msgspec

from schemas import commands as contract
from schemas import enums
from schemas import orders as shapes
from schemas.codes import country_of
from services.orders.domain.model import commands as domain
from services.orders.domain.model import order as values
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.model.warnings import FactWarning
from services.orders.domain.value import replace
from services.orders.messages.referrals import referral_of
from services.orders.messages.unusual_trackings import is_any_unusual, own_id, read_unusual
from services.runtime.messages.records import Item
from services.runtime.twins import omitted

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1

ORDER_MARK = b'"id"'
"""Stands once for each order in a command, also in a bulk command."""

# Looked up: an enum's own call takes five times as long.
_KINDS: Mapping[enums.IdType, ReferenceKind] = {
    each: ReferenceKind(each.value) for each in enums.IdType
}
_PRODUCTS = tuple[values.Product, ...]
_ANALYTICS = tuple(shapes.OrderAnalytics.model_fields)
_ADDRESS = tuple(shapes.Address.model_fields)


class _Sent(TypedDict):
    """What every command takes from its item and its message."""

    item_id: str
    causation_id: str
    source_version: int | None
    updated_at: datetime | None


def _sent(item: Item, message: contract.Versioned) -> _Sent:
    return {
        "item_id": item.item_id,
        "causation_id": item.causation_id,
        "source_version": message.source_version,
        "updated_at": message.updated_at,
    }


def place(message: contract.OrderPlace, item: Item) -> domain.PlaceOrder:
    """`order.place`."""
    return domain.PlaceOrder(
        shop=message.shop_slug, order=_placement(message.order), **_sent(item, message)
    )


def upsert(message: contract.OrderUpsert, item: Item) -> domain.UpsertOrder:
    """`order.upsert`."""
    return _fulfillment(message.shop_slug, message, _sent(item, message))


def fulfill(
    bulk: contract.OrdersFulfillBulk, message: contract.BulkFulfillment, item: Item
) -> domain.UpsertOrder:
    """One item of `orders.fulfill_bulk`; what it does not say of its age, the message says."""
    sent = _sent(item, message)
    if message.source_version is None and message.updated_at is None:
        sent |= {"source_version": bulk.source_version, "updated_at": bulk.updated_at}
    return _fulfillment(bulk.shop_slug, message, sent)


def _fulfillment(shop: str, message: contract.Fulfillment, sent: _Sent) -> domain.UpsertOrder:
    order, analytics = message.order, message.order_analytics
    trackings = tuple([_tracking(each) for each in message.trackings])
    warnings: tuple[FactWarning, ...] = ()
    if trackings and is_any_unusual(trackings):
        trackings, warnings = read_unusual(trackings)
    return domain.UpsertOrder(
        shop=shop,
        reference=_reference(shop, message),
        order=None if order is None else _placement(order),
        trackings=trackings,
        order_analytics=None if analytics is None else _analytics(analytics),
        warnings=warnings,
        **sent,
    )


def update(message: contract.OrderUpdate, item: Item) -> domain.UpdateOrder:
    """`order.update`."""
    address = message.address
    return domain.UpdateOrder(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        address=None if address is None else _address(address),
        expected_number_of_shipments=message.expected_number_of_shipments,
        **_sent(item, message),
    )


def cancel(message: contract.OrderCancel, item: Item) -> domain.CancelOrder:
    """`order.cancel`."""
    return domain.CancelOrder(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        reason=message.reason,
        cancelled_at=message.cancelled_at,
        **_sent(item, message),
    )


def update_shipment(message: contract.ShipmentUpdate, item: Item) -> domain.UpdateShipment:
    """`shipment.update`."""
    products = message.products
    external, warnings = own_id(message.external_shipment_id)
    return domain.UpdateShipment(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        shipment_id=str(message.shipment_id) if message.shipment_id else None,
        tracking_number=message.tracking_number,
        external_shipment_id=external,
        carrier_reference=message.carrier_reference,
        tracking_url=message.tracking_url,
        products=None if products is None else _products(products),
        warnings=warnings,
        **_sent(item, message),
    )


def void_shipment(message: contract.ShipmentVoid, item: Item) -> domain.VoidShipment:
    """`shipment.void`."""
    external, warnings = own_id(message.external_shipment_id)
    return domain.VoidShipment(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        shipment_id=str(message.shipment_id) if message.shipment_id else None,
        tracking_number=message.tracking_number,
        external_shipment_id=external,
        reason=message.reason,
        is_forced=message.force,
        warnings=warnings,
        **_sent(item, message),
    )


def upsert_analytics(message: contract.OrderAnalyticsUpsert, item: Item) -> domain.UpsertAnalytics:
    """`order.analytics.upsert`."""
    return domain.UpsertAnalytics(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        order_analytics=_analytics(message.order_analytics),
        is_whole=message.replace,
        **_sent(item, message),
    )


def with_nulls(command: domain.Command, body: Any) -> domain.Command:
    """The command of a body in which null, or an empty text, says more than an absent member.

    It does in an address and in attribution, where it clears. Elsewhere it is the same as absent.
    """
    match command:
        case domain.PlaceOrder():
            return replace(command, order=_placement_with_nulls(command.order, body["order"]))
        case domain.UpsertOrder():
            order, nulls = command.order, _nulls(body.get("order_analytics"))
            said = None if order is None else _placement_with_nulls(order, body["order"])
            return replace(command, order=said, analytics_nulls=nulls)
        case domain.UpdateOrder():
            nulls = _empty_members(body.get("address"), command.address)
            return replace(command, address_nulls=nulls)
        case domain.UpsertAnalytics():
            return replace(command, analytics_nulls=_nulls(body["order_analytics"]))
        case _:
            return command


def with_unread_times(command: domain.Command, left_out: Container[str]) -> domain.Command:
    """The command of a body in which times were left out because they could not be read.

    `left_out` are the pointers of all values that were left out. A time that is not said means that
    it happens now; one that cannot be read may be of any age, so it does not notify.
    """
    match command:
        case domain.PlaceOrder(order=order):
            return replace(command, order=_with_unread_placed_at(order, left_out))
        case domain.UpsertOrder(order=order):
            trackings = [
                replace(each, is_placed_at_unread=True)
                if f"/trackings/{index}/tracking_placed_at" in left_out
                else each
                for index, each in enumerate(command.trackings)
            ]
            said = None if order is None else _with_unread_placed_at(order, left_out)
            return replace(command, order=said, trackings=tuple(trackings))
        case domain.CancelOrder():
            return replace(command, is_cancelled_at_unread="/cancelled_at" in left_out)
        case _:
            return command


def _with_unread_placed_at(
    order: domain.PlacementFields, left_out: Container[str]
) -> domain.PlacementFields:
    return replace(order, is_placed_at_unread="/order/order_placed_at" in left_out)


def _placement_with_nulls(order: domain.PlacementFields, body: Any) -> domain.PlacementFields:
    return replace(
        order,
        address_nulls=_empty_members(body.get("address"), order.address),
        analytics_nulls=_nulls(body.get("order_analytics")),
    )


def _empty_members(address: Any, read: values.Address | None) -> tuple[str, ...]:
    """Members of an address that are null or an empty text, which shops send for null.

    Not those that were read from another member: the code of the country that is named.
    """
    said = address if isinstance(address, dict) else {}
    empty = [name for name in _ADDRESS if said.get(name, 0) in (None, "")]
    return tuple([name for name in empty if getattr(read, name, None) is None])


def _nulls(analytics: Any) -> tuple[str, ...]:
    said = analytics if isinstance(analytics, dict) else {}
    return tuple([n for n, v in said.items() if v is None or (v == "" and n in _ANALYTICS)])


def _reference(shop: str, message: contract.NamesOrder) -> Reference:
    return Reference(shop, _KINDS[message.id_type], message.id)


def _placement(order: shapes.OrderPlacement) -> domain.PlacementFields:
    """Only what was said: a member left out keeps what is stored."""
    left_out, analytics = omitted(order), order.order_analytics
    referral = order.referral
    return domain.PlacementFields(
        order_number=order.order_number,
        external_id=order.external_id,
        order_name=order.order_name,
        order_placed_at=order.order_placed_at,
        promised_delivery_date=order.promised_delivery_date,
        currency=None if "currency" in left_out else order.currency,
        total_order_price=order.total_order_price,
        shipping_price=order.shipping_price,
        sub_total_price=order.sub_total_price,
        discount_price=None if "discount_price" in left_out else order.discount_price,
        products=None if "products" in left_out else _products(order.products),
        discounts=None if "discounts" in left_out else _discounts(order.discounts),
        email_id=order.email_id,
        address=_address(order.address),
        segments=None if "segments" in left_out else tuple(order.segments),
        weight=order.weight,
        user_agent=order.user_agent,
        external_customer_id=order.external_customer_id,
        expected_number_of_shipments=order.expected_number_of_shipments,
        order_analytics=None if analytics is None else _analytics(analytics),
        referral=None if referral is None else referral_of(referral),
    )


def _tracking(tracking: shapes.OrderTracking) -> domain.Tracking:
    products = tracking.products
    return domain.Tracking(
        tracking_number=tracking.tracking_number,
        carrier_reference=tracking.carrier_reference,
        tracking_url=tracking.tracking_url,
        tracking_placed_at=tracking.tracking_placed_at,
        external_shipment_id=tracking.external_shipment_id,
        products=None if products is None else _products(products),
    )


def _products(products: Iterable[shapes.Product]) -> tuple[values.Product, ...]:
    """Lines with all that is in them, which have the same members under the same names.

    One call into C copies them all: an order of 20,000 bytes has 77 lines.
    """
    return msgspec.convert(products, _PRODUCTS, from_attributes=True)


def _discounts(discounts: Iterable[shapes.OrderDiscount]) -> tuple[values.Discount, ...]:
    return tuple([values.Discount(code=d.code, amount=d.amount, type=d.type) for d in discounts])


def _address(address: shapes.Address) -> values.Address:
    return values.Address(
        zip_code=address.zip_code,
        address_line_1=address.address_line_1,
        address_line_2=address.address_line_2,
        street=address.street,
        city=address.city,
        province=address.province,
        province_code=address.province_code,
        country=address.country,
        country_code=address.country_code or (address.country and _country_of(address.country)),
        name=address.name,
        phone=address.phone,
        company=address.company,
    )


_country_of = lru_cache(maxsize=1024)(country_of)


def _analytics(analytics: shapes.OrderAnalytics) -> values.Analytics:
    known = {name: getattr(analytics, name) or None for name in _ANALYTICS}
    return values.Analytics(**known, extras=plain(analytics.model_extra or {}))


def plain(value: Any) -> Any:
    """Free JSON with fractions and huge numbers as text: stored and sent again as they came."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
        return str(value)  # Few JSON readers keep it.
    return value if isinstance(value, (str, int, type(None))) else str(value)
