"""From messages to domain values: order and shipment events, and claim commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.claims import (
    CLAIM_OPEN,
    CLAIM_UPDATE,
    CLAIM_WITHDRAW,
    MODELS,
    ClaimOpen,
    ClaimUpdate,
    ClaimWithdraw,
)
from schemas.context import Shipment as SentShipment
from schemas.enums import IdType
from schemas.envelope import CloudEvent
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
from services.claims.domain.order_copy import OrderCopy
from services.claims.messages.order_document import Subject, keep, named_order, whole_order
from services.claims.messages.snapshots import (
    ToldClaim,
    all_claims_told_at,
    item_of,
    tells_claims,
    told_claims,
)
from services.runtime.messages.records import (
    FieldError,
    Malformed,
    Original,
    item_id,
    read_message,
)
from services.runtime.twins import Reader

VERSION_MAX = 2**62

_EVENT = Reader(Event, omitted_of=(SentShipment,))
_OPEN = Reader(ClaimOpen)
_UPDATE = Reader(ClaimUpdate)
_WITHDRAW = Reader(ClaimWithdraw)

READERS: Mapping[str, Reader[Any]] = {
    "event": _EVENT,
    CLAIM_OPEN: _OPEN,
    CLAIM_UPDATE: _UPDATE,
    CLAIM_WITHDRAW: _WITHDRAW,
}
"""What reads each type; the events of the orders service are all read alike."""


@dataclass(frozen=True, slots=True)
class OrderNews:
    """An order as one event tells of it, and that snapshot as JSON (`kept.py`)."""

    order: OrderCopy
    """Whose snapshot it is and which; without products and shipments unless `claims` are told."""
    context: bytes
    lines_cut: bool = False
    """Its lines were left out for size: those known before still stand."""
    claims: tuple[ToldClaim, ...] = ()
    """Only a snapshot tells them."""
    all_claims_told_at: datetime | None = None
    """When it was decided, if no claim that there was then is missing from it."""


def read_news(original: Original) -> OrderNews | None:
    """What an event of the orders service says of its order; None when the order was cut for size.

    The type of an event plays no part: each carries the whole order after it.

    Raises:
        Malformed: not an event of the contract.
    """
    body = read_message(original).body
    event = _EVENT.read(body)
    if event.context.order is None:
        if event.context_truncated:
            return None
        raise _malformed("/context/order", "must hold the order after the event")
    version = event.order_version
    if version is None or not 0 < version < VERSION_MAX:
        raise _malformed("/order_version", "must be the order's version, from 1")
    about = Subject(str(event.order_id), event.shop_slug, version, event.context_truncated)
    lines_cut = event.context_truncated and not event.context.order.products
    kept = keep(body["context"], is_truncated=event.context_truncated, lines_cut=lines_cut)
    told_at = all_claims_told_at(event)
    if not tells_claims(event):
        return OrderNews(named_order(event.context, about), kept, lines_cut, (), told_at)
    order = whole_order(event.context, about)
    return OrderNews(order, kept, lines_cut, told_claims(event, order), told_at)


def read_command(original: Original) -> tuple[CloudEvent, Command]:
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
    return message.envelope, _COMMANDS[type_](identity, message.body)


def _open(identity: Uuid, body: Any) -> OpenClaim:
    said = _OPEN.read(body)
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
    said = _UPDATE.read(body)
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
    said = _WITHDRAW.read(body)
    return WithdrawClaim(
        item_id=identity, shop=said.shop_slug, claim_id=str(said.claim_id), reason=said.reason
    )


_COMMANDS: Mapping[str, Callable[[Uuid, Any], Command]] = {
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


def _malformed(pointer: str, message: str) -> Malformed:
    return Malformed("invalid_fields", [FieldError(pointer, message)])
