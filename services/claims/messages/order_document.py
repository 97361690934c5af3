"""The snapshot of an order as claims keep it: written from an event's context, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from msgspec import Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from schemas.context import Context, Tracking
from schemas.context import Shipment as SentShipment
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.runtime.messages.json_codec import encode_json
from services.runtime.messages.records import FieldError, Malformed
from services.runtime.twins import Reader, omitted

EXPONENT_MAX = 300
"""Of numbers in a context, either way; beyond lies what a double cannot hold."""
KEPT = ("order", "customer", "shipments")
"""Of an event's context; claims add their own."""
TRUNCATED = "context_truncated"
LINES_CUT = "lines_cut"

_CONTEXT = Reader(Context, omitted_of=(SentShipment,))


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event says of its order outside the context."""

    order_id: Uuid
    shop: str
    version: int
    is_truncated: bool


class _Parts(Struct):
    """The members of a kept snapshot as JSON, of no bytes where there is none."""

    order: Raw = Raw()
    customer: Raw = Raw()
    shipments: Raw = Raw()
    context_truncated: bool = False


_PARTS = Decoder(_Parts)


def keep(context: Mapping[str, Any], *, is_truncated: bool, lines_cut: bool) -> bytes:
    """The part of an event's decoded context that is kept, as JSON that `order_in` can read.

    Raises:
        Malformed: a number that cannot be kept.
    """
    marks = {TRUNCATED: is_truncated, LINES_CUT: lines_cut}
    kept = {name: context[name] for name in KEPT if name in context} | marks
    try:
        return encode_json(kept, default=_exactly)
    except TypeError as error:  # A reader of JSON has 64 bits for a number, and so have we.
        message = f"holds a number that cannot be kept: {error}"
        raise Malformed("invalid_fields", [FieldError("/context", message)]) from None


def parts_of(kept: bytes) -> tuple[dict[str, Any], bool]:
    """What events show of a kept snapshot, each member as JSON that orjson puts in as it is.

    And whether the snapshot was cut before it came.
    """
    found = _PARTS.decode(kept)
    written = {name: bytes(getattr(found, name)) for name in KEPT}
    parts = {name: orjson.Fragment(json) for name, json in written.items() if json}
    return parts, found.context_truncated


def order_in(kept: bytes, order_id: Uuid, shop: str, version: int) -> OrderCopy:
    """The order in a snapshot that `keep` made."""
    snapshot = orjson.loads(kept)
    snapshot.pop(LINES_CUT, None)
    subject = Subject(order_id, shop, version, bool(snapshot.pop(TRUNCATED, False)))
    return whole_order(_CONTEXT.fast_or_none(snapshot) or Context.model_validate(snapshot), subject)


def named_order(context: Context, subject: Subject) -> OrderCopy:
    """The order with what names it alone: all that most news are asked for."""
    order = context.order
    assert order is not None, "a context without its order is never kept"
    return OrderCopy(
        order_id=subject.order_id,
        shop=subject.shop,
        order_number=order.order_number,
        external_id=order.external_id,
        order_name=order.order_name,
        version=subject.version,
        status=order.status,
    )


def whole_order(context: Context, subject: Subject) -> OrderCopy:
    """The order with its products and shipments."""
    order = context.order
    assert order is not None, "a context without its order is never kept"
    listed: dict[UUID, Tracking] = {tracking.shipment_id: tracking for tracking in order.trackings}
    listed |= {shipment.shipment_id: shipment for shipment in context.shipments}
    return replace(
        named_order(context, subject),
        products=_products(order.products),
        shipments=tuple(
            _shipment(tracking, is_cut=subject.is_truncated) for tracking in listed.values()
        ),
    )


def _shipment(tracking: Tracking, *, is_cut: bool) -> Shipment:
    """A parcel; if its products were left out, or cut from a large order, it holds the order's."""
    products = getattr(tracking, "products", None)  # A summary has none.
    if products is not None and not products and (is_cut or "products" in omitted(tracking)):
        products = None
    return Shipment(
        shipment_id=str(tracking.shipment_id),
        tracking_number=None if tracking.draft else tracking.tracking_number,
        carrier_reference=tracking.carrier_reference,
        phase=tracking.phase,
        delivered_at=tracking.delivered_at,
        products=None if products is None else _products(products),
    )


def _products(lines: Iterable[dict[str, Any]]) -> tuple[Product, ...]:
    """Lines of products, read leniently: what is no text or count says nothing."""
    return tuple(
        Product(
            sku=_text(line.get("sku")),
            variant_id=_text(line.get("variant_id")),
            title=_text(line.get("title")),
            quantity=_count(line.get("quantity")),
        )
        for line in lines
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _exactly(value: Any) -> Any:
    """Write a decimal number digit for digit, if a double and Postgres' jsonb can hold it."""
    if isinstance(value, Decimal):
        smallest = value.as_tuple().exponent
        has_few_places = isinstance(smallest, int) and smallest >= -EXPONENT_MAX
        if has_few_places and value.adjusted() <= EXPONENT_MAX:
            return orjson.Fragment(str(value))
    raise TypeError("too large or too small")
