"""Events and outcomes as a plain encoder writes them: one dict a record, nothing is spliced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import uuid5

from msgspec.structs import asdict

from schemas.envelope import CloudEvent, rfc3339, write_headers
from schemas.outcomes import WARNINGS_MAX
from schemas.schema_ids import schema_id
from services.orders.domain.decide import decide
from services.orders.domain.model.commands import ChangeCampaigns, Command, names
from services.orders.domain.model.decision import Decision, Event, ShipmentEventData, World
from services.orders.domain.model.ledger import (
    ledger_of,
    parcels_of,
    whole_bundles,
    with_assumed_contents,
)
from services.orders.domain.model.order import BundledProduct, ClaimCopy, Order, Shipment
from services.orders.domain.model.references import ReferenceKind
from services.orders.domain.tracking.catalogue import Why
from services.orders.domain.tracking.scan import Eta
from services.orders.domain.value import Value
from services.orders.messages import encode
from services.orders.messages import snapshot as context
from services.orders.messages.decode import COMMANDS, DecodedItem, read
from services.orders.messages.detection.detect import candidates_of
from services.runtime.messages.records import ITEM_NAMESPACE, Item, Original, item_of
from services.runtime.outbox.outbox import Outgoing

Json = dict[str, Any]
RARE = ("reason_code", "action_required", "previous_action_required", "carrier_status")
"""Members of the data of shipment events that are absent where they say nothing."""
CONTEXT_MAX_BYTES = 10_000_000
"""Nothing is cut: what is cut has tests of its own."""


def pairs_of(originals: Sequence[Original], now: datetime) -> Iterator[tuple[Outgoing, Outgoing]]:
    """What follows from messages, each record beside the plain encoder's; those that wait end."""
    orders: dict[Any, Any] = {}
    parcels: dict[Any, Any] = {}
    references: dict[Any, Any] = {}
    world = World(orders=orders, parcels=parcels, references=references)
    for entry in (entry for original in originals for entry in read(original, now)):
        if not isinstance(entry, DecodedItem):
            yield _refusal(entry, now)
            continue
        decision = decide(world, entry.command, now)
        orders.update({order.order_id: order for order in decision.orders})
        parcels.update({parcel.number: parcel for parcel in decision.parcels})
        references.update(dict(decision.references))
        yield from _answers(entry, decision, orders, now)


def _answers(
    asked: DecodedItem, decision: Decision, orders: dict[Any, Order], now: datetime
) -> Iterator[tuple[Outgoing, Outgoing]]:
    item, command = asked.item, asked.command
    for event in decision.events:
        order, trace = orders[event.order_id], item.envelope.traceparent
        snapshot = context.encode(order, CONTEXT_MAX_BYTES)
        yield encode.event_record(event, snapshot, trace), _event(event, order, trace)
    if item.original.coordinates.topic == COMMANDS and decision.waits_for is None:
        named = orders.get(decision.order_id)
        found = encode.outcome_record(item, command, decision, named, now)
        yield found, _outcome(item, command, decision, named, now)


def _refusal(entry: Any, now: datetime) -> tuple[Outgoing, Outgoing]:
    item = item_of(entry.original, entry.index, entry.envelope, None)
    found = encode.OUTCOMES.of_refusal(entry, now)
    body = {**_asked(item), "outcome": "rejected", "reason": entry.reason, "detail": entry.detail}
    return found, _decided(item, {**body, **_place(item, now)}, None, now)


def _record(topic: str, key: bytes, body: Json, headers: CloudEvent, shard_by: str) -> Outgoing:
    """A record whose value and headers are not encoded."""
    written: Any = [each for each in write_headers(headers) if each[1]]
    return Outgoing(topic, key, plain(body), written, shard_by)


def _event(event: Event, order: Order, traceparent: str | None) -> Outgoing:
    data, of_shipment = event.data, isinstance(event.data, ShipmentEventData)
    source = "shipments" if of_shipment else "orders"
    ref = f"shipments/{data.phase}" if isinstance(data, ShipmentEventData) else "orders"
    said = {
        "event_id": event.event_id,
        "event_name": event.event_name,
        "event_group": event.event_group,
    }
    body = {
        "source": source,
        "ref": f"{ref}/{event.event_name}",
        "event_name": event.event_name,
        "event_group": event.event_group,
        "version": 1,
        "triggered_at": event.triggered_at,
        "shop_slug": event.shop,
        "event_id": event.event_id,
        "order_id": event.order_id,
        "sequence": event.sequence,
        "order_version": event.order_version,
        "event_data": {
            **said,
            **({"shipment_id": event.shipment_id} if of_shipment else {}),
            **{name: value for name, value in asdict(data).items() if value or name not in RARE},
        },
        "context_truncated": False,
        "context": _snapshot(order),
    }
    headers = CloudEvent(
        type=event.type.value,
        source="orderflow/orders",
        id=event.event_id,
        time=rfc3339(event.occurred_at),
        subject=event.order_id,
        traceparent=traceparent,
        causation_id=event.causation_id,
        sequence=event.sequence,
        order_version=event.order_version,
        data_schema=schema_id(event.type.value),
    )
    return _record(event.topic.value, event.order_id.encode(), body, headers, event.order_id)


