"""Rows of CSV files shaped like the Olist sample, joined to purchases; dirty rows are named.

The files hold local times of Brazil without a zone. A dirty row is one whose columns miss something
or contradict each other. It is read as far as it goes: what cannot be read counts as missing.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from demo.parcel_numbers import Row, made_up_number, number_of, shared_numbers

ZONE_NAME = "America/Sao_Paulo"
ZONE = ZoneInfo(ZONE_NAME)
YEARS = range(1900, 2200)
ORDERS, ITEMS, CUSTOMERS = "orders.csv", "order_items.csv", "customers.csv"
PURCHASED = "order_purchase_timestamp"
APPROVED = "order_approved_at"
HANDED_OVER = "order_delivered_carrier_date"
DELIVERED = "order_delivered_customer_date"
ESTIMATED = "order_estimated_delivery_date"
TIMES = (PURCHASED, APPROVED, HANDED_OVER, DELIVERED, ESTIMATED)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    ORDERS: ("order_id", "customer_id", "order_status", *TIMES),
    ITEMS: ("order_id", "order_item_id", "product_id", "seller_id", "price", "freight_value"),
    CUSTOMERS: (
        "customer_id",
        "customer_unique_id",
        "customer_zip_code_prefix",
        "customer_city",
        "customer_state",
    ),
}

OPTIONAL: Mapping[str, tuple[str, ...]] = {ITEMS: ("tracking_number",)}
"""Items with one tracking number are one parcel; without it each seller sends one."""


class DataError(Exception):
    """The folder is not shaped like the sample; the text says what is missing."""


class Dirt(StrEnum):
    """What is wrong with a row of orders.csv, or with the rows that belong to it."""

    PURCHASE_MISSING = "purchase_missing"
    HAND_OVER_MISSING = "hand_over_missing"
    """Shipped or delivered, and no time of the hand-over."""
    DELIVERY_MISSING = "delivery_missing"
    """Delivered by its status, and no time of the delivery."""
    ESTIMATE_MISSING = "estimate_missing"
    TIME_UNREADABLE = "time_unreadable"
    HAND_OVER_BEFORE_PURCHASE = "hand_over_before_purchase"
    DELIVERY_BEFORE_HAND_OVER = "delivery_before_hand_over"
    DELIVERY_BEFORE_PURCHASE = "delivery_before_purchase"
    ESTIMATE_BEFORE_PURCHASE = "estimate_before_purchase"
    ITEMS_MISSING = "items_missing"
    PRICE_UNREADABLE = "price_unreadable"
    CUSTOMER_MISSING = "customer_missing"
    NUMBER_SHARED = "number_shared"
    """A tracking number is on several orders; each of them follows the parcel."""
    NUMBER_UNREADABLE = "number_unreadable"
    """What stands for a tracking number is none; the parcel gets a made-up one."""
    NOT_PLAYED_NO_TIME = "not_played_no_time"
    """No time at all: there is no moment at which to play the row."""
    NOT_PLAYED_NO_ID = "not_played_no_id"
    NOT_PLAYED_REPEATED = "not_played_repeated"
    """A further row of an order id; the first one counts."""


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
    def status(self) -> str:
        """The status in the shop's own words."""
        return self.order["order_status"]

    @property
    def placed(self) -> datetime:
        """When it was bought; where the row does not say, its earliest time.

        Raises:
            DataError: the row holds no time.
        """
        known = self.time(PURCHASED) or min(filter(None, map(self.time, TIMES)), default=None)
        if known is None:
            raise DataError(f"order {self.number} of {ORDERS} holds no time")
        return known

    @property
    def handed_over(self) -> datetime | None:
        """When the parcels reached the carrier, if they did and the row says so."""
        return self.time(HANDED_OVER)

    @property
    def delivered(self) -> datetime | None:
        """When the parcels reached the customer, if they did and the row says so."""
        return self.time(DELIVERED)

    @property
    def attached(self) -> datetime | None:
        """When the shop names its parcels: as they leave, and never before the order is placed.

        None for an order that shipped nothing.
        """
        left = self.handed_over or self.delivered
        return max(left, self.placed) if left else None

    @property
    def promised(self) -> date | None:
        """The day the customer was promised."""
        estimated = self.time(ESTIMATED)
        return estimated.date() if estimated else None

    @property
    def cancelled(self) -> bool:
        """Whether the shop cancelled it."""
        return self.status == "canceled"

    @property
    def value(self) -> Decimal:
        """What the items cost together, in BRL; an item without a readable price adds nothing."""
        return sum((money(item, "price") or Decimal(0) for item in self.items), Decimal(0))

    @property
    def parcels(self) -> list[tuple[str, tuple[Row, ...]]]:
        """The order's parcels, each with its tracking number and items.

        One per seller with a made-up number, where the items have none. An order whose items are
        missing has one parcel.
        """
        grouped: dict[str, list[Row]] = defaultdict(list)
        for item in sorted(self.items, key=lambda item: item["seller_id"]):
            grouped[number_of(item) or made_up_number(self.number, item["seller_id"])].append(item)
        known = [(number, tuple(items)) for number, items in grouped.items()]
        return known or [(made_up_number(self.number, ""), ())]

    def time(self, column: str) -> datetime | None:
        """A time of the order's row; None where it is missing or unreadable."""
        try:
            at = datetime.fromisoformat(self.order[column])
        except ValueError:
            return None
        local = at.astimezone(ZONE) if at.tzinfo else at.replace(tzinfo=ZONE)
        return local if local.year in YEARS else None


