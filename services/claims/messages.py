"""From messages to domain values: order and shipment events, and claim commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from schemas.claims import (
    CLAIM_OPEN,
    CLAIM_UPDATE,
    CLAIM_WITHDRAW,
    MODELS,
    ClaimOpen,
    ClaimUpdate,
    ClaimWithdraw,
)
from schemas.context import Context, Tracking
from schemas.enums import IdType
from schemas.events import Event
from services.claims.domain.claim import Evidence, Reason, Resolution, Status
from services.claims.domain.commands import (
    Command,
    OpenClaim,
    OrderReference,
    UpdateClaim,
    WithdrawClaim,
)
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.claims.snapshots import ToldClaim, all_claims_told_at, item_of, told_claims
from services.runtime.documents import encode_json
from services.runtime.records import (
    Envelope,
    FieldError,
    Malformed,
    Original,
    item_id,
    read_message,
    validate,
)

VERSION_MAX = 2**62
EXPONENT_MAX = 300
"""Of numbers in a context, either way; beyond lies what a double cannot hold."""
KEPT = ("order", "customer", "shipments")
"""Of an event's context; its claims are ours and told anew."""
TRUNCATED = "context_truncated"
LINES_CUT = "lines_cut"


@dataclass(frozen=True, slots=True)
class OrderNews:
    """An order as one event tells of it, and that snapshot as JSON, read back by `order_in`."""

    order: OrderCopy
    context: bytes
    lines_cut: bool = False
    """Its lines were left out for size: those known before still stand."""
    claims: tuple[ToldClaim, ...] = ()
    """Only a snapshot tells them."""
    all_claims_told_at: datetime | None = None
    """When it was decided, if no claim that there was then is missing from it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an event says of its order outside the context."""

    order_id: Uuid
    shop: str
    version: int
    is_truncated: bool


def read_news(original: Original) -> OrderNews | None:
    """What an event of the orders service says of its order; None when the order was cut for size.

    The type of an event plays no part: each carries the whole order after it.

    Raises:
        Malformed: not an event of the contract.
    """
    body = read_message(original).body
    event = validate(Event, body)
    if event.context.order is None:
        if event.context_truncated:
            return None
        raise _malformed("/context/order", "must hold the order after the event")
    version = event.order_version
    if version is None or not 0 < version < VERSION_MAX:
        raise _malformed("/order_version", "must be the order's version, from 1")
    about = Told(str(event.order_id), event.shop_slug, version, event.context_truncated)
    lines_cut = event.context_truncated and not event.context.order.products
    marks = {TRUNCATED: event.context_truncated, LINES_CUT: lines_cut}
    order = _order(event.context, about)
    return OrderNews(
        order,
        _kept(body["context"], marks),
        lines_cut,
        told_claims(event, order),
        all_claims_told_at(event),
    )


def _kept(context: Mapping[str, Any], marks: dict[str, bool]) -> bytes:
    """The part of a context that is kept, as JSON that a later `order_in` can read."""
    kept = {name: context[name] for name in KEPT if name in context} | marks
    try:
        return encode_json(kept, default=_exactly)
    except TypeError as error:  # A reader of JSON has 64 bits for a number, and so have we.
        raise _malformed("/context", f"holds a number that cannot be kept: {error}") from None


def order_in(kept: bytes, order_id: Uuid, shop: str, version: int) -> OrderCopy:
    """The order in a snapshot that `read_news` made."""
    snapshot = orjson.loads(kept)
    snapshot.pop(LINES_CUT, None)
    told = Told(order_id, shop, version, bool(snapshot.pop(TRUNCATED, False)))
    return _order(Context.model_validate(snapshot), told)


def _order(context: Context, told: Told) -> OrderCopy:
    order = context.order
    assert order is not None, "a context without its order is never kept"
    listed: dict[UUID, Tracking] = {tracking.shipment_id: tracking for tracking in order.trackings}
    listed |= {shipment.shipment_id: shipment for shipment in context.shipments}
    return OrderCopy(
        order_id=told.order_id,
        shop=told.shop,
        order_number=order.order_number,
        external_id=order.external_id,
        order_name=order.order_name,
        version=told.version,
        status=order.status,
        products=_products(order.products),
        shipments=tuple(
            _shipment(tracking, is_cut=told.is_truncated) for tracking in listed.values()
        ),
    )


