"""From events of the contract to facts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas.claims import ClaimEventData
from schemas.context import Claim, Order, Tracking
from schemas.events import ClaimEvent, Event
from schemas.topics import CLAIMS_EVENTS
from services.analytics.domain.facts import (
    ClaimEventFacts,
    ClaimFact,
    EventFacts,
    OrderEventFacts,
    OrderFact,
    ParcelFact,
    day_of,
    judge_on_time,
    value_of_items,
)
from services.analytics.domain.zones import Zone, local_day, zone_of
from services.analytics.messages.bounds import (
    MONEY_MAX,
    PARCELS_MAX,
    amount_of,
    check_instants,
    out_of_bounds,
    version_of,
)
from services.analytics.messages.sales import sale_of
from services.runtime.messages.records import Original, read_message, validate
from services.runtime.twins import Reader

CURRENCY_DEFAULT = "EUR"  # Of an order that names no currency; Karla's default.

_EVENT = Reader(Event)
_CLAIM_EVENT = Reader(ClaimEvent)

READERS: Mapping[str, Reader[Any]] = {"event": _EVENT, "claim_event": _CLAIM_EVENT}
"""One reader for all events of the orders service, one for the events of the claims service."""


def read_facts(original: Original) -> EventFacts | None:
    """The facts in an event record; None when its order was cut for size.

    The type of an event does not matter: each event holds the state after it, so events of types
    that later versions add are read as well.

    Raises:
        Malformed: the record is not an event of the contract, or has a value no fact can hold.
    """
    body = read_message(original).body
    if original.coordinates.topic == CLAIMS_EVENTS:
        return _claim_event(_CLAIM_EVENT.read(body))
    return _order_event(_EVENT.read(body))


def _order_event(event: Event) -> OrderEventFacts | None:
    order = event.context.order
    if order is None:
        if event.context_truncated:
            return None
        raise out_of_bounds("/context/order", "must hold the order after the event")
    version = version_of("/order_version", event.order_version)
    fact = _order_fact(event, order, version)
    listed = _listed_parcels(event, order)
    parcels = tuple(
        _parcel_fact(fact, tracking, f"/context/shipments/{shipment_id}")
        for shipment_id, tracking in listed.items()
        if not tracking.draft and tracking.tracking_number
    )
    is_complete = not event.context_truncated or len(listed) >= fact.expected_parcels
    return OrderEventFacts(fact, parcels, is_complete, _claims_in_snapshot(event))


def _listed_parcels(event: Event, order: Order) -> Mapping[Any, Tracking]:
    """The parcels by id: in full where the context has them, else as the order summarises them."""
    summaries = {tracking.shipment_id: tracking for tracking in order.trackings}
    return {**summaries, **{shipment.shipment_id: shipment for shipment in event.context.shipments}}


def _order_fact(event: Event, order: Order, version: int) -> OrderFact:
    zone, country = _destination(order)
    placed_at = order.placed_at or order.order_placed_at or event.triggered_at
    cancelled_at = order.cancelled_at
    if cancelled_at is None and order.status == "cancelled":
        cancelled_at = event.triggered_at
    check_instants("/context/order", placed_at, cancelled_at)
    return OrderFact(
        order_id=str(event.order_id),
        version=version,
        shop=event.shop_slug,
        order_number=order.order_number,
        status=order.status,
        placed_at=placed_at,
        placed_on=local_day(placed_at, zone),
        cancelled_at=cancelled_at,
        cancelled_on=day_of(cancelled_at, zone),
        promised_on=order.promised_delivery_date,
        country=country,
        zone=zone,
        currency=order.currency or CURRENCY_DEFAULT,
        item_value=_item_value(order),
        value_version=version if _has_value(event, order) else 0,
        expected_parcels=_parcel_count(order.expected_number_of_shipments),
        sale=sale_of(event.shop_slug, order),
    )


def _parcel_fact(order: OrderFact, tracking: Tracking, pointer: str) -> ParcelFact:
    check_instants(pointer, tracking.first_scan_at, tracking.delivered_at)
    delivered_on = day_of(tracking.delivered_at, order.zone, tracking.delivered_on)
    return ParcelFact(
        shipment_id=str(tracking.shipment_id),
        order_id=order.order_id,
        version=order.version,
        shop=order.shop,
        carrier=tracking.carrier_reference,
        country=order.country,
        is_return=_is_return(tracking),
        phase=tracking.phase,
        flag=tracking.flag or "normal",
        attempts=_attempts(tracking),
        placed_at=order.placed_at,
        promised_on=order.promised_on,
        handed_over_at=tracking.first_scan_at,
        handed_over_on=day_of(tracking.first_scan_at, order.zone, tracking.first_scan_on),
        delivered_at=tracking.delivered_at,
        delivered_on=delivered_on,
        on_time=judge_on_time(delivered_on, order.promised_on),
    )


def _is_return(tracking: Tracking) -> bool:
    """Whether the parcel started at the customer; not if it was sent there first and came back."""
    leg: int | None = getattr(tracking, "leg", None)  # A summary has none.
    has_gone_out = tracking.delivered_at is not None or (leg or 1) > 1
    return tracking.direction == "customer_merchant" and not has_gone_out


def _attempts(tracking: Tracking) -> int:
    attempts: int | None = getattr(tracking, "attempts", None)  # A summary has none.
    return min(max(attempts or 0, 0), PARCELS_MAX)


def _claims_in_snapshot(event: Event) -> tuple[ClaimFact, ...]:
    """The claims of a snapshot, which holds the data of each claim's last event; else none."""
    return tuple(
        _snapshot_claim(event, claim, f"/context/claims/{index}")
        for index, claim in enumerate(event.context.claims)
        if claim.event_data is not None
    )


