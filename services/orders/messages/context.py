"""The snapshot that every event carries: the whole order, its customer, parcels and claims.

Never scan history. A snapshot that is too large is cut in a fixed order, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.orders.domain.frozen import reader_of
from services.orders.domain.order import Analytics, ClaimCopy, Order, Shipment
from services.orders.domain.scans import Eta
from services.runtime.documents import encode_json

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """An encoded snapshot; `is_truncated` when something was left out to keep it in bounds."""

    json: bytes
    is_truncated: bool


def encode(order: Order, max_bytes: int, *, whole_claims: bool = False) -> Context:
    """The snapshot of an order in at most `max_bytes` of JSON, cut as `CUTS` says if need be.

    With `whole_claims` each claim shows all that its event told: `order.snapshot` has it so.
    """
    snapshot = _snapshot(order, whole_claims=whole_claims)
    encoded = dumps(snapshot)
    is_truncated = False
    for cut in CUTS:
        if len(encoded) <= max_bytes:
            break
        cut(snapshot)
        encoded, is_truncated = dumps(snapshot), True
    return Context(encoded, is_truncated)


def dumps(value: Any) -> bytes:
    """JSON with exact amounts: Decimals as strings, as the contract has them."""
    return encode_json(value, default=str)


def _snapshot(order: Order, *, whole_claims: bool) -> Json:
    return {
        "order": _order(order),
        "customer": _customer(order),
        "shipments": [_shipment(order, shipment) for shipment in order.shipments],
        "claims": [_claim(claim, whole=whole_claims) for claim in order.claims],
    }


def _order(order: Order) -> Json:
    placement = members(order.placement)
    return {
        "uuid": order.order_id,
        "shop_slug": order.shop,
        **placement,
        "status": order.status,
        "expected_number_of_shipments": order.expected_number_of_shipments,
        "placed_at": order.placed_at,
        "cancelled_at": order.cancelled_at,
        "order_analytics": _analytics(order.order_analytics),
        "trackings": [_tracking(shipment) for shipment in order.shipments],
    }


def _customer(order: Order) -> Json:
    name = (order.placement.address.name or "").strip()
    first, _, last = name.rpartition(" ")
    return {
        "external_id": order.placement.external_customer_id,
        "email": order.placement.email_id,
        "first_name": (first or last) or None,
        "last_name": last if first else None,
    }


def _analytics(analytics: Analytics | None) -> Json | None:
    if analytics is None:
        return None
    known = members(analytics)
    extras = known.pop("extras")
    return {**extras, **{name: value for name, value in known.items() if value is not None}}


def _tracking(shipment: Shipment) -> Json:
    tracking = shipment.tracking
    return {
        "shipment_id": shipment.shipment_id,
        "ordinal": shipment.ordinal,
        "draft": shipment.is_draft,
        "tracking_number": shipment.tracking_number,
        "carrier_reference": shipment.carrier,
        "tracking_url": shipment.tracking_url,
        "phase": tracking.phase,
        "flag": tracking.flag,
        "state": shipment.state,
        "direction": tracking.direction or shipment.direction,
        "eta": eta(tracking.eta),
        "first_scan_at": tracking.first_scan_at,
        "delivered_at": tracking.delivered_at,
    }


def _shipment(order: Order, shipment: Shipment) -> Json:
    tracking = shipment.tracking
    everything = order.placement.products if shipment.products is None else shipment.products
    return {
        **_tracking(shipment),
        "order_id": order.order_id,
        "external_shipment_id": shipment.external_shipment_id,
        "tracking_placed_at": shipment.tracking_placed_at,
        "products": [
            {**members(product), "shipment_id": shipment.shipment_id} for product in everything
        ],
        "leg": tracking.leg,
        "attempts": tracking.attempts,
        "pickup": members(tracking.pickup) if tracking.pickup else None,
        "promised_delivery_date": order.placement.promised_delivery_date,
        "updated_at": tracking.last_occurred_at,
    }


def _claim(claim: ClaimCopy, *, whole: bool) -> Json:
    known = members(claim)
    if not whole:
        del known["sequence"], known["event_data"]
    return known


def eta(window: Eta | None) -> Json | None:
    """A window of arrival as the contract writes it; a day stays a day."""
    if window is None:
        return None
    return {"from": window.earliest, "to": window.latest}


def members(value: Any) -> Json:
    """A frozen value as JSON members; orjson encodes nested ones by itself."""
    kind: type = type(value)
    names, read = reader_of(kind)
    return dict(zip(names, read(value), strict=True))


def _cut_contents(snapshot: Json) -> None:
    """What is in each parcel; the order still says what was bought."""
    for shipment in snapshot["shipments"]:
        shipment["products"] = []


def _cut_decoration(snapshot: Json) -> None:
    """Pictures, taxes and bundle contents of the lines, and free members."""
    keep = ("line_id", "product_id", "variant_id", "sku", "title", "quantity", "price", "type")
    order = snapshot["order"]
    order["products"] = [
        {name: getattr(product, name) for name in keep} for product in order["products"]
    ]
    order["segments"], order["user_agent"], order["order_analytics"] = [], None, None


def _cut_shipments(snapshot: Json) -> None:
    """The fuller parcels; their summaries in `order.trackings` stay."""
    snapshot["shipments"] = []


def _cut_claims(snapshot: Json) -> None:
    """Claims; they are on claims.events."""
    snapshot["claims"] = []


def _cut_lines(snapshot: Json) -> None:
    """The order's lines and discounts."""
    snapshot["order"]["products"], snapshot["order"]["discounts"] = [], []


def _cut_urls(snapshot: Json) -> None:
    """The addresses of tracking pages."""
    for tracking in snapshot["order"]["trackings"]:
        tracking["tracking_url"] = None


CUTS: tuple[Callable[[Json], None], ...] = (
    _cut_contents,
    _cut_decoration,
    _cut_shipments,
    _cut_claims,
    _cut_lines,
    _cut_urls,
)
"""What goes first when a snapshot is too large; the last of them leaves it well below any bound."""