def _snapshot(order: Order) -> Json:
    placement, said = order.placement, order.order_analytics
    first, _, last = (placement.address.name or "").strip().rpartition(" ")
    analytics = None
    if said is not None:
        known = {key: value for key, value in asdict(said).items() if value is not None}
        analytics = {**known.pop("extras"), **known}
    return {
        "order": {
            "uuid": order.order_id,
            "shop_slug": order.shop,
            **asdict(placement),
            "status": order.status,
            "expected_number_of_shipments": order.expected_number_of_shipments,
            "placed_at": placement.order_placed_at,
            "cancelled_at": order.cancelled_at,
            "delivery_state": order.delivery_state,
            "is_dispatched": order.is_dispatched,
            "order_analytics": analytics,
            "trackings": [_tracking(order, shipment) for shipment in order.shipments],
            **_ledger(order),
        },
        "customer": {
            "external_id": placement.external_customer_id,
            "email": placement.email_id,
            "first_name": first or last or None,
            "last_name": last if first else None,
        },
        "shipments": [
            _shipment(order, said, shown, is_one=len(order.shipments) == 1)
            for said, shown in zip(order.shipments, _shown(order).shipments, strict=True)
        ],
        "claims": [_claim(claim) for claim in order.claims],
    }


def _ledger(order: Order) -> Json:
    """Absent where the only parcel, or that nothing was sent, says the same of every line."""
    parcels = order.shipments
    is_sent = any(each.number or each.products is not None for each in parcels)
    is_alone = len(parcels) == 1 and parcels[0].products is None and not parcels[0].is_gone
    if not order.claims and (is_alone or not is_sent):
        return {}
    shown = with_assumed_contents(order)
    counts, found = ledger_of(shown), []
    for line, product in enumerate(order.placement.products):
        inside = [counts[line, part] for part in range(len(product.bundled_products))]
        parts = [
            {"part": at, **_names(part), **asdict(inside[at])}
            for at, part in enumerate(product.bundled_products)
        ]
        whole = whole_bundles(product, inside) if inside else counts[line, None]
        of_line = {"line": line, **_names(product), **asdict(whole)}
        found.append({**of_line, "shipment_ids": parcels_of(shown, line), "parts": parts})
    return {"ledger": found}


def _names(product: BundledProduct) -> Json:
    names = ("line_id", "variant_id", "sku", "title")
    return {name: getattr(product, name) for name in names}


def _shown(order: Order) -> Order:
    return order if len(order.shipments) == 1 else with_assumed_contents(order)


def _tracking(order: Order, shipment: Shipment) -> Json:
    tracking, promised = shipment.tracking, order.placement.promised_delivery_date
    eta: object = tracking.eta
    if shipment.is_draft and not shipment.archived and promised is not None:
        eta = {"from": None, "to": promised, "source": "promise"}
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
        "direction": tracking.direction,
        "eta": eta,
        "first_scan_at": tracking.first_scan_at,
        "delivered_at": tracking.delivered_at,
        **_sub_status(shipment),
        **{name: value for name, value in asdict(tracking.why or Why()).items() if value},
        **_candidates(order, shipment),
    }


def _sub_status(shipment: Shipment) -> Json:
    """Absent where nothing says more than the phase."""
    said = "ORDER_CANCELLED" if shipment.archived else shipment.tracking.sub_status
    return {"sub_status": said} if said else {}


def _candidates(order: Order, shipment: Shipment) -> Json:
    """Absent where the carrier is known, or the number says nothing."""
    if shipment.carrier is not None or shipment.tracking_number is None:
        return {}
    country = order.placement.address.country_code
    found = [asdict(each) for each in candidates_of(shipment.tracking_number, country)]
    return {"carrier_candidates": found} if found else {}


