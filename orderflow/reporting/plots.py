"""A report as pictures: punctuality by day, delivery times, parcels on their way."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from services.analytics.operations.report import Figures, Percentiles, Report

INK, FAINT, GRID = "#1f2933", "#6b7785", "#e4e8ec"
EARLY, ON_TIME, LATE = "#7fb8d6", "#2a7f9e", "#d9622b"
BARS_MAX = 60
GROUPS_MAX = 12
DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1)
DPI = 150


def draw(by_day: Report, by_carrier: Report, by_country: Report, *, folder: Path) -> list[Path]:
    """Write the pictures into `folder`, made if absent, and return their paths.

    Raises OSError when they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "on_time.png": _on_time(by_day),
        "delivery_times.png": _delivery_times(by_carrier, by_country),
        "parcels.png": _parcels(by_day),
    }
    for name, figure in pictures.items():
        figure.savefig(folder / name, dpi=DPI, facecolor="white")
    return [folder / name for name in pictures]


@dataclass(frozen=True, slots=True)
class Bin:
    """Deliveries of some days in a row, from `first_day`."""

    first_day: date
    early: int
    on_time: int
    late: int

    @property
    def deliveries(self) -> int:
        """All with a promised day."""
        return self.early + self.on_time + self.late


def _on_time(report: Report) -> Figure:
    days = _days(report.rows)
    width = _bin_days(days)
    bins = _bins(days, width)
    figure, axes = _picture(f"Deliveries against the promised day, {_per(width)}", _scope(report))
    if not bins:
        return _empty(figure, axes)
    x = [_on_axis(bin_.first_day) for bin_ in bins]
    bottom = [0] * len(bins)
    for label, colour, heights in (
        ("late", LATE, [bin_.late for bin_ in bins]),
        ("on the day", ON_TIME, [bin_.on_time for bin_ in bins]),
        ("early", EARLY, [bin_.early for bin_ in bins]),
    ):
        axes.bar(x, heights, width * 0.86, bottom=bottom, color=colour, label=label, align="edge")
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    deliveries = sum(bin_.deliveries for bin_ in bins)
    punctual = 100 * (1 - sum(bin_.late for bin_ in bins) / deliveries)
    _legend(axes, f"{punctual:.1f} % of {deliveries:,} on time")
    axes.set_ylabel("parcels delivered")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _date_axis(axes)
    return figure


def _parcels(report: Report) -> Figure:
    days = _days(report.rows)
    figure, axes = _picture("Parcels, all up to the day", _scope(report))
    if not days:
        return _empty(figure, axes)
    lines: tuple[tuple[str, str, Callable[[Figures], int]], ...] = (
        ("expected", FAINT, lambda row: row.parcels_expected or 0),
        ("handed to a carrier", EARLY, lambda row: row.parcels_handed_over),
        ("delivered", ON_TIME, lambda row: row.parcels_delivered),
        ("delivered late", LATE, lambda row: row.parcels_late),
    )
    x = [_on_axis(day) for day in days]
    for label, colour, count in lines:
        totals = list(accumulate(count(row) for row in days.values()))
        named = f"{label} {totals[-1]:,}"
        axes.step(x, totals, where="post", color=colour, linewidth=2, label=named)
    _legend(axes)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel("parcels")
    _date_axis(axes)
    return figure


SPREADS: tuple[tuple[str, str, Callable[[Figures], Percentiles]], ...] = (
    ("placed → shipped", EARLY, lambda row: row.placed_to_shipped),
    ("shipped → delivered", ON_TIME, lambda row: row.shipped_to_delivered),
    ("placed → delivered", INK, lambda row: row.placed_to_delivered),
)


def _delivery_times(by_carrier: Report, by_country: Report) -> Figure:
    groups = [("carrier", _largest(by_carrier)), ("country", _largest(by_country))]
    heights = [max(1, len(rows)) for _, rows in groups]
    figure = Figure(figsize=(9, 2.6 + 0.62 * sum(heights)), layout="constrained")
    title = f"Days to the customer{_scope(by_carrier)}"
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold")
    panels = figure.subplots(2, 1, height_ratios=heights, sharex=True)
    for axes, (name, rows) in zip(panels, groups, strict=True):
        style(axes)
        axes.set_title(f"by {name}", loc="left", color=FAINT, fontsize=10)
        _spread_rows(axes, rows)
    panels[1].set_xlabel("days; dot = median, end of the line = 95th percentile")
    panels[1].set_xlim(0, 1.15 * max(1, *(_longest(rows) for _, rows in groups)))
    lines = [Line2D([], [], color=c, marker="o", linewidth=2.5, label=t) for t, c, _ in SPREADS]
    figure.legend(handles=lines, loc="outside lower left", ncols=3, frameon=False, labelcolor=INK)
    return figure


