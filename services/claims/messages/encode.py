"""From domain values to records of `claims.events`, in the format of Karla's API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from msgspec import to_builtins

from schemas.envelope import CloudEvent, rfc3339
from schemas.topics import CLAIMS_EVENTS
from services.claims.domain.claim import Claim, ClaimItem
from services.claims.domain.decision import Action, ClaimEvent
from services.claims.domain.ids import digest_text, event_id
from services.claims.messages.order_document import document_members
from services.runtime.messages.headers import headers_by_place
from services.runtime.messages.json_codec import encode_json
from services.runtime.messages.records import Original
from services.runtime.outbox.outbox import Outgoing

SOURCE = "orderflow/claims"


@dataclass(frozen=True, slots=True)
class EventContext:
    """The context of an event: the order's document as JSON, and all claims of the order."""

    document: bytes
    claims: tuple[Claim, ...]


def outgoing_event(
    event: ClaimEvent,
    event_context: EventContext,
    cause: tuple[Original, CloudEvent],
    *,
    now: datetime,
    bytes_max: int,
) -> Outgoing:
    """The record of one event, its context cut to stay below `bytes_max`."""
    original, envelope = cause
    claim = event.claim
    identity = event_id(claim.order_id, event.sequence)
    headers = headers_by_place(
        type=f"claim.{event.action}",
        source=SOURCE,
        id=identity,
        time=rfc3339(now),
        subject=claim.order_id,
        traceparent=envelope.traceparent,
        causation_id=envelope.id or str(original.coordinates),
        sequence=event.sequence,
        order_version=event.order_version,
    )
    body = _body(event, identity, event_context, now)
    value = encode_within(body, bytes_max)
    key = claim.order_id
    return Outgoing(CLAIMS_EVENTS, key.encode(), value, headers, key)


def _body(
    event: ClaimEvent, identity: str, event_context: EventContext, now: datetime
) -> dict[str, Any]:
    claim = event.claim
    context, is_truncated = document_members(event_context.document)
    context["claims"] = [_summary(each) for each in event_context.claims if each.deleted_at is None]
    return {
        "source": "claims",
        "ref": f"claims/{event.action}",
        "event_name": event.action,
        "event_group": _group(event.action),
        "version": 1,
        "triggered_at": rfc3339(now),
        "shop_slug": claim.shop,
        "event_id": identity,
        "order_id": claim.order_id,
        "sequence": event.sequence,
        "order_version": event.order_version,
        "event_data": _data(event, identity),
        "context": context,
        "context_truncated": is_truncated,
    }


def _group(action: Action) -> str:
    """The event group of Karla's API, which has two: a withdrawal counts as an update."""
    return "claim_created" if action is Action.CREATED else "claim_updated"


def _data(event: ClaimEvent, identity: str) -> dict[str, Any]:
    claim = event.claim
    evidence = claim.evidence
    return {
        **_summary(claim),
        "event_id": identity,
        "event_name": event.action,
        "event_group": _group(event.action),
        "order_number": claim.order_number,
        "previous_status": event.previous_status,
        "changed_fields": event.changed_fields,
        "reason_for_change": event.reason,
        "selected_items": [_item(item) for item in claim.selected_items],
        "image_urls": evidence.image_urls,
        "optional_image_urls": evidence.optional_image_urls,
        "customer_signature_image_url": evidence.customer_signature_image_url,
        "dropoff_permission": claim.dropoff_permission,
        "deleted_at": rfc3339(claim.deleted_at) if claim.deleted_at else None,
        "held_items": [to_builtins(goods) for goods in claim.holds],
        "is_granted": claim.is_granted,
        "applied_commands": [digest_text(command) for command in claim.newest_applied],
        "history": [
            {"status": step.status, "at": rfc3339(step.at), "reason": step.reason}
            for step in claim.history
        ],
    }


def _summary(claim: Claim) -> dict[str, Any]:
    """The members of a claim in contexts."""
    shipment = claim.shipment
    return {
        "claim_id": claim.claim_id,
        "shipment_id": shipment.shipment_id if shipment else None,
        "tracking_number": shipment.tracking_number if shipment else None,
        "carrier_reference": shipment.carrier_reference if shipment else None,
        "shipment_phase_at_creation": shipment.phase if shipment else None,
        "reason": claim.reason,
        "status": claim.status,
        "resolution_preference": claim.resolution_preference,
        "description": claim.description,
        "created_at": rfc3339(claim.created_at),
        "updated_at": rfc3339(claim.updated_at),
    }


def _item(item: ClaimItem) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "title": item.title,
        "quantity": item.quantity,
        "net_price": None if item.net_price is None else str(item.net_price),
        "image_urls": item.image_urls,
    }


def encode_within(body: dict[str, Any], bytes_max: int) -> bytes:
    """The body as JSON; a context that is too large is cut in steps (docs/decisions/0024)."""
    value = encode_json(body)
    if len(value) <= bytes_max:
        return value
    # JSON from a jsonb column has spaces: without them it may fit.
    body |= {"context": orjson.loads(encode_json(body["context"]))}
    value = encode_json(body)
    if len(value) <= bytes_max:
        return value
    body |= {"context_truncated": True}
    for cut in CUTS:
        cut(body["context"])
        value = encode_json(body)
        if len(value) <= bytes_max:
            break
    return value


def _cut_products(context: dict[str, Any]) -> None:
    for parcel in context.get("shipments") or ():
        parcel.pop("products", None)


def _cut_descriptions(context: dict[str, Any]) -> None:
    for claim in context["claims"]:
        claim.pop("description", None)


def _cut_lines(context: dict[str, Any]) -> None:
    if context.get("order"):
        context["order"].update({"products": [], "discounts": []})


def _cut(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda context: context.update({name: [] if name != "order" else None})


CUTS: Iterable[Callable[[dict[str, Any]], None]] = (
    _cut_descriptions,
    _cut_products,
    _cut("shipments"),
    _cut("claims"),
    _cut_lines,
    _cut("order"),
)
