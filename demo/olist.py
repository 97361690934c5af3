"""A folder of CSV files shaped like the Olist sample, as a script and its right answer.

One order each, one parcel per seller. The files hold local times of Brazil without a zone; only
day arithmetic on those local times decides what is late, so the answer needs no service.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from demo.expectation import Expectation, OrderAnswer, ParcelAnswer
from demo.messages import Body, command, tracking
from demo.script import Script, ScriptMessage, in_time
from schemas.topics import CARRIER_TRACKING

SHOP = "olist"
CARRIER = "correios"
ZONE_NAME = "America/Sao_Paulo"
ZONE = ZoneInfo(ZONE_NAME)
FILES = ("orders.csv", "order_items.csv", "customers.csv")

Row = Mapping[str, str]


class DataError(Exception):
    """The folder is not shaped like the sample; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order of the files, its rows joined. Times are local times of Brazil."""

    order: Row
    customer: Row
    items: tuple[Row, ...]

    @property
    def number(self) -> str:
        """The shop's order number."""
        return self.order["order_id"]

    @property
    def key(self) -> str:
        """The order's name in messages."""
        return f"{SHOP}/{self.number}"

    @property
    def placed(self) -> datetime:
        """When it was bought."""
        return _local(self.order["order_purchase_timestamp"])

    @property
    def handed_over(self) -> datetime | None:
        """When the parcels reached the carrier, if they did."""
        return _local_or_none(self.order["order_delivered_carrier_date"])

    @property
    def delivered(self) -> datetime | None:
        """When the parcels reached the customer, if they did."""
        return _local_or_none(self.order["order_delivered_customer_date"])

    @property
    def promised(self) -> date:
        """The day the customer was promised."""
        return _local(self.order["order_estimated_delivery_date"]).date()

    @property
    def is_cancelled(self) -> bool:
        """Whether the shop cancelled it."""
        return self.order["order_status"] == "canceled"

    def parcels(self) -> list[tuple[str, tuple[Row, ...]]]:
        """One parcel per seller: its made-up tracking number and its items."""
        by_seller = sorted(self.items, key=lambda item: item["seller_id"])
        grouped = groupby(by_seller, key=lambda item: item["seller_id"])
        return [(_number(self.number, seller), tuple(items)) for seller, items in grouped]


def read_script(folder: Path, limit: int | None = None) -> Script:
    """Read the folder; `limit` keeps only the first orders of the file.

    Raises:
        DataError: a file or a column is missing.
    """
    purchases = list(_purchases(folder))[:limit]
    if not purchases:
        raise DataError(f"{folder / 'orders.csv'} holds no orders")
    messages = in_time(message for purchase in purchases for message in _messages(purchase))
    answers = {purchase.key: _answer(purchase) for purchase in purchases}
    scans = sum(message.topic == CARRIER_TRACKING for message in messages)
    return Script(folder.name, messages, Expectation(orders=answers, scans=scans))


def _purchases(folder: Path) -> Iterator[Purchase]:
    orders, items, customers = (_read(folder / name) for name in FILES)
    by_order: dict[str, list[Row]] = defaultdict(list)
    for item in items:
        by_order[item["order_id"]].append(item)
    by_id = {customer["customer_id"]: customer for customer in customers}
    for order in orders:
        bought = tuple(sorted(by_order[order["order_id"]], key=lambda row: row["order_item_id"]))
        yield Purchase(order, by_id[order["customer_id"]], bought)


