"""A folder of CSV files shaped like the Olist sample, as a script and its right answer.

One order each, one parcel per seller. The files hold local times of Brazil without a zone; only
day arithmetic on those local times decides what is late, so the answer needs no service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from demo.expectation import Expectation, OrderAnswer, ParcelAnswer
from demo.facts import ScanFact, facts_in
from demo.joint_parcels import DELIVERY, PICK_UP, ScansByParcel, scans_by_parcel
from demo.messages import Body, command, tracking
from demo.parcel_numbers import Row, number_of
from demo.purchases import APPROVED, ZONE, ZONE_NAME, Purchase, money, read_purchases
from demo.script import Script, ScriptMessage, answered_later, in_time
from schemas.topics import CARRIER_TRACKING

SHOP = "olist"
CARRIER = "correios"
REPORTED_AHEAD = timedelta(days=30)
"""How long before its parcel is attached a delivery is reported at the earliest; tracking waits
for its order for 60 days."""
REPORTED_LATER = timedelta(hours=4)
"""How long after its parcel is attached a scan of a real number is reported at the earliest: more
than one step of the player. Before that it may be of another order that has the number."""
LATE_PICK_UP_MAX = timedelta(hours=12)


def read_script(folder: Path, limit: int | None = None) -> Script:
    """Read the folder; `limit` keeps only the first orders of the file.

    Raises:
        DataError: a file or a column is missing, or no row can be played.
    """
    found = read_purchases(folder, limit)
    messages = in_time(message for purchase in found.playable for message in _messages(purchase))
    seen = scans_by_parcel(found.playable)
    answers = {_key(purchase): _answer(purchase, seen) for purchase in found.playable}
    tracking = (message.value for message in messages if message.topic == CARRIER_TRACKING)
    scans = {fact for value in tracking for fact in facts_in(value)}
    expectation = Expectation(orders=answers, scans=len(scans))
    return Script(folder.name, messages, expectation, notes=(found.summary(),))


def _key(purchase: Purchase) -> str:
    """The order's name in messages."""
    return f"{SHOP}/{purchase.number}"


def _name(purchase: Purchase, number: str) -> str:
    """A name for messages about a parcel; its number alone may be on other orders."""
    return f"{purchase.number}-{number}" if _has_numbers(purchase) else number


def _has_numbers(purchase: Purchase) -> bool:
    return any(map(number_of, purchase.items))


def _messages(purchase: Purchase) -> Iterator[ScriptMessage]:
    yield _placement(purchase)
    attached = purchase.attached
    if attached:
        for number, items in purchase.parcels:
            yield _fulfilment(purchase, number, items, attached)
            if purchase.handed_over:
                yield _pick_up(purchase, number, purchase.handed_over, attached)
            if purchase.delivered:
                yield _delivery(purchase, number, purchase.delivered, attached)
    if purchase.cancelled:
        yield _cancellation(purchase)


def _placement(purchase: Purchase) -> ScriptMessage:
    freight = (money(item, "freight_value") for item in purchase.items)
    placement = {
        "order_number": purchase.number,
        "external_id": purchase.number,
        "order_placed_at": purchase.placed.isoformat(),
        "promised_delivery_date": purchase.promised.isoformat() if purchase.promised else None,
        "currency": "BRL",
        "expected_number_of_shipments": len(purchase.parcels),
        "external_customer_id": purchase.customer.get("customer_unique_id"),
        "sub_total_price": str(purchase.value),
        "shipping_price": str(sum(filter(None, freight), Decimal(0))),
        "products": [_product(item) for item in purchase.items],
        "address": _address(purchase.customer),
    }
    body = {"order": _known(placement)}
    name = f"{purchase.number}-placed"
    return command(_key(purchase), "order.place", body, purchase.placed, id_=name)


def _address(customer: Row) -> Body:
    address = {
        "zip_code": customer.get("customer_zip_code_prefix"),
        "city": customer.get("customer_city"),
        "province": customer.get("customer_state"),
        "province_code": customer.get("customer_state"),
        "country_code": "BR",
    }
    return _known(address)


def _fulfilment(
    purchase: Purchase, number: str, items: Sequence[Row], attached: datetime
) -> ScriptMessage:
    parcel = {
        "tracking_number": number,
        "carrier_reference": CARRIER,
        "tracking_placed_at": attached.isoformat(),
        "products": [_product(item) for item in items],
    }
    body = {"id": purchase.number, "id_type": "order_number", "trackings": [parcel]}
    return command(
        _key(purchase), "order.upsert", body, attached, id_=f"{_name(purchase, number)}-attached"
    )


