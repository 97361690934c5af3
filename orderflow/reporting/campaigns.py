"""The report of campaigns as columns for files, and as a table for people."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from orderflow.reporting.columns import Column, ColumnKind, Sheet
from orderflow.reporting.table import amount_text, count_text, period_text
from services.analytics.operations.campaign_report import CampaignFigures, CampaignReport

NO_CAMPAIGN = "(none)"
Cell = Callable[[CampaignFigures], str]
_MONEY: Mapping[str, Callable[[CampaignFigures], Mapping[str, Decimal]]] = {
    "revenue": lambda row: row.revenue,
    "discount": lambda row: row.discount,
}


def sheet_of(report: CampaignReport) -> Sheet[CampaignFigures]:
    """The report, to be written; an empty campaign stands for orders without one."""
    columns: tuple[Column[CampaignFigures], ...] = (
        Column("shop", ColumnKind.TEXT, lambda row: row.shop),
        Column("campaign_id", ColumnKind.TEXT, lambda row: row.campaign_id),
        Column("orders", ColumnKind.COUNT, lambda row: row.orders),
        *(_money(name, currency) for currency in report.currencies for name in _MONEY),
    )
    return Sheet(columns, report.rows)


def to_tables(report: CampaignReport) -> list[Table]:
    """The report as a rich table."""
    return [_table(report, _cells(report))]


def _money(name: str, currency: str) -> Column[CampaignFigures]:
    amounts = _MONEY[name]
    return Column(
        f"{name}_{currency.lower()}", ColumnKind.MONEY, lambda row: amounts(row).get(currency)
    )


def _cells(report: CampaignReport) -> list[tuple[str, Cell]]:
    return [
        ("orders", lambda row: count_text(row.orders)),
        *(_money_cell(name, each) for each in report.currencies for name in _MONEY),
    ]


def _money_cell(name: str, currency: str) -> tuple[str, Cell]:
    amounts = _MONEY[name]
    return f"{name}\n{currency}", lambda row: amount_text(amounts(row).get(currency))


def _table(report: CampaignReport, cells: Sequence[tuple[str, Cell]]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.title = f"campaigns {_scope(report)}"
    table.title_justify, table.title_style = "left", "bold"
    for name in ("shop", "campaign"):
        table.add_column(name, no_wrap=True, style="bold", vertical="bottom")
    for head, _ in cells:
        table.add_column(head, justify="right", no_wrap=True, vertical="bottom")
    for row in report.rows:
        named = (escape(row.shop), escape(row.campaign_id or NO_CAMPAIGN))
        table.add_row(*named, *(cell(row) for _, cell in cells))
    return table


def _scope(report: CampaignReport) -> str:
    query = report.query
    return period_text(query.shop, query.first_day, query.last_day)