def _read(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        wanted = ", ".join(FILES)
        raise DataError(
            f"{path} is missing: DATA must name a folder with {wanted}, shaped like the Olist "
            "Brazilian E-Commerce Public Dataset"
        ) from None


def _messages(purchase: Purchase) -> Iterator[ScriptMessage]:
    yield _placement(purchase)
    # One order of the sample reached its carrier 24 minutes before it was bought. The shop cannot
    # have reported a parcel before its order.
    if purchase.handed_over:
        reported = max(purchase.handed_over, purchase.placed)
        for number, items in purchase.parcels():
            yield _fulfilment(purchase, number, items, reported)
            yield _scan(number, "PICKED_UP_BY_CARRIER", purchase.handed_over, reported)
    if purchase.delivered:
        for number, _ in purchase.parcels():
            yield _scan(number, "SUCCESSFULLY_DELIVERED", purchase.delivered, purchase.delivered)
    if purchase.is_cancelled:
        yield _cancellation(purchase)


def _placement(purchase: Purchase) -> ScriptMessage:
    customer = purchase.customer
    placement = {
        "order_number": purchase.number,
        "external_id": purchase.number,
        "order_placed_at": purchase.placed.isoformat(),
        "promised_delivery_date": purchase.promised.isoformat(),
        "currency": "BRL",
        "expected_number_of_shipments": len(purchase.parcels()),
        "external_customer_id": customer["customer_unique_id"],
        "sub_total_price": str(_value(purchase.items)),
        "shipping_price": str(sum(Decimal(item["freight_value"]) for item in purchase.items)),
        "products": [_product(item) for item in purchase.items],
        "address": {
            "zip_code": customer["customer_zip_code_prefix"],
            "city": customer["customer_city"],
            "province": customer["customer_state"],
            "province_code": customer["customer_state"],
            "country_code": "BR",
        },
    }
    name = f"{purchase.number}-placed"
    return command(purchase.key, "order.place", {"order": placement}, purchase.placed, id_=name)


def _fulfilment(
    purchase: Purchase, number: str, items: Sequence[Row], reported: datetime
) -> ScriptMessage:
    attached = {
        "tracking_number": number,
        "carrier_reference": CARRIER,
        "tracking_placed_at": reported.isoformat(),
        "products": [_product(item) for item in items],
    }
    body = {"id": purchase.number, "id_type": "order_number", "trackings": [attached]}
    return command(purchase.key, "order.upsert", body, reported, id_=f"{number}-attached")


def _cancellation(purchase: Purchase) -> ScriptMessage:
    """The files do not say when: a minute after the last thing that happened to the order."""
    approved = _local_or_none(purchase.order["order_approved_at"])
    at = max(filter(None, (purchase.placed, approved, purchase.handed_over)))
    at += timedelta(minutes=1)
    body = {"id": purchase.number, "id_type": "order_number", "cancelled_at": at.isoformat()}
    return command(purchase.key, "order.cancel", body, at, id_=f"{purchase.number}-cancelled")


def _scan(number: str, event: str, occurred: datetime, reported: datetime) -> ScriptMessage:
    scan: Body = {
        "event_name": event,
        "occurred_at": occurred.replace(tzinfo=None).isoformat(),
        "timezone": ZONE_NAME,
        "location": {"country_code": "BR"},
    }
    return tracking(CARRIER, number, [scan], reported, id_=f"{number}-{event.lower()}")


def _product(item: Row) -> Body:
    return {
        "line_id": item["order_item_id"],
        "product_id": item["product_id"],
        "sku": item["product_id"],
        "quantity": 1,
        "price": item["price"],
    }


def _answer(purchase: Purchase) -> OrderAnswer:
    delivered = purchase.delivered
    phase = "delivered" if delivered else "in_transit"
    is_late = delivered is not None and delivered.date() > purchase.promised
    parcels = tuple(
        ParcelAnswer(
            tracking_number=number,
            phase=phase,
            is_handed_over=True,
            is_delivered=delivered is not None,
            is_late=is_late,
        )
        for number, _ in purchase.parcels()
        if purchase.handed_over
    )
    return OrderAnswer(
        shop=SHOP,
        number=purchase.number,
        status=_status(purchase, parcels),
        parcels_expected=len(purchase.parcels()),
        parcels=parcels,
        currency="BRL",
        item_value=_value(purchase.items),
        city=purchase.customer["customer_city"],
    )


def _status(purchase: Purchase, parcels: Sequence[ParcelAnswer]) -> str:
    if purchase.is_cancelled:
        return "cancelled"
    return "fulfilled" if parcels else "placed"


def _value(items: Sequence[Row]) -> Decimal:
    return sum((Decimal(item["price"]) for item in items), Decimal(0))


def _number(order: str, seller: str) -> str:
    """A tracking number in the form of the Brazilian post, made from the two ids."""
    digest = hashlib.sha256(f"{order}/{seller}".encode()).hexdigest()
    return f"BR{int(digest[:12], 16) % 10**11:011d}BR"


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def _local_or_none(text: str) -> datetime | None:
    return _local(text) if text else None
