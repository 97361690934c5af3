"""The reports of campaigns and of tests: what pages showed of them, and what they brought."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from asyncpg import Connection, Record

from services.analytics.domain.shares import Interval, difference_interval
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "campaign_report.sql")
_CENT = Decimal("0.01")
_Found: TypeAlias = dict[tuple[str, str], "CampaignFigures"]


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
    impressions: int = 0
    """How often pages showed the campaign; without a campaign: another part of a page."""
    clicks: int = 0
    orders: int = 0
    """Orders that are not cancelled."""
    repurchases: int = 0
    """Of these orders, those from a visit in which another order's page was opened."""
    revenue: Mapping[str, Decimal] = field(default_factory=dict)
    """What customers pay for these orders, exact, by currency."""
    discount: Mapping[str, Decimal] = field(default_factory=dict)
    """Discounts on these orders, exact, by currency."""
    repurchase_revenue: Mapping[str, Decimal] = field(default_factory=dict)
    """Of the revenue, that of repurchases."""

    @property
    def click_percent(self) -> Decimal | None:
        """Clicks for every 100 impressions, 2 decimals; None without impressions."""
        if not self.impressions:
            return None
        return (Decimal(100 * self.clicks) / self.impressions).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Rows by shop and campaign; the orders of a shop without a campaign come first."""

    query: CampaignQuery
    rows: tuple[CampaignFigures, ...]

    @property
    def currencies(self) -> tuple[str, ...]:
        """All currencies of the rows, sorted."""
        return tuple(sorted({currency for row in self.rows for currency in row.revenue}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """One arm of a test: the visits of its orders' pages, and how many of them bought."""

    shop: str
    test_id: str
    campaign_id: str | None
    """None: the hold-out."""
    sessions: int
    buyers: int
    difference: Interval | None = None
    """Between what share of the visits of this arm bought and what share of the hold-out, from -1
    to 1, with a confidence of 95 %; None for the hold-out, and where there is none."""

    @property
    def buyer_percent(self) -> Decimal:
        """Visits that bought, of 100; 2 decimals."""
        return (Decimal(100 * self.buyers) / self.sessions).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class ArmReport:
    """Rows by shop, test and campaign; the hold-out of a test comes first."""

    query: CampaignQuery
    rows: tuple[ArmFigures, ...]


async def read_campaigns(connection: Connection, query: CampaignQuery) -> CampaignReport:
    """Read the report of campaigns with three statements, all on one snapshot of the database.

    Opens a read-only transaction on the caller's connection.
    """
    found: _Found = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for name, add in _ADDITIONS.items():
            for record in await connection.fetch(SQL[name], *query.arguments()):
                row = add(_row(found, record), record)
                found[row.shop, row.campaign_id or ""] = row
    return CampaignReport(query, tuple(found[key] for key in sorted(found)))


async def read_arms(connection: Connection, query: CampaignQuery) -> ArmReport:
    """Read the report of tests with one statement, and compare each arm with its hold-out."""
    records = await connection.fetch(SQL["read_arms"], *query.arguments())
    rows = [ArmFigures(**dict(record)) for record in records]
    held_out = {(row.shop, row.test_id): row for row in rows if row.campaign_id is None}
    return ArmReport(
        query, tuple(_compared(row, held_out.get((row.shop, row.test_id))) for row in rows)
    )


def _compared(arm: ArmFigures, held_out: ArmFigures | None) -> ArmFigures:
    if held_out is None or held_out is arm:
        return arm
    difference = difference_interval(arm.buyers, arm.sessions, held_out.buyers, held_out.sessions)
    return replace(arm, difference=difference)


def _row(found: _Found, record: Record) -> CampaignFigures:
    shop, campaign = record["shop"], record["campaign_id"]
    return found.get((shop, campaign)) or CampaignFigures(shop=shop, campaign_id=campaign or None)


def _add_activity(row: CampaignFigures, record: Record) -> CampaignFigures:
    return replace(row, impressions=record["impressions"], clicks=record["clicks"])


def _add_sales(row: CampaignFigures, record: Record) -> CampaignFigures:
    currency = record["currency"]
    return replace(
        row,
        orders=row.orders + record["orders"],
        revenue={**row.revenue, currency: record["revenue"]},
        discount={**row.discount, currency: record["discount"]},
    )


def _add_repurchases(row: CampaignFigures, record: Record) -> CampaignFigures:
    return replace(
        row,
        repurchases=row.repurchases + record["orders"],
        repurchase_revenue={**row.repurchase_revenue, record["currency"]: record["revenue"]},
    )


_ADDITIONS: Mapping[str, Callable[[CampaignFigures, Record], CampaignFigures]] = {
    "read_activity": _add_activity,
    "read_sales": _add_sales,
    "read_repurchases": _add_repurchases,
}
