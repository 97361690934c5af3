"""The columns of a written report: the same names and order in CSV, JSON and Parquet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from services.analytics.operations.report import Figures, Report

Value = str | int | Decimal | None
RowT = TypeVar("RowT")

_CENT = Decimal("0.01")


class ColumnKind(StrEnum):
    """How a column is typed where the format has types."""

    TEXT = "text"
    COUNT = "count"
    RATIO = "ratio"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """One column: its name with the unit last, its type, and where its value comes from."""

    name: str
    kind: ColumnKind
    value: Callable[[RowT], Value]


@dataclass(frozen=True, slots=True)
class Sheet(Generic[RowT]):
    """A report to be written: its columns and rows."""

    columns: tuple[Column[RowT], ...]
    rows: Sequence[RowT]


_COUNTS: dict[str, Callable[[Figures], int | None]] = {
    "orders": lambda row: row.orders,
    "orders_cancelled": lambda row: row.orders_cancelled,
    "orders_cancelled_after_handover": lambda row: row.orders_cancelled_after_handover,
    "orders_late": lambda row: row.orders_late,
    "parcels_expected": lambda row: row.parcels_expected,
    "parcels_handed_over": lambda row: row.parcels_handed_over,
    "parcels_delivered": lambda row: row.parcels_delivered,
    "parcels_early": lambda row: row.parcels_early,
    "parcels_on_time": lambda row: row.parcels_on_time,
    "parcels_late": lambda row: row.parcels_late,
    "parcels_without_promise": lambda row: row.parcels_without_promise,
    "placed_to_shipped_p50_seconds": lambda row: row.placed_to_shipped.p50_seconds,
    "placed_to_shipped_p95_seconds": lambda row: row.placed_to_shipped.p95_seconds,
    "shipped_to_delivered_p50_seconds": lambda row: row.shipped_to_delivered.p50_seconds,
    "shipped_to_delivered_p95_seconds": lambda row: row.shipped_to_delivered.p95_seconds,
    "placed_to_delivered_p50_seconds": lambda row: row.placed_to_delivered.p50_seconds,
    "placed_to_delivered_p95_seconds": lambda row: row.placed_to_delivered.p95_seconds,
    "claims": lambda row: row.claims,
    "claims_withdrawn": lambda row: row.claims_withdrawn,
}
_RATIOS: dict[str, Callable[[Figures], Decimal | None]] = {
    "on_time_percent": lambda row: row.on_time_percent,
    "claims_per_1000_parcels": lambda row: row.claims_per_1000_parcels,
}


def sheet_of(report: Report) -> Sheet[Figures]:
    """The delivery report, to be written."""
    return Sheet(columns_of(report), report.rows)


def columns_of(report: Report) -> tuple[Column[Figures], ...]:
    """All columns of a report: its dimension, counts, ratios, and one amount per currency."""
    return (
        Column(report.query.by.value, ColumnKind.TEXT, lambda row: row.key),
        *(Column(name, ColumnKind.COUNT, value) for name, value in _COUNTS.items()),
        *(Column(name, ColumnKind.RATIO, value) for name, value in _RATIOS.items()),
        *map(_money_column, report.currencies),
    )


def _money_column(currency: str) -> Column[Figures]:
    def amount(row: Figures) -> Decimal | None:
        return row.item_value.get(currency)

    return Column(f"item_value_{currency.lower()}", ColumnKind.MONEY, amount)


def plain_amount(amount: Decimal) -> str:
    """An exact amount with at least two decimals, never in exponents: 136373.83, 0.0001."""
    in_cents = amount.quantize(_CENT)
    return f"{in_cents if in_cents == amount else amount.normalize():f}"