def read_command(original: Original) -> tuple[Envelope, Command]:
    """The claim command in a record of `claims.commands`.

    Raises:
        Malformed: not a command of the contract.
    """
    message = read_message(original)
    type_ = message.envelope.type or ""
    if type_ not in MODELS:
        known = ", ".join(MODELS)
        said = f"{type_!r} is no claim command" if type_ else "the message names no type"
        raise Malformed("unknown_type", [FieldError("/type", f"{said}; known are {known}")])
    identity = item_id(original, message.envelope, 0)
    return message.envelope, _READERS[type_](identity, message.body)


def _open(identity: Uuid, body: Any) -> OpenClaim:
    said = validate(ClaimOpen, body)
    return OpenClaim(
        item_id=identity,
        order=_reference(said),
        shipment_id=str(said.shipment_id) if said.shipment_id else None,
        tracking_number=said.tracking_number,
        reason=Reason(said.reason),
        resolution_preference=_resolution(said.resolution_preference),
        description=said.description,
        selected_items=tuple(map(item_of, said.selected_items)),
        evidence=Evidence(
            image_urls=tuple(said.image_urls),
            optional_image_urls=tuple(said.optional_image_urls),
            customer_signature_image_url=said.customer_signature_image_url,
        ),
        dropoff_permission=said.dropoff_permission,
    )


def _update(identity: Uuid, body: Any) -> UpdateClaim:
    said = validate(ClaimUpdate, body)
    return UpdateClaim(
        item_id=identity,
        shop=said.shop_slug,
        claim_id=str(said.claim_id),
        status=Status(said.status) if said.status else None,
        resolution_preference=_resolution(said.resolution_preference),
        description=said.description,
        image_urls=_links(said.image_urls),
        optional_image_urls=_links(said.optional_image_urls),
        customer_signature_image_url=said.customer_signature_image_url,
        reason_for_change=said.reason_for_change,
    )


def _withdraw(identity: Uuid, body: Any) -> WithdrawClaim:
    said = validate(ClaimWithdraw, body)
    return WithdrawClaim(
        item_id=identity, shop=said.shop_slug, claim_id=str(said.claim_id), reason=said.reason
    )


_READERS: Mapping[str, Callable[[Uuid, Any], Command]] = {
    CLAIM_OPEN: _open,
    CLAIM_UPDATE: _update,
    CLAIM_WITHDRAW: _withdraw,
}


def _reference(said: ClaimOpen) -> OrderReference:
    value = said.id
    if said.id_type is IdType.UUID:
        try:
            value = str(UUID(said.id))
        except ValueError:
            raise _malformed("/id", "must be a UUID where id_type is uuid") from None
    return OrderReference(said.shop_slug, said.id_type.value, value)


def _resolution(preference: str | None) -> Resolution | None:
    return Resolution(preference) if preference else None


def _links(urls: list[str] | None) -> tuple[str, ...] | None:
    return None if urls is None else tuple(urls)


def _shipment(tracking: Tracking, *, is_cut: bool) -> Shipment:
    """A parcel; one whose products were not told, or cut from a large order, holds the order's."""
    told = getattr(tracking, "products", None) if "products" in tracking.model_fields_set else None
    if is_cut and not told:
        told = None
    return Shipment(
        shipment_id=str(tracking.shipment_id),
        tracking_number=None if tracking.draft else tracking.tracking_number,
        carrier_reference=tracking.carrier_reference,
        phase=tracking.phase,
        delivered_at=tracking.delivered_at,
        products=None if told is None else _products(told),
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


def _malformed(pointer: str, message: str) -> Malformed:
    return Malformed("invalid_fields", [FieldError(pointer, message)])
