"""The reports of campaigns and of tests as columns for files, and as tables for people."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from orderflow.reporting.columns import Column, ColumnKind, RowT, Sheet
from orderflow.reporting.table import NOTHING, amount_text, count_text, percent_text, period_text
from services.analytics.operations.campaign_report import (
    ArmFigures,
    ArmReport,
    CampaignFigures,
    CampaignQuery,
    CampaignReport,
)

NO_CAMPAIGN, HELD_OUT = "(none)", "(held out)"
_CENT = Decimal("0.01")
_MONEY: Mapping[str, Callable[[CampaignFigures], Mapping[str, Decimal]]] = {
    "revenue": lambda row: row.revenue,
    "discount": lambda row: row.discount,
    "repurchase_revenue": lambda row: row.repurchase_revenue,
}


def campaign_sheet(report: CampaignReport) -> Sheet[CampaignFigures]:
    """The report of campaigns, to be written; an empty campaign: orders without one."""
    columns: tuple[Column[CampaignFigures], ...] = (
        Column("shop", ColumnKind.TEXT, lambda row: row.shop),
        Column("campaign_id", ColumnKind.TEXT, lambda row: row.campaign_id),
        Column("impressions", ColumnKind.COUNT, lambda row: row.impressions),
        Column("clicks", ColumnKind.COUNT, lambda row: row.clicks),
        Column("click_percent", ColumnKind.RATIO, lambda row: row.click_percent),
        Column("orders", ColumnKind.COUNT, lambda row: row.orders),
        Column("repurchases", ColumnKind.COUNT, lambda row: row.repurchases),
        *(_money(name, currency) for currency in report.currencies for name in _MONEY),
    )
    return Sheet(columns, report.rows)


def campaign_tables(report: CampaignReport) -> list[Table]:
    """The report of campaigns as rich tables: counts, and money with a row for each currency."""
    counts = _table(f"campaigns {_scope(report.query)}", ("shop", "campaign"))
    cells: list[tuple[str, Callable[[CampaignFigures], str]]] = [
        ("impres-\nsions", lambda row: count_text(row.impressions)),
        ("clicks", lambda row: count_text(row.clicks)),
        ("click\nrate", lambda row: percent_text(row.click_percent)),
        ("orders", lambda row: count_text(row.orders)),
        ("repur-\nchases", lambda row: count_text(row.repurchases)),
    ]
    named = [(row.shop, row.campaign_id or NO_CAMPAIGN) for row in report.rows]
    tables = [_filled(counts, named, cells, report.rows)]
    return [*tables, _money_table(report)] if report.currencies else tables


def _money_table(report: CampaignReport) -> Table:
    table = _table(f"money by campaign {_scope(report.query)}", ("shop", "campaign", "currency"))
    paid = [
        (row, currency)
        for row in report.rows
        for currency in report.currencies
        if any(currency in amounts(row) for amounts in _MONEY.values())
    ]
    named = [(row.shop, row.campaign_id or NO_CAMPAIGN, currency) for row, currency in paid]
    return _filled(table, named, [_money_cell(name) for name in _MONEY], paid)


def arm_sheet(report: ArmReport) -> Sheet[ArmFigures]:
    """The report of tests, to be written; an empty campaign: the hold-out."""
    columns: tuple[Column[ArmFigures], ...] = (
        Column("shop", ColumnKind.TEXT, lambda row: row.shop),
        Column("test_id", ColumnKind.TEXT, lambda row: row.test_id),
        Column("campaign_id", ColumnKind.TEXT, lambda row: row.campaign_id),
        Column("sessions", ColumnKind.COUNT, lambda row: row.sessions),
        Column("buyers", ColumnKind.COUNT, lambda row: row.buyers),
        Column("buyer_percent", ColumnKind.RATIO, lambda row: row.buyer_percent),
        Column("difference_low_percent", ColumnKind.RATIO, lambda row: _bounds(row)[0]),
        Column("difference_high_percent", ColumnKind.RATIO, lambda row: _bounds(row)[1]),
    )
    return Sheet(columns, report.rows)


def arm_tables(report: ArmReport) -> list[Table]:
    """The report of tests as a rich table."""
    table = _table(f"arms of tests {_scope(report.query)}", ("shop", "test", "campaign"))
    cells: list[tuple[str, Callable[[ArmFigures], str]]] = [
        ("visits", lambda row: count_text(row.sessions)),
        ("bought", lambda row: count_text(row.buyers)),
        ("share", lambda row: percent_text(row.buyer_percent)),
        ("minus held out,\n95 % sure", _difference_text),
    ]
    named = [(row.shop, row.test_id, row.campaign_id or HELD_OUT) for row in report.rows]
    return [_filled(table, named, cells, report.rows)]


def _bounds(arm: ArmFigures) -> tuple[Decimal | None, Decimal | None]:
    """The difference from the hold-out in points of a percentage, 2 decimals."""
    if arm.difference is None:
        return None, None
    low, high = (
        Decimal(100 * bound).quantize(_CENT) for bound in (arm.difference.low, arm.difference.high)
    )
    return low, high


def _difference_text(arm: ArmFigures) -> str:
    low, high = _bounds(arm)
    return NOTHING if low is None else f"{low:+.1f} to {high:+.1f}"


def _money(name: str, currency: str) -> Column[CampaignFigures]:
    amounts = _MONEY[name]
    return Column(
        f"{name}_{currency.lower()}", ColumnKind.MONEY, lambda row: amounts(row).get(currency)
    )


def _money_cell(name: str) -> tuple[str, Callable[[tuple[CampaignFigures, str]], str]]:
    amounts = _MONEY[name]
    return name.replace("_", "\n"), lambda paid: amount_text(amounts(paid[0]).get(paid[1]))


def _table(title: str, names: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.title, table.title_justify, table.title_style = title, "left", "bold"
    for name in names:
        table.add_column(name, no_wrap=True, style="bold", vertical="bottom")
    return table


def _filled(
    table: Table,
    named: Sequence[tuple[str, ...]],
    cells: Sequence[tuple[str, Callable[[RowT], str]]],
    rows: Sequence[RowT],
) -> Table:
    for head, _ in cells:
        table.add_column(head, justify="right", no_wrap=True, vertical="bottom")
    for names, row in zip(named, rows, strict=True):
        table.add_row(*map(escape, names), *(cell(row) for _, cell in cells))
    return table


def _scope(query: CampaignQuery) -> str:
    return period_text(query.shop, query.first_day, query.last_day)
