"""The delivery report: figures made of facts, by total, day, carrier or country."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from asyncpg import Connection, Record

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "report.sql")


class Dimension(StrEnum):
    """What a report has one row for."""

    TOTAL = "total"
    DAY = "day"
    CARRIER = "carrier"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile of a duration, in whole seconds; None when nothing was timed."""

    p50_seconds: int | None = None
    p95_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of a report. None = not told in this dimension.

    `key` is a day (ISO), a carrier, a country, or `total`; `unknown` where there is none.
    """

    key: str
    orders: int = 0
    orders_cancelled: int | None = 0
    orders_cancelled_after_handover: int | None = 0
    orders_late: int = 0
    """Orders with a late parcel."""
    parcels_expected: int | None = 0
    parcels_handed_over: int = 0
    """With a first physical scan."""
    parcels_delivered: int = 0
    parcels_early: int = 0
    parcels_on_time: int = 0
    parcels_late: int = 0
    """Delivered on a later day than promised, by the destination's calendar."""
    parcels_without_promise: int = 0
    placed_to_shipped: Spread = Spread()
    shipped_to_delivered: Spread = Spread()
    placed_to_delivered: Spread = Spread()
    claims: int = 0
    claims_withdrawn: int = 0
    item_value: Mapping[str, Decimal] = field(default_factory=dict)
    """Exact value of the items ordered, by currency; empty by carrier."""

    @property
    def on_time_percent(self) -> Decimal | None:
        """Deliveries not later than promised, of those with a promised day; 2 decimals."""
        punctual = self.parcels_early + self.parcels_on_time
        return _ratio(100 * punctual, punctual + self.parcels_late)

    @property
    def claims_per_1000_parcels(self) -> Decimal | None:
        """Claims opened for every 1,000 parcels handed over; 2 decimals."""
        return _ratio(1000 * self.claims, self.parcels_handed_over)


@dataclass(frozen=True, slots=True)
class Selection:
    """What to report on. Days are inclusive, local to the destination; None = all."""

    by: Dimension = Dimension.TOTAL
    shop: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def arguments(self) -> tuple[object, ...]:
        """The parameters that every statement of the report takes."""
        return (self.by.value, self.shop, self.first_day, self.last_day)


@dataclass(frozen=True, slots=True)
class Report:
    """Rows in the order of their keys; `total` has always exactly one."""

    selection: Selection
    rows: tuple[Figures, ...]

    @property
    def currencies(self) -> tuple[str, ...]:
        """Every currency that occurs, sorted."""
        return tuple(sorted({currency for row in self.rows for currency in row.item_value}))


async def read_report(connection: Connection, selection: Selection) -> Report:
    """Compute a report: five statements, consistent with each other inside one snapshot.

    Takes the caller's connection and opens a read-only transaction on it.
    """
    found: dict[str, Figures] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for records in await _read_counts(connection, selection):
            _add_counts(found, records, selection.by)
        if selection.by is not Dimension.CARRIER:
            rows = await connection.fetch(SQL["read_item_values"], *selection.arguments())
            _add_values(found, rows)
    if selection.by is Dimension.TOTAL:
        found.setdefault("total", Figures(key="total"))
    return Report(selection, tuple(found[key] for key in sorted(found)))


async def _read_counts(connection: Connection, selection: Selection) -> list[list[Record]]:
    of_orders = (
        "read_order_figures_by_carrier"
        if selection.by is Dimension.CARRIER
        else "read_order_figures"
    )
    names = (of_orders, "read_parcel_figures", "read_claim_figures")
    return [await connection.fetch(SQL[name], *selection.arguments()) for name in names]


def _add_counts(found: dict[str, Figures], records: Sequence[Record], by: Dimension) -> None:
    for record in records:
        columns = {name: _plain(value) for name, value in dict(record).items()}
        row = found.get(columns["key"]) or _empty_row(columns["key"], by)
        found[row.key] = replace(row, **columns)


def _empty_row(key: str, by: Dimension) -> Figures:
    """A carrier has no part in what happens to an order before its parcels have numbers."""
    if by is not Dimension.CARRIER:
        return Figures(key=key)
    return Figures(
        key=key,
        orders_cancelled=None,
        orders_cancelled_after_handover=None,
        parcels_expected=None,
    )


def _add_values(found: dict[str, Figures], records: Sequence[Record]) -> None:
    for record in records:
        row = found.get(record["key"]) or Figures(key=record["key"])
        values = {**row.item_value, record["currency"]: record["item_value"]}
        found[row.key] = replace(row, item_value=values)


def _plain(value: Any) -> Any:
    """Spreads come as arrays, and empty ones as null or {null, null}; the rest stays as it is."""
    if isinstance(value, list):
        return Spread(*(None if seconds is None else round(seconds) for seconds in value))
    return Spread() if value is None else value


def _ratio(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.01")) if whole else None