@dataclass(frozen=True, slots=True)
class Purchases:
    """What a folder holds: the purchases that can be played, and how many rows are dirty."""

    playable: tuple[Purchase, ...]
    rows: int
    dirty_rows: int
    dirt: Counter[Dirt]
    """How many rows have each kind of dirt; a row may have several."""

    def summary(self) -> str:
        """The counts in one line that a script can read."""
        kinds = (f"{kind}={self.dirt[kind]}" for kind in Dirt if self.dirt[kind])
        counts = f"rows={self.rows} played={len(self.playable)} dirty_rows={self.dirty_rows}"
        return " ".join(["demo:", counts, *kinds])


def read_purchases(folder: Path, limit: int | None = None) -> Purchases:
    """Read the folder; `limit` keeps only the first rows of orders.csv.

    Raises:
        DataError: a file or a column is missing, or no row can be played.
    """
    found: dict[str, Purchase] = {}
    dirt: Counter[Dirt] = Counter()
    rows = dirty_rows = 0
    joined = list(_joined(folder))[:limit]
    shared = shared_numbers((each.number, each.items) for each in joined)
    for purchase in joined:
        kinds = set(_dirt_of(purchase, is_known=purchase.number in found))
        if not shared.isdisjoint(map(number_of, purchase.items)):
            kinds.add(Dirt.NUMBER_SHARED)
        if not any(kind.startswith("not_played") for kind in kinds):
            found[purchase.number] = purchase
        dirt.update(kinds)
        rows += 1
        dirty_rows += bool(kinds)
    if not found:
        raise DataError(f"{folder / ORDERS} holds no orders that can be played")
    return Purchases(tuple(found.values()), rows, dirty_rows, dirt)


def money(item: Row, column: str) -> Decimal | None:
    """An amount in BRL; None where it is missing, unreadable or below zero."""
    try:
        amount = Decimal(item[column])
    except ArithmeticError:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _joined(folder: Path) -> Iterator[Purchase]:
    orders, items, customers = (_read(folder / name) for name in (ORDERS, ITEMS, CUSTOMERS))
    by_order: dict[str, list[Row]] = defaultdict(list)
    for item in items:
        by_order[item["order_id"]].append(item)
    by_id = {customer["customer_id"]: customer for customer in customers}
    for order in orders:
        bought = tuple(sorted(by_order[order["order_id"]], key=lambda row: row["order_item_id"]))
        yield Purchase(order, by_id.get(order["customer_id"], {}), bought)


def _read(path: Path) -> list[Row]:
    columns = COLUMNS[path.name]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = sorted(set(columns) - set(reader.fieldnames or ()))
            if missing:
                raise DataError(f"{path} has no column {', '.join(missing)}")
            every = (*columns, *OPTIONAL.get(path.name, ()))
            return [{name: row.get(name) or "" for name in every} for row in reader]
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: DATA must name a folder with {', '.join(COLUMNS)}, shaped like "
            "the Olist Brazilian E-Commerce Public Dataset"
        ) from None


def _dirt_of(purchase: Purchase, *, is_known: bool) -> Iterator[Dirt]:
    if not purchase.number:
        yield Dirt.NOT_PLAYED_NO_ID
    elif is_known:
        yield Dirt.NOT_PLAYED_REPEATED
    elif not any(map(purchase.time, TIMES)):
        yield Dirt.NOT_PLAYED_NO_TIME
    else:
        yield from _missing(purchase)
        yield from _contradictions(purchase)


def _missing(purchase: Purchase) -> Iterator[Dirt]:
    shipped = purchase.status in ("shipped", "delivered") or purchase.delivered
    priced = [money(item, "price") for item in purchase.items]
    found: Sequence[tuple[Dirt, object]] = (
        (Dirt.PURCHASE_MISSING, not purchase.time(PURCHASED)),
        (Dirt.HAND_OVER_MISSING, shipped and not purchase.handed_over),
        (Dirt.DELIVERY_MISSING, purchase.status == "delivered" and not purchase.delivered),
        (Dirt.ESTIMATE_MISSING, not purchase.promised),
        (
            Dirt.TIME_UNREADABLE,
            any(purchase.order[column] and not purchase.time(column) for column in TIMES),
        ),
        (Dirt.ITEMS_MISSING, not purchase.items),
        (Dirt.PRICE_UNREADABLE, None in priced),
        (Dirt.CUSTOMER_MISSING, not purchase.customer),
        (
            Dirt.NUMBER_UNREADABLE,
            any(item["tracking_number"] and not number_of(item) for item in purchase.items),
        ),
    )
    yield from (kind for kind, is_so in found if is_so)


def _contradictions(purchase: Purchase) -> Iterator[Dirt]:
    placed, promised = purchase.placed, purchase.promised
    handed_over, delivered = purchase.handed_over, purchase.delivered
    if handed_over and handed_over < placed:
        yield Dirt.HAND_OVER_BEFORE_PURCHASE
    if handed_over and delivered and delivered < handed_over:
        yield Dirt.DELIVERY_BEFORE_HAND_OVER
    if delivered and delivered < placed:
        yield Dirt.DELIVERY_BEFORE_PURCHASE
    if promised and promised < placed.date():
        yield Dirt.ESTIMATE_BEFORE_PURCHASE
