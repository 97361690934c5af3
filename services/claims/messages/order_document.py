"""The stored document of an order: encoded from the context of an event, and decoded again."""

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

from schemas.context import Context, PackedLine, Tracking
from schemas.context import Shipment as SentShipment
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.runtime.messages.json_codec import encode_json
from services.runtime.messages.records import FieldError, Malformed
from services.runtime.twins import Reader, omitted

EXPONENT_MAX = 300
"""Largest decimal exponent of numbers in a context, and its negative the smallest."""
STORED = ("order", "customer", "shipments")
"""The members of an event's context that are stored."""
TRUNCATED = "context_truncated"
LINES_CUT = "lines_cut"

_CONTEXT = Reader(Context, omitted_of=(SentShipment,))


@dataclass(frozen=True, slots=True)
class DocumentHead:
    """What is stored or sent about an order beside its document."""

    order_id: Uuid
    shop: str
    version: int
    is_truncated: bool


class _Members(Struct):
    """The members of a document as JSON; empty where a member is missing."""

    order: Raw = Raw()
    customer: Raw = Raw()
    shipments: Raw = Raw()
    context_truncated: bool = False


_MEMBERS = Decoder(_Members)


def encode_document(context: Mapping[str, Any], *, is_truncated: bool, lines_cut: bool) -> bytes:
    """The stored part of an event's decoded context, as JSON that `decode_order` can read.

    Raises:
        Malformed: the context has a number that cannot be stored.
    """
    marks = {TRUNCATED: is_truncated, LINES_CUT: lines_cut}
    stored = {name: context[name] for name in STORED if name in context} | marks
    try:
        return encode_json(stored, default=_exact_number)
    except TypeError as error:  # Numbers are limited to what 64 bits can hold.
        message = f"holds a number that cannot be kept: {error}"
        raise Malformed("invalid_fields", [FieldError("/context", message)]) from None


def document_members(document: bytes) -> tuple[dict[str, Any], bool]:
    """The members of a document for the context of an event, and whether the document was cut.

    Each member is JSON that orjson inserts unchanged.
    """
    found = _MEMBERS.decode(document)
    written = {name: bytes(getattr(found, name)) for name in STORED}
    members = {name: orjson.Fragment(json) for name, json in written.items() if json}
    return members, found.context_truncated


def decode_order(document: bytes, order_id: Uuid, shop: str, version: int) -> OrderCopy:
    """The order in a document that `encode_document` wrote."""
    context = orjson.loads(document)
    context.pop(LINES_CUT, None)
    head = DocumentHead(order_id, shop, version, bool(context.pop(TRUNCATED, False)))
    return order_with_contents(
        _CONTEXT.fast_or_none(context) or Context.model_validate(context), head
    )


def order_without_contents(context: Context, head: DocumentHead) -> OrderCopy:
    """The order without products and shipments, which most events do not need to decode."""
    order = context.order
    assert order is not None, "a context without its order is never stored"
    return OrderCopy(
        order_id=head.order_id,
        shop=head.shop,
        order_number=order.order_number,
        external_id=order.external_id,
        order_name=order.order_name,
        version=head.version,
        status=order.status,
    )


def order_with_contents(context: Context, head: DocumentHead) -> OrderCopy:
    """The order with its products and shipments."""
    order = context.order
    assert order is not None, "a context without its order is never stored"
    listed: dict[UUID, Tracking] = {tracking.shipment_id: tracking for tracking in order.trackings}
    listed |= {shipment.shipment_id: shipment for shipment in context.shipments}
    lines = _products(order.products)
    return replace(
        order_without_contents(context, head),
        products=lines,
        shipments=tuple(
            _shipment(tracking, lines, is_cut=head.is_truncated) for tracking in listed.values()
        ),
    )


def _shipment(tracking: Tracking, lines: tuple[Product, ...], *, is_cut: bool) -> Shipment:
    """A parcel; if its products were left out or cut for size, it has those of the order."""
    products = getattr(tracking, "products", None)  # A summary has none of these.
    packed = getattr(tracking, "lines", None)
    head = getattr(tracking, "shares_contents_with", None)
    if products is not None and not products and (is_cut or "products" in omitted(tracking)):
        products = None
    return Shipment(
        shipment_id=str(tracking.shipment_id),
        tracking_number=None if tracking.draft else tracking.tracking_number,
        carrier_reference=tracking.carrier_reference,
        phase=tracking.phase,
        delivered_at=tracking.delivered_at,
        products=None if products is None else _products(products),
        lines=None if packed is None else tuple(_line(each, lines) for each in packed),
        shares_with=None if head is None else str(head),
        given_up=getattr(tracking, "given_up", None),
    )


def _line(packed: PackedLine, lines: tuple[Product, ...]) -> Product:
    """A line or part of a line in a parcel; where the order's lines were cut, as it is named."""
    named = Product(
        sku=_text(packed.sku),
        variant_id=_text(packed.variant_id),
        title=_text(packed.title),
        line_id=_text(packed.line_id),
        quantity=packed.quantity,
    )
    if not 0 <= packed.line < len(lines) or packed.part is not None:
        return named
    return replace(named, parts=lines[packed.line].parts)


def _products(lines: Iterable[dict[str, Any]]) -> tuple[Product, ...]:
    """Lines of products; members that are not text or a count are ignored."""
    return tuple(
        Product(
            sku=_text(line.get("sku")),
            variant_id=_text(line.get("variant_id")),
            title=_text(line.get("title")),
            line_id=_text(line.get("line_id")),
            quantity=_count(line.get("quantity")),
            parts=_products(_objects(line.get("bundled_products"))),
        )
        for line in lines
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _exact_number(value: Any) -> Any:
    """A decimal number written digit by digit, if a double and Postgres' jsonb can hold it.

    Raises:
        TypeError: the number is too large or too small.
    """
    if isinstance(value, Decimal):
        smallest = value.as_tuple().exponent
        has_few_places = isinstance(smallest, int) and smallest >= -EXPONENT_MAX
        if has_few_places and value.adjusted() <= EXPONENT_MAX:
            return orjson.Fragment(str(value))
    raise TypeError("too large or too small")
