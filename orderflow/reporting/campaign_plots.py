"""The reports of campaigns and tests as pictures: revenue by campaign, shares by arm."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orderflow.reporting.campaigns import HELD_OUT, NO_CAMPAIGN
from orderflow.reporting.plots import DPI, EARLY, FAINT, GRID, INK, LATE, ON_TIME, style
from services.analytics.operations.campaign_report import (
    ArmFigures,
    ArmReport,
    CampaignFigures,
    CampaignReport,
)

ROWS_MAX = 20
_ROW_INCHES = 0.34


def draw_campaigns(report: CampaignReport, path: Path) -> None:
    """Write a picture with a panel of revenue by campaign for each currency; 20 campaigns at most.

    The ending of the path says which format: png or svg. Raises OSError when it cannot be written.
    """
    panels = [(currency, _largest(report, currency)) for currency in report.currencies]
    figure, all_axes = _picture("Revenue by campaign", [len(rows) for _, rows in panels] or [0])
    if not panels:
        _rows(all_axes[0], [], "")
    for axes, (currency, rows) in zip(all_axes, panels, strict=False):
        names = [_name(row.shop, row.campaign_id or NO_CAMPAIGN, report) for row in rows]
        for values, colour, label in (
            ([row.revenue[currency] for row in rows], EARLY, "revenue"),
            ([_repurchased(row, currency) for row in rows], ON_TIME, "of it repurchases"),
            ([row.discount[currency] for row in rows], LATE, "discounts"),
        ):
            thickness = 0.18 if label == "discounts" else 0.7
            axes.barh(range(len(rows)), [*map(float, values)], thickness, color=colour, label=label)
        _rows(axes, names, currency)
    _save(figure, all_axes, path)


def draw_arms(report: ArmReport, path: Path) -> None:
    """Write a picture of the difference of each arm from its hold-out, with its interval.

    The ending of the path says which format: png or svg. Raises OSError when it cannot be written.
    """
    rows = [row for row in report.rows if row.difference is not None][:ROWS_MAX]
    figure, all_axes = _picture("Visits that bought, against the hold-out", [len(rows)])
    for place, row in enumerate(rows):
        _interval(all_axes[0], row, place)
    all_axes[0].axvline(0, color=INK, linewidth=1)
    names = [f"{row.shop} {row.test_id} {row.campaign_id or HELD_OUT}" for row in rows]
    _rows(all_axes[0], names, "points of a percentage more than the hold-out; line: 95 % sure")
    _save(figure, (), path)


def _interval(axes: Axes, row: ArmFigures, place: int) -> None:
    if row.difference is None:
        return
    low, high = 100 * row.difference.low, 100 * row.difference.high
    axes.plot([low, high], [place, place], color=ON_TIME, linewidth=2.5, solid_capstyle="butt")


def _largest(report: CampaignReport, currency: str) -> list[CampaignFigures]:
    rows = [row for row in report.rows if currency in row.revenue]
    return sorted(rows, key=lambda row: (-row.revenue[currency], row.shop))[:ROWS_MAX]


def _repurchased(row: CampaignFigures, currency: str) -> Decimal:
    return row.repurchase_revenue.get(currency, Decimal())


def _name(shop: str, campaign: str, report: CampaignReport) -> str:
    return campaign if report.query.shop else f"{shop} {campaign}"


def _picture(title: str, sizes: Sequence[int]) -> tuple[Figure, Sequence[Axes]]:
    heights = [max(2, size) for size in sizes]
    figure = Figure(
        figsize=(9, 1.2 + sum(0.6 + _ROW_INCHES * each for each in heights)), layout="constrained"
    )
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold")
    grid = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)
    all_axes: list[Axes] = [row[0] for row in grid]
    for axes in all_axes:
        style(axes)
    return figure, all_axes


def _rows(axes: Axes, names: Sequence[str], label: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(1, len(names)) - 0.4, -0.6)
    axes.grid(visible=True, axis="x", color=GRID)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label, color=FAINT)
    if not names:
        axes.text(0.5, 0.5, "nothing counted yet", transform=axes.transAxes, ha="center")


def _save(figure: Figure, labelled: Sequence[Axes], path: Path) -> None:
    handles, labels = labelled[0].get_legend_handles_labels() if labelled else ([], [])
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside upper right",
            ncols=len(handles),
            frameon=False,
            labelcolor=INK,
            fontsize=9,
        )
    figure.savefig(path, dpi=DPI, facecolor="white")
