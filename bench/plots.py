"""The plots of a run: rates by mix, latencies by percentile."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure as Picture

from bench.latency import Latency
from bench.results import Figure, Race, Results

COLOURS = {"ours": "#1f77b4", "ceiling": "#bbbbbb", "ceiling-strengthened": "#777777"}
OTHERS = "#d98b5f"


def draw(results: Results, folder: Path) -> list[Path]:
    """Files of the plots that the run has figures for."""
    drawn = [_draw_race(race, folder) for race in results.races]
    if results.latencies:
        drawn.append(_draw_latencies(results.latencies, folder))
    return drawn


def _draw_race(race: Race, folder: Path) -> Path:
    """Bars with the least and most of the laps, on a linear axis from zero."""
    figures = race.figures
    fig, axis = plt.subplots(figsize=(8, 0.6 + 0.45 * len(figures)), layout="constrained")
    places = np.arange(len(figures))
    rates = [figure.items_per_s for figure in figures]
    spread = [
        [figure.items_per_s - figure.least for figure in figures],
        [figure.most - figure.items_per_s for figure in figures],
    ]
    colours = [COLOURS.get(figure.contender, OTHERS) for figure in figures]
    axis.barh(places, rates, xerr=spread, color=colours, error_kw={"capsize": 3, "lw": 1})
    axis.set_yticks(places, [_name(figure) for figure in figures])
    axis.invert_yaxis()
    axis.set_xlabel("items per second: median, with the least and most of the laps")
    axis.set_title(race.title, loc="left")
    return _save(fig, folder / f"{race.title.replace(' ', '-')}.svg")


def _name(figure: Figure) -> str:
    stored = f", {figure.stored:,} stored" if figure.stored else ""
    replicas = f" × {figure.replicas}" if figure.replicas > 1 else ""
    return f"{figure.contender}, {figure.mix}{stored}{replicas}"


def _draw_latencies(latencies: list[tuple[float | None, Latency]], folder: Path) -> Path:
    fig, axis = plt.subplots(figsize=(8, 4), layout="constrained")
    for share, latency in latencies:
        names = list(latency.ms)
        label = f"{latency.per_s:,.0f}/s" + (f" ({share:.0%} of full speed)" if share else "")
        axis.plot(names, [latency.ms[name] for name in names], marker="o", label=label)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_ylabel("ms from due to read")
    axis.grid(axis="y", alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))  # Beside the lines, not over them.
    axis.set_title("latency, open loop", loc="left")
    return _save(fig, folder / "latency.svg")


def _save(fig: Picture, path: Path) -> Path:
    fig.savefig(path)
    plt.close(fig)
    return path