def _spread_rows(axes: Axes, rows: Sequence[Figures]) -> None:
    for place, row in enumerate(rows):
        for (_, colour, spread_of), offset in zip(SPREADS, (-0.24, 0.0, 0.24), strict=True):
            _spread(axes, spread_of(row), place + offset, colour)
    if not rows:
        _say_empty(axes)
    axes.set_yticks(range(len(rows)), [f"{row.key} ({row.parcels_delivered:,})" for row in rows])
    axes.set_ylim(max(1, len(rows)) - 0.4, -0.6)
    axes.grid(visible=True, axis="x", color=GRID)
    axes.grid(visible=False, axis="y")


def _spread(axes: Axes, spread: Percentiles, y: float, colour: str) -> None:
    if spread.p50_seconds is None or spread.p95_seconds is None:
        return
    low, high = _in_days(spread.p50_seconds), _in_days(spread.p95_seconds)
    axes.plot([low, high], [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
    axes.plot([low], [y], "o", color=colour, markersize=6)
    axes.annotate(
        f"{low:.1f} · {high:.1f}",
        (high, y),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=colour,
    )


def _longest(rows: Sequence[Figures]) -> float:
    seconds = (spread_of(row).p95_seconds or 0 for row in rows for _, _, spread_of in SPREADS)
    return _in_days(max(seconds, default=0))


def _largest(report: Report) -> list[Figures]:
    delivered = [row for row in report.rows if row.parcels_delivered]
    return sorted(delivered, key=lambda row: (-row.parcels_delivered, row.key))[:GROUPS_MAX]


def _in_days(seconds: int) -> float:
    return seconds / DAY_SECONDS


def _days(rows: Sequence[Figures]) -> dict[date, Figures]:
    return {date.fromisoformat(row.key): row for row in rows}


def _bin_days(days: dict[date, Figures]) -> int:
    """Days per bar, so that no picture has too many bars to read."""
    delivered = [day for day, row in days.items() if row.parcels_delivered]
    span = (max(delivered) - min(delivered)).days + 1 if delivered else 1
    fitting = (width for width in (1, 7, 28) if span / width <= BARS_MAX)
    return next(fitting, math.ceil(span / BARS_MAX / 28) * 28)


def _bins(days: dict[date, Figures], width: int) -> list[Bin]:
    """Bins on fixed days (weeks begin on Monday), so that two reports of one time agree."""
    found: dict[date, Bin] = {}
    for day, row in days.items():
        if row.parcels_delivered == row.parcels_without_promise:
            continue
        first = day - timedelta(days=(day.toordinal() - 1) % width)
        bin_ = found.get(first, Bin(first, 0, 0, 0))
        found[first] = Bin(
            first,
            bin_.early + row.parcels_early,
            bin_.on_time + row.parcels_on_time,
            bin_.late + row.parcels_late,
        )
    return list(found.values())


def _per(days: int) -> str:
    return {1: "by day", 7: "by week"}.get(days, f"per {days} days")


def _scope(report: Report) -> str:
    return f", {report.query.shop}" if report.query.shop else ""


def _picture(title: str, scope: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    style(axes)
    axes.set_title(title + scope, loc="left", color=INK, fontsize=13, fontweight="bold", pad=28)
    return figure, axes


def style(axes: Axes) -> None:
    """Give axes the look of all pictures."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=FAINT, length=0)
    axes.yaxis.label.set_color(FAINT)
    axes.xaxis.label.set_color(FAINT)
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="y", color=GRID)


def _legend(axes: Axes, title: str | None = None) -> None:
    """Above the plot, where it hides nothing."""
    axes.legend(loc="lower right" if title else "lower left", bbox_to_anchor=(1 if title else 0, 1),
                ncols=4, frameon=False, labelcolor=INK, fontsize=9, borderaxespad=0.2)  # fmt: skip
    if title:
        axes.text(0, 1.03, title, transform=axes.transAxes, color=FAINT, fontsize=10)


def _on_axis(day: date) -> int:
    """A day as matplotlib counts them."""
    return (day - EPOCH).days


def _date_axis(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _empty(figure: Figure, axes: Axes) -> Figure:
    _say_empty(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def _say_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "nothing delivered yet", transform=axes.transAxes, ha="center", color=FAINT)
