"""Dashboards as pictures for the docs: drawn from answers of a Prometheus, without Grafana."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from tools.dashboards.expressions import with_values

POINTS = 60
COLUMN_INCHES, LINE_INCHES = 0.54, 0.3
INK, PALE = "#24292f", "#8c959f"
STATE = {"green": "#2e9e5b", "red": "#c23b3b"}
COLOURS = (
    *("#1f77b4", "#e8870c", "#2e9e5b", "#c23b3b", "#7f5fb0", "#8c6d46", "#d869a8", "#5f7f94"),
    *("#17a0b0", "#a8a828", "#34495e", "#9b59b6"),
)
LEGEND_MAX = 8
SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
THOUSANDS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))

Points = Sequence[tuple[float, float]]
"""Unix seconds and values, in order."""
Ask = Callable[[str], Sequence[tuple[Mapping[str, str], Points]]]
"""From an expression to its series, each with its labels."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One series of a panel, with its name in the legend."""

    name: str
    points: Points

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


def draw(page: Mapping[str, Any], ask: Ask, path: Path) -> None:
    """Draw the open rows of a dashboard, each panel in its place, into an SVG or PNG file."""
    panels = page["panels"]
    closed = [each["gridPos"]["y"] for each in panels if each.get("collapsed")]
    shown = [each for each in panels if not each.get("collapsed")]
    lines = min(closed, default=max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in shown))
    with mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "orderflow",
            "font.size": 7,
            "axes.edgecolor": PALE,
            "text.color": INK,
        }
    ):
        figure = Figure(figsize=(24 * COLUMN_INCHES, lines * LINE_INCHES), facecolor="white")
        for panel in shown:
            at = panel["gridPos"]
            box = (
                at["x"] / 24,
                1 - (at["y"] + at["h"]) / lines,
                at["w"] / 24,
                at["h"] / lines,
            )
            _DRAW[panel["type"]](figure, box, panel, ask)
        if path.suffix == ".svg":
            figure.savefig(path, metadata={"Date": None})
        else:
            _save_small(figure, path)


def _save_small(figure: Figure, path: Path) -> None:
    """Save as PNG with few colours: a third of the size."""
    whole = BytesIO()
    figure.savefig(whole, format="png", dpi=90)
    Image.open(whole).convert("RGB").quantize(64).save(path, optimize=True)


def asking(url: str, start: float, end: float) -> Ask:
    """What asks the Prometheus at `url` for a time, in Unix seconds."""
    step = max(1.0, (end - start) / POINTS)

    def ask(expression: str) -> list[tuple[Mapping[str, str], Points]]:
        query = with_values(expression, f"{max(15, math.ceil(4 * step))}s")
        form = {"query": query, "start": start, "end": end, "step": step}
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(f"{url}/api/v1/query_range", body)  # noqa: S310 - of the user
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            result = json.load(answer)["data"]["result"]
        return [
            (one["metric"], [(float(at), float(value)) for at, value in one["values"]])
            for one in result
        ]

    return ask


def draw_last_minutes(page: Mapping[str, Any], url: str, minutes: float, path: Path) -> None:
    """Draw a dashboard from the newest minutes of the Prometheus at `url`."""
    end = time.time()
    draw(page, asking(url, end - 60 * minutes, end), path)


def curves_of(panel: Mapping[str, Any], ask: Ask) -> list[Curve]:
    """The series of a panel, the highest first; one for all that are 0 where none is above."""
    curves = [
        Curve(_name(target["legendFormat"], labels), finite)
        for target in panel["targets"]
        for labels, points in ask(target["expr"])
        if (finite := [point for point in points if math.isfinite(point[1])])
    ]
    moving = [curve for curve in curves if any(value for _, value in curve.points)]
    if curves and not moving:
        return [Curve("all 0", curves[0].points)]
    return sorted(moving, key=lambda curve: (-_peak(curve), curve.name))


def _peak(curve: Curve) -> float:
    return max(value for _, value in curve.points)


def _name(legend: str, labels: Mapping[str, str]) -> str:
    if legend == "__auto":
        return " ".join(labels.values())
    filled = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
    return " ".join(filled.split()) or "none"


