"""Order commands of the contract as commands of the domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

from pydantic import BaseModel

from schemas import commands as contract
from schemas import orders as shapes
from services.orders.domain import commands as domain
from services.orders.domain import order as values
from services.runtime.records import Item

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1


class _Sent(TypedDict):
    """What every command takes from its item and its message."""

    item_id: str
    causation_id: str
    source_version: int | None
    updated_at: Any


def _sent(item: Item, message: contract.Versioned) -> _Sent:
    return _Sent(
        item_id=item.item_id,
        causation_id=item.causation_id,
        source_version=message.source_version,
        updated_at=message.updated_at,
    )


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
    return domain.UpsertOrder(
        shop=shop,
        reference=_reference(shop, message),
        order=_placement(message.order) if message.order else None,
        trackings=tuple(map(_tracking, message.trackings)),
        order_analytics=_analytics(message.order_analytics),
        **sent,
    )


def update(message: contract.OrderUpdate, item: Item) -> domain.UpdateOrder:
    """`order.update`."""
    return domain.UpdateOrder(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        address=_address(message.address) if message.address else None,
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
    return domain.UpdateShipment(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        shipment_id=str(message.shipment_id) if message.shipment_id else None,
        tracking_number=message.tracking_number,
        carrier_reference=message.carrier_reference,
        tracking_url=message.tracking_url,
        products=None if products is None else _products(products),
        **_sent(item, message),
    )


def upsert_analytics(message: contract.OrderAnalyticsUpsert, item: Item) -> domain.UpsertAnalytics:
    """`order.analytics.upsert`."""
    analytics = _analytics(message.order_analytics)
    assert analytics is not None
    return domain.UpsertAnalytics(
        shop=message.shop_slug,
        reference=_reference(message.shop_slug, message),
        order_analytics=analytics,
        **_sent(item, message),
    )


def _reference(shop: str, message: contract.NamesOrder) -> domain.Reference:
    return domain.Reference(shop, domain.ReferenceKind(message.id_type.value), message.id)


def _placement(order: shapes.OrderPlacement) -> domain.PlacementFields:
    """Only what was said: a member left out keeps what is stored."""
    said = order.model_fields_set
    lists: dict[str, Any] = {
        "products": _products(order.products),
        "discounts": tuple(map(_discount, order.discounts)),
        "segments": tuple(order.segments),
        "currency": order.currency,
        "discount_price": order.discount_price,
    }
    return domain.PlacementFields(
        order_number=order.order_number,
        external_id=order.external_id,
        order_name=order.order_name,
        order_placed_at=order.order_placed_at,
        promised_delivery_date=order.promised_delivery_date,
        total_order_price=order.total_order_price,
        shipping_price=order.shipping_price,
        sub_total_price=order.sub_total_price,
        email_id=order.email_id,
        address=_address(order.address),
        weight=order.weight,
        user_agent=order.user_agent,
        external_customer_id=order.external_customer_id,
        expected_number_of_shipments=order.expected_number_of_shipments,
        order_analytics=_analytics(order.order_analytics),
        **{name: value for name, value in lists.items() if name in said},
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
    return tuple(
        values.Product(
            **_line(product),
            bundled_products=tuple(map(_bundled, product.bundled_products)),
            type=values.ProductType(product.type.value),
        )
        for product in products
    )


def _bundled(item: shapes.BundledProduct) -> values.BundledProduct:
    return values.BundledProduct(**_line(item))


def _line(item: shapes.BundledProduct) -> dict[str, Any]:
    return {
        "title": item.title,
        "sku": item.sku,
        "size": item.size,
        "line_id": item.line_id,
        "product_id": item.product_id,
        "variant_id": item.variant_id,
        "quantity": item.quantity,
        "price": item.price,
        "weight": item.weight,
        "images": tuple(values.Image(**_members(image)) for image in item.images),
        "tax_lines": tuple(values.TaxLine(**_members(tax)) for tax in item.tax_lines),
    }


def _discount(discount: shapes.OrderDiscount) -> values.Discount:
    return values.Discount(**_members(discount))


def _address(address: shapes.Address) -> values.Address:
    return values.Address(**_members(address))


def _members(model: BaseModel) -> dict[str, Any]:
    """The members of a flat model, whose names are the domain's too."""
    return vars(model)


def _analytics(analytics: shapes.OrderAnalytics | None) -> values.Analytics | None:
    if analytics is None:
        return None
    known = {name: getattr(analytics, name) for name in type(analytics).model_fields}
    return values.Analytics(**known, extras=plain(analytics.model_extra or {}))


def plain(value: Any) -> Any:
    """Free JSON with fractions and huge numbers as text: stored and sent again as they came."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
        return str(value)  # No JSON reader keeps it, and the writer of events refuses it.
    return value if isinstance(value, (str, int, type(None))) else str(value)
