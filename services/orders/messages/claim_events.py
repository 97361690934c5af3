"""Claim events as commands of the domain: a passive copy, shown in later events' context."""

from __future__ import annotations

from typing import Any

from schemas.events import CLAIM_EVENTS, ClaimEvent
from services.orders.domain.model.commands import RecordClaim
from services.orders.domain.model.order import ClaimCopy
from services.orders.messages.order_commands import plain
from services.runtime.messages.records import Item, validate

TYPES = frozenset(CLAIM_EVENTS)


def record(body: Any, item: Item) -> RecordClaim:
    """`claim.created`, `claim.updated` and `claim.withdrawn`."""
    event = validate(ClaimEvent, body)
    claim = event.event_data
    return RecordClaim(
        item_id=item.item_id,
        causation_id=item.causation_id,
        shop=event.shop_slug,
        order_id=str(event.order_id),
        claim=ClaimCopy(
            claim_id=str(claim.claim_id),
            sequence=event.sequence,
            # Withdrawn is no status of a claim, but what a reader of the order must see.
            status="withdrawn" if event.event_name == "withdrawn" else claim.status,
            reason=claim.reason,
            resolution_preference=claim.resolution_preference,
            description=claim.description,
            shipment_id=str(claim.shipment_id) if claim.shipment_id else None,
            tracking_number=claim.tracking_number,
            carrier_reference=claim.carrier_reference,
            shipment_phase_at_creation=claim.shipment_phase_at_creation,
            created_at=claim.created_at,
            updated_at=claim.updated_at,
            event_data=plain(body["event_data"]),
        ),
    )
