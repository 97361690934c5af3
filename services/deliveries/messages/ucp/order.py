"""The order object of the Universal Commerce Protocol, of one event and the log of its order.

https://ucp.dev, version 2026-04-08: schemas/shopping/order.json. What the protocol requires and an
order does not say is stood for by a value that the member `messages` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from services.deliveries.messages.ucp.event import (
    Address,
    Claim,
    Customer,
    Eta,
    Line,
    Order,
    OrderEvent,
    Parcel,
    read_order_event,
)
from services.deliveries.messages.ucp.log import Log, extended
from services.deliveries.messages.ucp.money import (
    NO_CURRENCY,
    line_amount,
    line_totals,
    minor_units,
    order_totals,
)
from services.deliveries.messages.ucp.quantities import (
    BACK,
    CANCELLED,
    LineQuantity,
    Quantity,
    contents_of,
    line_ids,
    quantities_of,
)
from services.runtime.messages.records import named_uuid

VERSION = "2026-04-08"
CAPABILITY = "dev.ucp.shopping.order"
_CLAIMS = {"pending": "pending", "accepted": "completed", "closed": "completed"}
"""Status of an adjustment by that of its claim; of others `failed`."""

Json = dict[str, Any]


def ucp_body(value: bytes, log: Log | None, order_url: str) -> bytes:
    """The order of an event as JSON.

    `value` is the event as on Kafka. `log` has the fulfilment events up to this one; None: no log
    is kept, and the order says what is known. `order_url` is the template of the order's page. An
    event that does not carry the whole order makes an error response of the protocol.
    """
    event = read_order_event(value)
    order = event.order if event else None
    if event is None or order is None:
        return msgspec.json.encode(_error(event, order_url))
    if log is None:
        log = extended(None, event)
    return msgspec.json.encode(_body(event, order, log, order_url))


def _body(event: OrderEvent, order: Order, log: Log, order_url: str) -> Json:
    currency = order.currency or NO_CURRENCY
    quantities = quantities_of(event.context, order)
    ids = line_ids(order.products)
    totals, unknown = order_totals(order, currency)
    messages = [
        *([] if order.currency else [_unknown("$.currency", NO_CURRENCY)]),
        *_price_messages(order.products),
        *(_unknown(f"$.totals[?@.type=='{name}']", "a figure from the others") for name in unknown),
    ]
    adjustments = [*_cancellation(event, order, ids, quantities), *_claims(event)]
    return {
        "ucp": {"version": VERSION, "capabilities": {CAPABILITY: [{"version": VERSION}]}},
        "id": event.order_id,
        "label": order.order_name or order.order_number,
        "checkout_id": _checkout_id(order),
        "permalink_url": _permalink(event, order, order_url),
        "line_items": [
            _line_item(line, id_, quantity, currency)
            for line, id_, quantity in zip(order.products, ids, quantities, strict=True)
        ],
        "fulfillment": {
            "expectations": list(_expectations(event, order, ids, quantities)),
            "events": log,
        },
        "adjustments": adjustments,
        "currency": currency,
        "totals": totals,
        **({"messages": messages} if messages else {}),
    }


def _error(event: OrderEvent | None, order_url: str) -> Json:
    named = f"order {event.order_id}" if event else "an order"
    found: Json = {
        "ucp": {
            "version": VERSION,
            "status": "error",
            "capabilities": {CAPABILITY: [{"version": VERSION}]},
        },
        "messages": [
            {
                "type": "error",
                "code": "order_incomplete",
                "content": f"{named} changed; its event does not carry the whole order: get it "
                "from the shop",
                "severity": "unrecoverable",
            }
        ],
    }
    if event and event.context.order:
        found["continue_url"] = _permalink(event, event.context.order, order_url)
    return found


def _permalink(event: OrderEvent, order: Order, template: str) -> str:
    values = {
        "{order_id}": event.order_id,
        "{order_number}": order.order_number,
        "{external_id}": order.external_id or order.order_number,
    }
    for name, value in values.items():
        template = template.replace(name, quote(value, safe=""))
    return template


def _checkout_id(order: Order) -> str:
    said = (order.order_analytics or {}).get("checkout_id")
    return said if isinstance(said, str) and said else order.external_id or order.order_number


# Lines.


def _line_item(line: Line, id_: str, quantity: Quantity, currency: str) -> Json:
    item: Json = {
        "id": line.sku or line.variant_id or line.product_id or id_,
        "title": line.title or line.sku or id_,
        "price": max(0, minor_units(line.price, currency)) if line.price is not None else 0,
    }
    image = next((each.src for each in line.images or () if each.src), None)
    if image:
        item["image_url"] = image
    return {
        "id": id_,
        "item": item,
        "quantity": {"total": quantity.total, "fulfilled": quantity.fulfilled},
        "totals": line_totals(line_amount(line, currency)),
        "status": quantity.status,
    }


def _price_messages(lines: Sequence[Line]) -> Iterator[Json]:
    for place, line in enumerate(lines):
        if line.price is None or line.price < 0:
            yield _unknown(f"$.line_items[{place}].item.price", "0")


def _unknown(path: str, stand_in: str) -> Json:
    return {
        "type": "info",
        "code": "value_unknown",
        "path": path,
        "content": f"not known as the protocol has it; {stand_in} stands for it",
    }


# What is expected, and what was changed.


def _expectations(
    event: OrderEvent, order: Order, ids: Sequence[str], quantities: Sequence[Quantity]
) -> Iterator[Json]:
    context = event.context
    destination = _destination(order.address, context.customer)
    drafted: dict[str, int] = {}
    for parcel in context.shipments:
        contents = contents_of(context, parcel, ids)
        if not contents or parcel.given_up or parcel.phase in BACK:
            continue
        if parcel.draft:
            if order.status == CANCELLED:
                continue
            for each in contents:
                drafted[each.id] = drafted.get(each.id, 0) + each.quantity
        yield _expectation(parcel.shipment_id, contents, destination, _when(parcel, order))
    left = [
        LineQuantity(id_, quantity.remaining - drafted.get(id_, 0))
        for id_, quantity in zip(ids, quantities, strict=True)
        if quantity.remaining > drafted.get(id_, 0)
    ]
    if left:
        id_ = named_uuid(f"ucp/{event.order_id}/remaining")
        yield _expectation(id_, left, destination, _promise(order))


def _expectation(
    id_: str, contents: Sequence[LineQuantity], destination: Json, when: str | None
) -> Json:
    found: Json = {
        "id": id_,
        "line_items": contents,
        "method_type": "shipping",
        "destination": destination,
    }
    return {**found, "description": when} if when else found


def _when(parcel: Parcel, order: Order) -> str | None:
    if parcel.delivered_at:
        return f"Delivered {parcel.delivered_at}"
    return _window(parcel.eta) or _promise(order)


def _window(eta: Eta | None) -> str | None:
    if eta is None or not (eta.from_ or eta.to):
        return None
    days = sorted({each for each in (eta.from_, eta.to) if each})
    return f"Expected {' to '.join(days)}"


def _promise(order: Order) -> str | None:
    day = order.promised_delivery_date
    return f"Expected {day}" if day else None


def _destination(address: Address | None, customer: Customer | None) -> Json:
    if address is None:
        return {}
    who = customer or Customer()
    found = {
        "street_address": address.street or address.address_line_1,
        "extended_address": address.address_line_2,
        "address_locality": address.city,
        "address_region": address.province_code or address.province,
        "address_country": address.country_code or address.country,
        "postal_code": address.zip_code,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "phone_number": address.phone,
    }
    return {name: value for name, value in found.items() if value}


def _cancellation(
    event: OrderEvent, order: Order, ids: Sequence[str], quantities: Sequence[Quantity]
) -> Iterator[Json]:
    if order.status != CANCELLED or not order.cancelled_at:
        return
    lost = [
        {"id": id_, "quantity": each.total - each.ordered}
        for id_, each in zip(ids, quantities, strict=True)
        if each.total < each.ordered
    ]
    yield {
        "id": named_uuid(f"ucp/{event.order_id}/cancellation"),
        "type": "cancellation",
        "occurred_at": order.cancelled_at,
        "status": "completed",
        "line_items": lost,
    }


def _claims(event: OrderEvent) -> Iterator[Json]:
    for each in event.context.claims:
        yield _claim(each, event)


def _claim(claim: Claim, event: OrderEvent) -> Json:
    found: Json = {
        "id": claim.claim_id,
        "type": "claim",
        "occurred_at": claim.created_at or event.triggered_at,
        "status": _CLAIMS.get(claim.status or "", "failed"),
    }
    return {**found, "description": claim.reason} if claim.reason else found
