"""The delivery report: figures computed from facts, in total or by day, carrier or country."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from asyncpg import Connection, Record

from services.analytics.domain.durations import value_between
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "report.sql")


class Dimension(StrEnum):
    """What a row of a report stands for."""

    TOTAL = "total"
    DAY = "day"
    CARRIER = "carrier"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Median and 95th percentile of durations, in whole seconds; None where there are none.

    Read from histograms: at most 1/128 (0.8 %) and one second away from the exact ones.
    """

    p50_seconds: int | None = None
    p95_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of a report. None: the figure is not defined in this dimension.

    `key` is a day (ISO 8601), a carrier, a country, or `total`; `unknown` if the fact has none.
    """

    key: str
    orders: int = 0
    orders_cancelled: int | None = 0
    orders_cancelled_after_handover: int | None = 0
    orders_late: int = 0
    """Orders with a late parcel."""
    parcels_expected: int | None = 0
    parcels_handed_over: int = 0
    """Parcels with a first physical scan."""
    parcels_delivered: int = 0
    parcels_early: int = 0
    parcels_on_time: int = 0
    parcels_late: int = 0
    """Delivered on a later day than promised, by the destination's calendar."""
    parcels_without_promise: int = 0
    placed_to_shipped: Percentiles = Percentiles()
    shipped_to_delivered: Percentiles = Percentiles()
    placed_to_delivered: Percentiles = Percentiles()
    claims: int = 0
    claims_withdrawn: int = 0
    item_value: Mapping[str, Decimal] = field(default_factory=dict)
    """Exact value of the items ordered, by currency; empty by carrier."""

    @property
    def on_time_percent(self) -> Decimal | None:
        """Share of deliveries on or before the promised day, of those that have one; 2 decimals."""
        punctual = self.parcels_early + self.parcels_on_time
        return _ratio(100 * punctual, punctual + self.parcels_late)

    @property
    def claims_per_1000_parcels(self) -> Decimal | None:
        """Claims opened for every 1,000 parcels handed over; 2 decimals."""
        return _ratio(1000 * self.claims, self.parcels_handed_over)


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """What to report on. Days are inclusive and local to the destination; None: no limit."""

    by: Dimension = Dimension.TOTAL
    shop: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def arguments(self) -> tuple[object, ...]:
        """The parameters that every statement of the report takes."""
        return (self.by.value, self.shop, self.first_day, self.last_day)


@dataclass(frozen=True, slots=True)
class Report:
    """Rows in the order of their keys; a report by `total` has exactly one row."""

    query: ReportQuery
    rows: tuple[Figures, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return all(row == Figures(key=row.key) for row in self.rows)

    @property
    def currencies(self) -> tuple[str, ...]:
        """All currencies of the rows, sorted."""
        return tuple(sorted({currency for row in self.rows for currency in row.item_value}))


async def read_report(connection: Connection, query: ReportQuery) -> Report:
    """Compute a report with at most five statements, all on one snapshot of the database.

    Opens a read-only transaction on the caller's connection.
    """
    found: dict[str, Figures] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for records in await _read_counts(connection, query):
            _add_counts(found, records, query.by)
        rows = await connection.fetch(SQL["read_durations"], *query.arguments())
        _add_durations(found, rows, query.by)
        if query.by is not Dimension.CARRIER:
            rows = await connection.fetch(SQL["read_item_values"], *query.arguments())
            _add_values(found, rows)
    if query.by is Dimension.TOTAL:
        found.setdefault("total", Figures(key="total"))
    return Report(query, tuple(found[key] for key in sorted(found)))


async def _read_counts(connection: Connection, query: ReportQuery) -> list[list[Record]]:
    of_orders = (
        "read_order_figures_by_carrier" if query.by is Dimension.CARRIER else "read_order_figures"
    )
    names = (of_orders, "read_parcel_figures", "read_claim_figures")
    return [await connection.fetch(SQL[name], *query.arguments()) for name in names]


def _add_counts(found: dict[str, Figures], records: Sequence[Record], by: Dimension) -> None:
    for record in records:
        row = found.get(record["key"]) or _empty_row(record["key"], by)
        found[row.key] = replace(row, **dict(record))


def _empty_row(key: str, by: Dimension) -> Figures:
    """A row without counts. By carrier, figures of orders that may have no parcel yet are None."""
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


def _add_durations(found: dict[str, Figures], records: Sequence[Record], by: Dimension) -> None:
    for record in records:
        row = found.get(record["key"]) or _empty_row(record["key"], by)
        spread = Percentiles(_percentile(record, "p50"), _percentile(record, "p95"))
        changed: dict[str, Any] = {record["duration"]: spread}
        found[row.key] = replace(row, **changed)


def _percentile(record: Record, name: str) -> int:
    low, high, share = (record[f"{name}_{part}"] for part in ("low", "high", "share"))
    return value_between(low, high, share)


def _ratio(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.01")) if whole else None
