"""From messages to domain values: events of the orders service, and claim commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
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
from services.claims.domain.claim import ClaimReason, Evidence, Resolution, Status
from services.claims.domain.commands import (
    Command,
    OpenClaim,
    OrderReference,
    UpdateClaim,
    WithdrawClaim,
)
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy
from services.claims.messages.order_document import (
    DocumentHead,
    encode_document,
    order_with_contents,
    order_without_contents,
)
from services.claims.messages.snapshots import (
    SnapshotClaim,
    claims_complete_at,
    decode_claims,
    has_claims,
    item_of,
)
from services.runtime.messages.blank_texts import has_blank, without_blanks
from services.runtime.messages.records import (
    FieldError,
    Malformed,
    Original,
    item_id,
    known_type,
    read_message,
)
from services.runtime.messages.repair import RepairWarning
from services.runtime.twins import Reader

VERSION_MAX = 2**62

_EVENT = Reader(Event, omitted_of=(SentShipment,))
_OPEN = Reader(ClaimOpen, is_repairing=True)
_UPDATE = Reader(ClaimUpdate, is_repairing=True)
_WITHDRAW = Reader(ClaimWithdraw, is_repairing=True)

READERS: Mapping[str, Reader[Any]] = {
    "event": _EVENT,
    CLAIM_OPEN: _OPEN,
    CLAIM_UPDATE: _UPDATE,
    CLAIM_WITHDRAW: _WITHDRAW,
}
"""One reader for all events of the orders service, one for each type of command."""


@dataclass(frozen=True, slots=True)
class ReceivedOrder:
    """An order in one event of the orders service."""

    order: OrderCopy
    """Without products and shipments, unless there are `claims`."""
    document: bytes
    """The order as JSON, to be stored (`order_document`)."""
    lines_cut: bool = False
    """The event left out the order's lines for size, so the stored lines stay."""
    claims: tuple[SnapshotClaim, ...] = ()
    """Only a snapshot event has them."""
    claims_complete_at: datetime | None = None
    """When the event was decided, if it leaves out no claim that existed then."""


def read_order(original: Original) -> ReceivedOrder | None:
    """The order in an event of the orders service; None when the order was cut for size.

    The type of an event does not matter: each event holds the whole order after it.

    Raises:
        Malformed: the record is not an event of the contract.
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
    head = DocumentHead(str(event.order_id), event.shop_slug, version, event.context_truncated)
    lines_cut = event.context_truncated and not event.context.order.products
    document = encode_document(
        body["context"], is_truncated=event.context_truncated, lines_cut=lines_cut
    )
    complete_at = claims_complete_at(event)
    if not has_claims(event):
        return ReceivedOrder(
            order_without_contents(event.context, head), document, lines_cut, (), complete_at
        )
    order = order_with_contents(event.context, head)
    return ReceivedOrder(order, document, lines_cut, decode_claims(event, order), complete_at)


class ReceivedCommand(NamedTuple):
    """The command in a record, and what was repaired or left out when it was read."""

    envelope: CloudEvent
    command: Command
    warnings: Sequence[RepairWarning] = ()


def read_command(original: Original) -> ReceivedCommand:
    """The claim command in a record of `claims.commands`.

    Raises:
        Malformed: the record is not a command of the contract.
    """
    message = read_message(original, is_normalizing=True)
    type_ = known_type(message, MODELS, "claim command")
    identity = item_id(original, message.envelope, 0)
    reader, build = _COMMANDS[type_]
    sent = without_blanks(message.body) if has_blank(original.value) else message.body
    body, warnings = reader.read_repaired(sent)
    return ReceivedCommand(message.envelope, build(identity, body), warnings)


def _open(identity: Uuid, command: ClaimOpen) -> OpenClaim:
    return OpenClaim(
        item_id=identity,
        order=_reference(command),
        shipment_id=str(command.shipment_id) if command.shipment_id else None,
        tracking_number=command.tracking_number,
        reason=ClaimReason(command.reason),
        resolution_preference=_resolution(command.resolution_preference),
        description=command.description,
        selected_items=tuple(map(item_of, command.selected_items)),
        evidence=Evidence(
            image_urls=tuple(command.image_urls),
            optional_image_urls=tuple(command.optional_image_urls),
            customer_signature_image_url=command.customer_signature_image_url,
        ),
        dropoff_permission=command.dropoff_permission,
    )


def _update(identity: Uuid, command: ClaimUpdate) -> UpdateClaim:
    return UpdateClaim(
        item_id=identity,
        shop=command.shop_slug,
        claim_id=str(command.claim_id),
        status=Status(command.status) if command.status else None,
        resolution_preference=_resolution(command.resolution_preference),
        description=command.description,
        image_urls=_links(command.image_urls),
        optional_image_urls=_links(command.optional_image_urls),
        customer_signature_image_url=command.customer_signature_image_url,
        reason_for_change=command.reason_for_change,
    )


def _withdraw(identity: Uuid, command: ClaimWithdraw) -> WithdrawClaim:
    return WithdrawClaim(
        item_id=identity,
        shop=command.shop_slug,
        claim_id=str(command.claim_id),
        reason=command.reason,
    )


_COMMANDS: Mapping[str, tuple[Reader[Any], Callable[[Uuid, Any], Command]]] = {
    CLAIM_OPEN: (_OPEN, _open),
    CLAIM_UPDATE: (_UPDATE, _update),
    CLAIM_WITHDRAW: (_WITHDRAW, _withdraw),
}


def _reference(command: ClaimOpen) -> OrderReference:
    value = command.id
    if command.id_type is IdType.UUID:
        try:
            value = str(UUID(command.id))
        except ValueError:
            raise _malformed("/id", "must be a UUID where id_type is uuid") from None
    return OrderReference(command.shop_slug, command.id_type.value, value)


def _resolution(preference: str | None) -> Resolution | None:
    return Resolution(preference) if preference else None


def _links(urls: list[str] | None) -> tuple[str, ...] | None:
    return None if urls is None else tuple(urls)


def _malformed(pointer: str, message: str) -> Malformed:
    return Malformed("invalid_fields", [FieldError(pointer, message)])