def _cancellation(purchase: Purchase) -> ScriptMessage:
    """The files do not say when: a minute after the last thing that the shop did for the order."""
    at = max(filter(None, (purchase.placed, purchase.time(APPROVED), purchase.attached)))
    at += timedelta(minutes=1)
    body = {"id": purchase.number, "id_type": "order_number", "cancelled_at": at.isoformat()}
    return command(_key(purchase), "order.cancel", body, at, id_=f"{purchase.number}-cancelled")


def _pick_up(
    purchase: Purchase, number: str, handed_over: datetime, attached: datetime
) -> ScriptMessage:
    reported = attached + REPORTED_LATER if _has_numbers(purchase) else attached
    return _scan(purchase, number, PICK_UP, handed_over, reported)


def _delivery(
    purchase: Purchase, number: str, delivered: datetime, attached: datetime
) -> ScriptMessage:
    """A delivery, reported when it happens.

    By a dirty row it happens before the shop names the parcel, or even before the order is placed.
    The report then waits in the orders service until an order names the number.
    """
    if _has_numbers(purchase):
        reported = max(delivered, attached + REPORTED_LATER)
        return _scan(purchase, number, DELIVERY, delivered, reported)
    reported = max(delivered, attached - REPORTED_AHEAD)
    message = _scan(purchase, number, DELIVERY, delivered, reported)
    return answered_later(message) if reported < attached else message


def _scan(
    purchase: Purchase, number: str, event: str, occurred: datetime, reported: datetime
) -> ScriptMessage:
    scan: Body = {
        "event_name": event,
        "occurred_at": occurred.replace(tzinfo=None).isoformat(),
        "timezone": ZONE_NAME,
        "location": {"country_code": "BR"},
    }
    name = f"{_name(purchase, number)}-{event.lower()}"
    return tracking(CARRIER, number, [scan], reported, id_=name)


def _product(item: Row) -> Body:
    price = money(item, "price")
    product = {
        "line_id": item["order_item_id"],
        "product_id": item["product_id"],
        "sku": item["product_id"],
        "quantity": 1,
        "price": None if price is None else item["price"],
    }
    return _known(product)


def _known(members: Body) -> Body:
    """The members that a row has; what it misses is left out of the message."""
    return {name: value for name, value in members.items() if value is not None and value != ""}


def _answer(purchase: Purchase, scans: ScansByParcel) -> OrderAnswer:
    parcels = tuple(_parcel_answers(purchase, scans)) if purchase.attached else ()
    return OrderAnswer(
        shop=SHOP,
        number=purchase.number,
        status=_status(purchase, parcels),
        parcels_expected=len(purchase.parcels),
        parcels=parcels,
        currency="BRL",
        item_value=purchase.value,
        city=purchase.customer.get("customer_city"),
    )


def _parcel_answers(purchase: Purchase, scans: ScansByParcel) -> Iterator[ParcelAnswer]:
    promised = purchase.promised
    for number, _ in purchase.parcels:
        seen = scans[purchase.number, number]
        delivered = min((at for name, at in seen if name == DELIVERY), default=None)
        yield ParcelAnswer(
            tracking_number=number,
            phase=_phase(seen),
            is_handed_over=True,
            is_delivered=delivered is not None,
            is_late=bool(delivered and promised and delivered.astimezone(ZONE).date() > promised),
            scans=seen,
        )


def _phase(scans: Iterable[ScanFact]) -> str:
    """A pick-up soon after a delivery was stamped late; a later one begins another journey.

    These are rules 6 and 6b of docs/scan-rules.md.
    """
    delivered: datetime | None = None
    for name, at in sorted(scans, key=lambda scan: (scan[1], scan[0])):
        if name == DELIVERY:
            delivered = delivered or at
        elif delivered and at - delivered > LATE_PICK_UP_MAX:
            delivered = None
    return "delivered" if delivered else "in_transit"


def _status(purchase: Purchase, parcels: Sequence[ParcelAnswer]) -> str:
    if purchase.cancelled:
        return "cancelled"
    return "fulfilled" if parcels else "placed"
