"""Claims in snapshot events, each with the data of its last event, to fill emptied tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from schemas.claims import ClaimEventData
from schemas.claims import ClaimItem as Line
from schemas.context import Claim as Summary
from schemas.events import ORDER_SNAPSHOT, Event
from services.claims.domain.claim import (
    Claim,
    ClaimedShipment,
    ClaimItem,
    ClaimReason,
    Evidence,
    HeldGoods,
    Resolution,
    Status,
    StatusChange,
)
from services.claims.domain.goods import contents, quantities, selection_hash
from services.claims.domain.held_goods import held_by_key
from services.claims.domain.ids import parse_digest
from services.claims.domain.order_copy import OrderCopy, Product
from services.runtime.messages.records import FieldError, Malformed, validate

SNAPSHOT = ORDER_SNAPSHOT.replace(".", "_").upper()
SEQUENCE_MAX = 2**62


@dataclass(frozen=True, slots=True)
class SnapshotClaim:
    """A claim as in event number `sequence` of its order on `claims.events`."""

    sequence: int
    claim: Claim


def claims_complete_at(event: Event) -> datetime | None:
    """When the event was decided, if it leaves out no claim of the order that existed then.

    That is a snapshot from which no claim was cut, or the first event of an order.
    """
    if event.event_name == SNAPSHOT:
        # Parcels are cut before claims: while there are parcels, no claim is missing.
        may_lack = event.context_truncated and not event.context.shipments
        return None if may_lack and not event.context.claims else event.triggered_at
    is_first = event.source == "orders" and event.sequence == 1
    return event.triggered_at if is_first else None


def has_claims(event: Event) -> bool:
    """Whether the event has claims in full, as snapshots do; other events have summaries."""
    return any(summary.event_data is not None for summary in event.context.claims)


def decode_claims(event: Event, order: OrderCopy) -> tuple[SnapshotClaim, ...]:
    """The claims that the event has in full.

    Raises:
        Malformed: the data of a claim cannot come from an event of this service.
    """
    return tuple(
        _snapshot_claim(event, order, summary, f"/context/claims/{position}")
        for position, summary in enumerate(event.context.claims)
        if summary.event_data is not None
    )


def _snapshot_claim(
    event: Event, order: OrderCopy, summary: Summary, pointer: str
) -> SnapshotClaim:
    sequence = summary.sequence
    if sequence is None or not 0 < sequence < SEQUENCE_MAX:
        raise _malformed(f"{pointer}/sequence", "must be the number of the claim's last event")
    inside = f"{pointer}/event_data"
    data = validate(ClaimEventData, summary.event_data, inside)
    lines = tuple(
        item_of(validate(Line, line, f"{inside}/selected_items/{position}"))
        for position, line in enumerate(data.selected_items)
    )
    try:
        return SnapshotClaim(sequence, _claim(event, order, data, lines))
    except (ValueError, msgspec.ValidationError) as error:  # A value that no claim has.
        raise _malformed(inside, f"is no claim of this service: {error}") from None


def _claim(
    event: Event, order: OrderCopy, data: ClaimEventData, lines: tuple[ClaimItem, ...]
) -> Claim:
    created_at = data.created_at or event.triggered_at
    preference = data.resolution_preference
    history = tuple(
        StatusChange(status=Status(step.status), at=step.at, reason=step.reason)
        for step in data.history
    )
    return Claim(
        claim_id=str(data.claim_id),
        order_id=order.order_id,
        order_number=data.order_number or order.order_number,
        shop=event.shop_slug,
        shipment=_shipment(data),
        reason=ClaimReason(data.reason),
        resolution_preference=Resolution(preference) if preference else None,
        description=data.description,
        selected_items=lines,
        items_hash=selection_hash(lines),
        holds=_holds(data, order, lines),
        evidence=Evidence(
            image_urls=tuple(data.image_urls),
            optional_image_urls=tuple(data.optional_image_urls),
            customer_signature_image_url=data.customer_signature_image_url,
        ),
        dropoff_permission=data.dropoff_permission,
        status=Status(data.status),
        history=history,
        is_granted=_is_granted(data, history),
        created_at=created_at,
        updated_at=data.updated_at or created_at,
        deleted_at=data.deleted_at,
        withdrawal_reason=data.reason_for_change if data.event_name == "withdrawn" else None,
        applied=tuple(map(parse_digest, data.applied_commands or ())),
    )


def item_of(line: Line) -> ClaimItem:
    """A selected line of the contract as a value of the domain."""
    return ClaimItem(
        sku=line.sku,
        title=line.title,
        quantity=line.quantity,
        net_price=line.net_price,
        image_urls=tuple(line.image_urls),
    )


def _shipment(data: ClaimEventData) -> ClaimedShipment | None:
    if data.shipment_id is None:
        return None
    return ClaimedShipment(
        shipment_id=str(data.shipment_id),
        tracking_number=data.tracking_number,
        carrier_reference=data.carrier_reference,
        phase=data.shipment_phase_at_creation,
    )


def _holds(
    data: ClaimEventData, order: OrderCopy, lines: tuple[ClaimItem, ...]
) -> tuple[HeldGoods, ...]:
    """The goods the claim holds: `held_items`, or the selection in events of older versions."""
    if data.held_items is not None:
        return msgspec.convert(data.held_items, tuple[HeldGoods, ...])
    shipment = order.shipment(str(data.shipment_id), None) if data.shipment_id else None
    if shipment is None or data.reason == ClaimReason.SUPPORT:
        return ()
    selected = [Product(sku=n.sku, title=n.title, quantity=n.quantity) for n in lines]
    return held_by_key(quantities(selected or contents(order, shipment)))


def _is_granted(data: ClaimEventData, history: tuple[StatusChange, ...]) -> bool:
    if data.is_granted is not None:
        return data.is_granted
    decisive = [s.status for s in history if s.status in {Status.ACCEPTED, Status.REJECTED}]
    return decisive[-1:] == [Status.ACCEPTED]


def _malformed(pointer: str, message: str) -> Malformed:
    return Malformed("invalid_fields", [FieldError(pointer, message)])
