"""A report for people: one column of figures for the total, else one line a row."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from orderflow.reporting.columns import plain_amount
from services.analytics.operations.report import Dimension, Figures, Percentiles, Report

NOTHING = "–"
Cell = Callable[[Figures], str]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def to_tables(report: Report) -> list[Table]:
    """The report as rich tables, to be printed below each other."""
    if report.query.by is Dimension.TOTAL:
        return [_total(report)]
    return _rows(report)


def _total(report: Report) -> Table:
    row = report.rows[0]
    table = Table(title=_title(report), title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column(no_wrap=True, style="dim")
    for label, figure, note in _total_lines(row):
        table.add_row(label, figure, note)
    return table


def _total_lines(row: Figures) -> list[tuple[str, str, str]]:
    return [
        ("orders", count_text(row.orders), ""),
        ("  cancelled", count_text(row.orders_cancelled), _after_handover(row)),
        ("  late", count_text(row.orders_late), "with a parcel after the promised day"),
        ("parcels expected", count_text(row.parcels_expected), ""),
        ("  handed to a carrier", count_text(row.parcels_handed_over), "first physical scan"),
        ("  delivered", count_text(row.parcels_delivered), ""),
        ("  early", count_text(row.parcels_early), "before the promised day, at the destination"),
        ("  on the day", count_text(row.parcels_on_time), ""),
        ("  late", count_text(row.parcels_late), ""),
        ("  no promised day", count_text(row.parcels_without_promise), ""),
        ("on time", percent_text(row.on_time_percent), "of deliveries with a promised day"),
        ("placed → shipped", *_spread_cells(row.placed_to_shipped)),
        ("shipped → delivered", *_spread_cells(row.shipped_to_delivered)),
        ("placed → delivered", *_spread_cells(row.placed_to_delivered)),
        ("claims", count_text(row.claims), f"{count_text(row.claims_withdrawn)} of them withdrawn"),
        ("claims per 1,000", _number(row.claims_per_1000_parcels), "parcels handed over"),
        *(("item value", amount_text(v), currency) for currency, v in row.item_value.items()),
    ]


def _rows(report: Report) -> list[Table]:
    """Two tables: one with all columns would be wider than most terminals."""
    counts = _table(report, _COUNTS)
    counts.title, counts.title_justify, counts.title_style = _title(report), "left", "bold"
    others = [
        *_OTHERS,
        *((f"items\n{currency}", _item_value(currency)) for currency in report.currencies),
    ]
    times = _table(report, others)
    times.title, times.title_justify = "\nmedian · 95th percentile", "left"
    times.title_style = "dim"
    return [counts, times]


def _table(report: Report, columns: Sequence[tuple[str, Cell]]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column(report.query.by.value, no_wrap=True, style="bold", vertical="bottom")
    for head, _ in columns:
        table.add_column(head, justify="right", no_wrap=True, vertical="bottom")
    for row in report.rows:
        table.add_row(escape(row.key), *(cell(row) for _, cell in columns))
    return table


def _item_value(currency: str) -> Cell:
    return lambda row: amount_text(row.item_value.get(currency))


def _times(spread: Percentiles) -> str:
    if spread.p50_seconds is None:
        return NOTHING
    return f"{_short(spread.p50_seconds)} · {_short(spread.p95_seconds)}"


def _title(report: Report) -> str:
    query = report.query
    parts = ["deliveries"]
    if query.by is not Dimension.TOTAL:
        parts.append(f"by {query.by.value}")
    parts.append(period_text(query.shop, query.first_day, query.last_day))
    return " ".join(parts)


def period_text(shop: str | None, first_day: date | None, last_day: date | None) -> str:
    """Which shop and days a report is of."""
    parts = [f"of {escape(shop)}" if shop else "of all shops"]
    if first_day:
        parts.append(f"from {first_day}")
    if last_day:
        parts.append(f"to {last_day}")
    return " ".join(parts)


def _after_handover(row: Figures) -> str:
    return f"{count_text(row.orders_cancelled_after_handover)} of them after hand-over"


def _spread_cells(spread: Percentiles) -> tuple[str, str]:
    return _duration(spread.p50_seconds), f"median; 95 % within {_duration(spread.p95_seconds)}"


def _duration(seconds: int | None) -> str:
    """The two largest units: 9 d 4 h, 3 h 20 min, 45 s."""
    if seconds is None:
        return NOTHING
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min" if seconds >= _MINUTE else f"{seconds} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR:02} h"


def _short(seconds: int | None) -> str:
    """The same without spaces, in days from a day on: 9.2d, 3h20m."""
    if seconds is not None and seconds >= _DAY:
        return f"{seconds / _DAY:.1f}d"
    return _duration(seconds).replace(" min", "m").replace(" ", "")


def count_text(count: int | None) -> str:
    """A number with thousands marked; a dash if there is none."""
    return NOTHING if count is None else f"{count:,}"


def _number(ratio: Decimal | None) -> str:
    return NOTHING if ratio is None else f"{ratio:,.1f}"


def percent_text(ratio: Decimal | None) -> str:
    """A percentage with one decimal; a dash if there is none."""
    return NOTHING if ratio is None else f"{ratio:.1f} %"


def amount_text(amount: Decimal | None) -> str:
    """An exact amount with thousands marked; a dash if there is none."""
    if amount is None:
        return NOTHING
    whole, _, decimals = plain_amount(amount).partition(".")
    return f"{int(whole):,}.{decimals}"


_COUNTS: tuple[tuple[str, Cell], ...] = (
    ("orders", lambda row: count_text(row.orders)),
    ("late", lambda row: count_text(row.orders_late)),
    ("parcels\nexpected", lambda row: count_text(row.parcels_expected)),
    ("handed\nover", lambda row: count_text(row.parcels_handed_over)),
    ("deliv-\nered", lambda row: count_text(row.parcels_delivered)),
    ("early", lambda row: count_text(row.parcels_early)),
    ("on the\nday", lambda row: count_text(row.parcels_on_time)),
    ("late", lambda row: count_text(row.parcels_late)),
    ("on time", lambda row: percent_text(row.on_time_percent)),
)
_OTHERS: tuple[tuple[str, Cell], ...] = (
    ("placed →\nshipped", lambda row: _times(row.placed_to_shipped)),
    ("shipped →\ndelivered", lambda row: _times(row.shipped_to_delivered)),
    ("placed →\ndelivered", lambda row: _times(row.placed_to_delivered)),
    ("claims", lambda row: count_text(row.claims)),
    ("per\n1,000", lambda row: _number(row.claims_per_1000_parcels)),
)