def _snapshot_claim(event: Event, claim: Claim, pointer: str) -> ClaimFact:
    version = version_of(f"{pointer}/sequence", claim.sequence)
    data = validate(ClaimEventData, claim.event_data, f"{pointer}/event_data")
    return _claim_fact(event, data, version, f"{pointer}/event_data")


def _claim_event(event: ClaimEvent) -> ClaimEventFacts:
    version = version_of("/sequence", event.sequence)
    return ClaimEventFacts(_claim_fact(event, event.event_data, version, "/event_data"))


def _claim_fact(event: Event, data: ClaimEventData, version: int, pointer: str) -> ClaimFact:
    opened_at = data.created_at or event.triggered_at
    check_instants(f"{pointer}/created_at", opened_at)
    zone, country = _destination(event.context.order)
    return ClaimFact(
        claim_id=str(data.claim_id),
        order_id=str(event.order_id),
        version=version,
        shop=event.shop_slug,
        shipment_id=str(data.shipment_id) if data.shipment_id else None,
        reason=data.reason,
        status=data.status,
        resolution_preference=data.resolution_preference,
        country=country,
        opened_at=opened_at,
        opened_on=local_day(opened_at, zone),
        is_withdrawn=data.event_name.lower().endswith("withdrawn"),
    )


def _destination(order: Order | None) -> tuple[Zone, str | None]:
    """Zone and country of the delivery address; shops put the country code into either field."""
    address = (order.address if order else None) or {}
    country = _text(address, "country_code") or _text(address, "country") or ""
    code = country.strip().upper()
    zone = zone_of(code, _text(address, "province_code"), _text(address, "province"))
    return zone, code if len(code) == 2 else None


def _text(address: Mapping[str, Any], name: str) -> str | None:
    value = address.get(name)
    return value if isinstance(value, str) else None


def _has_value(event: Event, order: Order) -> bool:
    """Whether the event has what the items are worth: not if its lines were cut for size."""
    is_cut = event.context_truncated and not order.products
    return order.sub_total_price is not None or not is_cut


def _item_value(order: Order) -> Decimal | None:
    lines = tuple((_quantity(line), _price(line)) for line in order.products)
    try:
        value = value_of_items(order.sub_total_price, lines)
    except ArithmeticError:  # Raised by a number too large to multiply.
        value = MONEY_MAX
    return amount_of("/context/order", value, "the value of the items")


def _quantity(line: Mapping[str, Any]) -> int:
    quantity = line.get("quantity")
    return quantity if isinstance(quantity, int) and 0 <= quantity <= PARCELS_MAX else 1


def _price(line: Mapping[str, Any]) -> Decimal | None:
    """A line's unit price. The contract writes money as text; a JSON number is accepted too."""
    price = line.get("price")
    if not isinstance(price, str | int | Decimal) or isinstance(price, bool):
        return None
    try:
        return Decimal(price)
    except ArithmeticError:
        return None


def _parcel_count(count: int) -> int:
    if not 0 <= count <= PARCELS_MAX:
        pointer = "/context/order/expected_number_of_shipments"
        raise out_of_bounds(pointer, f"must be from 0 to {PARCELS_MAX}")
    return count