def _shipment(order: Order, said: Shipment, shipment: Shipment, *, is_one: bool) -> Json:
    tracking = shipment.tracking
    held = order.placement.products if shipment.products is None else shipment.products
    return {
        **_tracking(order, said),
        "order_id": order.order_id,
        "external_shipment_id": shipment.external_shipment_id,
        "tracking_placed_at": shipment.tracking_placed_at,
        "products": [{**asdict(line), "shipment_id": shipment.shipment_id} for line in held],
        "leg": tracking.leg,
        "attempts": tracking.attempts,
        "pickup": tracking.pickup,
        "promised_delivery_date": order.placement.promised_delivery_date,
        "updated_at": tracking.last_occurred_at,
        **_more(order, shipment, is_assumed=said.products is None and not is_one),
    }


def _more(order: Order, shipment: Shipment, *, is_assumed: bool) -> Json:
    """What few parcels have: absent where there is nothing to say."""
    names = ("line_id", "variant_id", "sku", "title")
    reasons = {False: "product_not_ordered", True: "quantity_above_ordered"}
    lines = []
    for each in shipment.lines or ():
        line = order.placement.products[each.line]
        named = line if each.part is None else line.bundled_products[each.part]
        said = {name: getattr(named, name) for name in names}
        lines.append({"line": each.line, "part": each.part, **said, "quantity": each.quantity})
    found: Json = {
        "lines": lines,
        "contents": "assumed" if is_assumed else None,
        "not_ordered": [
            {"product": each.product, "quantity": each.quantity, "reason": reasons[each.is_known]}
            for each in shipment.not_ordered
        ],
        "shares_contents_with": shipment.shares_with,
        "given_up": shipment.tracking.given_up,
    }
    return {
        name: value
        for name, value in found.items()
        if value or (name == "lines" and shipment.lines is not None)
    }


def _claim(claim: ClaimCopy) -> Json:
    hidden = ("sequence", "event_data")
    return {name: value for name, value in asdict(claim).items() if name not in hidden}


def _outcome(
    item: Item, command: Command, decision: Decision, order: Order | None, now: datetime
) -> Outgoing:
    found = decision.warnings
    numbers = [r.value for r in names(command).references if r.kind is ReferenceKind.ORDER_NUMBER]
    body = {
        **_asked(item),
        "outcome": decision.outcome,
        "reason": decision.reason,
        "detail": decision.detail,
        "shop_slug": getattr(command, "shop", None),
        "order_id": decision.order_id,
        "order_number": order.order_number if order else next(iter(numbers), None),
        "order_version": order.version if order else None,
        **_place(item, now),
        **({"warnings": [asdict(each) for each in found]} if found else {}),
    }
    if decision.warnings:
        root = f"/items/{item.index}" if item.body is not None else ""
        shown = [{**asdict(each), "pointer": root + each.pointer} for each in decision.warnings]
        body["warnings"] = shown[:WARNINGS_MAX]
        body |= {"warnings_left_out": left} if (left := len(shown) - WARNINGS_MAX) > 0 else {}
    if isinstance(command, ChangeCampaigns):
        body["campaign_id"] = command.entry_id
    return _decided(item, body, decision.order_id, now)


def _asked(item: Item) -> Json:
    return {
        "command_id": item.causation_id,
        "command_source": item.envelope.source,
        "index": item.index,
        "command_type": item.envelope.type,
    }


def _place(item: Item, now: datetime) -> Json:
    return {**asdict(item.original.coordinates), "decided_at": now}


def _decided(item: Item, body: Json, order_id: str | None, now: datetime) -> Outgoing:
    key = item.original.key or b""
    at = item.original.coordinates
    name = f"outcome/{at.topic}/{at.partition}/{at.offset}#{item.index}"
    headers = CloudEvent(
        type="command.decided",
        source="orderflow/orders",
        id=str(uuid5(ITEM_NAMESPACE, name)),
        time=rfc3339(now),
        subject=order_id,
        traceparent=item.envelope.traceparent,
        causation_id=item.causation_id,
        data_schema=schema_id("command.decided"),
    )
    return _record("orders.outcomes", key, body, headers, order_id or key.hex())


def plain(value: Any) -> Any:
    """A value as JSON has it: every member, amounts and instants as text."""
    match value:
        case Eta():
            return {"from": plain(value.earliest), "to": plain(value.latest)}
        case Value():
            return plain(asdict(value))
        case dict():
            return {key: plain(member) for key, member in value.items()}
        case tuple() | list():
            return [plain(each) for each in value]
        case Enum():
            return value.value
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return value