def written(value: float, unit: str) -> str:
    """A value with its unit, as Grafana writes it: `1.5 min`, `12 %`, `3.4 kB`."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    sizes, alone = (SECONDS, "s") if unit == "s" else (THOUSANDS, "")
    size, name = next((each for each in sizes if abs(value) >= each[0]), (1.0, alone))
    ending = {"bytes": "B", "cps": "/s", "reqps": "/s"}.get(unit, "")
    return f"{value / size:.3g} {name}{ending}".strip()


Box = tuple[float, float, float, float]


def _draw_row(figure: Figure, box: Box, panel: Mapping[str, Any], ask: Ask) -> None:  # noqa: ARG001 - as the others
    left, bottom, _, height = box
    figure.text(
        left + 0.004, bottom + height / 2, panel["title"], size=11, weight="bold", va="center"
    )


def _draw_number(figure: Figure, box: Box, panel: Mapping[str, Any], ask: Ask) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    curves = curves_of(panel, ask)
    axes = _axes(figure, box, panel, (0.004, 0.006))
    axes.axis("off")
    value = curves[0].last if curves else math.nan
    colour = _colour(value, defaults)
    axes.add_patch(
        Rectangle((0, 0), 1, 1, transform=axes.transAxes, color=colour or "#eef1f4", zorder=0)
    )
    text = written(value, defaults["unit"]) if curves else "no data"
    axes.text(
        0.5,
        0.5,
        text,
        size=15,
        weight="bold",
        ha="center",
        va="center",
        color="white" if colour else INK,
        transform=axes.transAxes,
    )


def _colour(value: float, defaults: Mapping[str, Any]) -> str | None:
    """The colour of the last threshold that a value reaches; None without thresholds."""
    steps = defaults.get("thresholds", {}).get("steps", [])
    reached = [each for each in steps if each.get("value") is None or value >= each["value"]]
    return STATE[reached[-1]["color"]] if reached else None


def _draw_graph(figure: Figure, box: Box, panel: Mapping[str, Any], ask: Ask) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    curves = curves_of(panel, ask)
    axes = _axes(figure, box, panel, (0.034, 0.022))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    is_stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    (_stack if is_stacked else _lines)(axes, curves)
    _mark_limit(axes, defaults)
    highest = axes.get_ylim()[1] if any(map(_peak, curves)) else 1
    # Room for the legend above the curves.
    axes.set_ylim(0, highest * (1.1 + 0.06 * min(len(curves), LEGEND_MAX)))
    locator = AutoDateLocator(minticks=3, maxticks=5)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    dates = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(dates)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: written(y, defaults["unit"])))
    axes.tick_params(colors=PALE, labelsize=6, length=2)
    axes.grid(axis="y", color="#e6e9ec", linewidth=0.5)
    axes.set_axisbelow(True)
    handles, names = axes.get_legend_handles_labels()
    if names:
        axes.legend(
            handles[:LEGEND_MAX],
            names[:LEGEND_MAX],
            loc="upper left",
            fontsize=5.5,
            ncols=2 if len(names) > 3 else 1,
            frameon=True,
            framealpha=0.75,
            edgecolor="none",
            handlelength=1,
            labelspacing=0.25,
            columnspacing=1,
        )


def _lines(axes: Axes, curves: Sequence[Curve]) -> None:
    for curve, colour in zip(curves, _colours(), strict=False):
        times, values = zip(*curve.points, strict=True)
        axes.plot(_days(times), values, color=colour, linewidth=1.1, label=curve.name)


def _stack(axes: Axes, curves: Sequence[Curve]) -> None:
    """Areas on top of each other; a time at which a series has no value counts as 0."""
    times = sorted({at for curve in curves for at, _ in curve.points})
    if not times:
        return
    days = _days(times)
    values = [[dict(curve.points).get(at, 0.0) for at in times] for curve in curves]
    colours = [colour for _, colour in zip(curves, _colours(), strict=False)]
    axes.stackplot(days, values, labels=[curve.name for curve in curves], colors=colours, alpha=0.8)


def _mark_limit(axes: Axes, defaults: Mapping[str, Any]) -> None:
    """A dashed line at the limit, where it is not far above everything shown."""
    steps = defaults.get("thresholds", {}).get("steps", [])
    if steps and steps[-1]["value"] <= 2 * axes.get_ylim()[1]:
        axes.axhline(steps[-1]["value"], color=STATE["red"], linewidth=0.8, linestyle="--")


def _draw_table(figure: Figure, box: Box, panel: Mapping[str, Any], ask: Ask) -> None:
    axes = _axes(figure, box, panel, (0.004, 0.006))
    axes.axis("off")
    curves = [curve for curve in curves_of(panel, ask) if curve.name]
    lines = [curve.name for curve in curves[:4]] or ["none"]
    axes.text(0.01, 0.95, "\n".join(lines), va="top", size=8, transform=axes.transAxes)


def _axes(figure: Figure, box: Box, panel: Mapping[str, Any], margins: tuple[float, float]) -> Axes:
    """Axes inside a panel's box, under its title; margins are left and below."""
    left, bottom, width, height = box
    pages = figure.get_figheight()
    title = 0.22 / pages
    left_margin, low_margin = margins[0], margins[1] * 9 / pages
    figure.text(
        left + 0.004, bottom + height - title * 0.75, panel["title"], size=7.5, weight="bold"
    )
    axes: Axes = figure.add_axes(
        (
            left + left_margin,
            bottom + low_margin,
            width - left_margin - 0.006,
            height - low_margin - title * 1.25,
        )
    )
    return axes


def _days(times: Iterable[float]) -> Any:
    """Times as matplotlib counts them."""
    return date2num([datetime.fromtimestamp(at, UTC) for at in times])  # type: ignore[no-untyped-call]


def _colours() -> Sequence[str]:
    return COLOURS * 4


_DRAW = {
    "row": _draw_row,
    "stat": _draw_number,
    "timeseries": _draw_graph,
    "table": _draw_table,
}
