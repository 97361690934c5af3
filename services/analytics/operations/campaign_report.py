"""The report of campaigns: what each was credited with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from asyncpg import Connection, Record

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "campaign_report.sql")


@dataclass(frozen=True, slots=True)
class CampaignQuery:
    """What to report on. Days are inclusive; None: no limit."""

    shop: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def arguments(self) -> tuple[object, ...]:
        """The parameters that every statement of the report takes."""
        return (self.shop, self.first_day, self.last_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFigures:
    """One campaign of a shop, or all orders of a shop that no campaign is credited with."""

    shop: str
    campaign_id: str | None
    orders: int = 0
    """Orders that are not cancelled."""
    revenue: Mapping[str, Decimal] = field(default_factory=dict)
    """What customers pay for these orders, exact, by currency."""
    discount: Mapping[str, Decimal] = field(default_factory=dict)
    """Discounts on these orders, exact, by currency."""


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Rows by shop and campaign; the orders of a shop without a campaign come first."""

    query: CampaignQuery
    rows: tuple[CampaignFigures, ...]

    @property
    def currencies(self) -> tuple[str, ...]:
        """All currencies of the rows, sorted."""
        return tuple(sorted({currency for row in self.rows for currency in row.revenue}))


async def read_campaigns(connection: Connection, query: CampaignQuery) -> CampaignReport:
    """Read the report with one statement."""
    found: dict[tuple[str, str], CampaignFigures] = {}
    _add_sales(found, await connection.fetch(SQL["read_sales"], *query.arguments()))
    return CampaignReport(query, tuple(found[key] for key in sorted(found)))


def _add_sales(found: dict[tuple[str, str], CampaignFigures], records: Iterable[Record]) -> None:
    for record in records:
        row = _row(found, record)
        currency = record["currency"]
        _put(
            found,
            replace(
                row,
                orders=row.orders + record["orders"],
                revenue={**row.revenue, currency: record["revenue"]},
                discount={**row.discount, currency: record["discount"]},
            ),
        )


def _row(found: Mapping[tuple[str, str], CampaignFigures], record: Record) -> CampaignFigures:
    shop, campaign = record["shop"], record["campaign_id"]
    return found.get((shop, campaign)) or CampaignFigures(shop=shop, campaign_id=campaign or None)


def _put(found: dict[tuple[str, str], CampaignFigures], row: CampaignFigures) -> None:
    found[row.shop, row.campaign_id or ""] = row
