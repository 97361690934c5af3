"""`make bench-deliveries`: the deliveries service beside a plain loop over httpx, on this machine.

Tables, and a last line for scripts.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench.deliveries.cases import (
    GATHER,
    HEALTHY_PORTS,
    LATENCY,
    ONE,
    OURS,
    SILENT_PORTS,
    THROUGHPUT,
    Latency,
    Throughput,
)
from bench.deliveries.laps import Delay, Speed, Track, measure_delay, measure_speed
from bench.deliveries.receivers import Receivers
from demo.installation import Installation
from deploy.stack import LocalStack


async def run(
    servers: LocalStack, folder: Path, console: Console, cases: Sequence[Throughput | Latency]
) -> tuple[list[Speed], list[Delay]]:
    """Measure the cases, one after the other."""

    def make(number: int) -> Installation:
        return Installation(
            servers.addresses, folder / str(number), f"bench_{os.getpid()}_{number}"
        )

    speeds, delays = [], []
    async with Receivers(HEALTHY_PORTS, SILENT_PORTS) as receivers:
        pids = {"kafka": servers.kafka.pid or 0, "postgres": servers.postgres.pid or 0}
        track = Track(receivers, pids, make)
        for case in cases:
            if isinstance(case, Throughput):
                speeds.append(await measure_speed(track, case))
                console.print(_line(_cells_of_speed(speeds[-1])), highlight=False)
            else:
                delays.append(await measure_delay(track, case))
                console.print(_line(_cells_of_delay(delays[-1], {})), highlight=False)
    return speeds, delays


def speed_table(speeds: Sequence[Speed]) -> Table:
    """Throughput by destinations and contender."""
    return _table(
        ("destinations", "", "deliveries/s", "CPU s", "Kafka", "Postgres", "repeated"),
        map(_cells_of_speed, speeds),
    )


def _cells_of_speed(each: Speed) -> tuple[str, ...]:
    names = ("process", "kafka", "postgres")
    return (
        f"{each.case.destinations:,}",
        each.case.contender,
        f"{each.per_second:,.0f}",
        *(f"{each.cpu[name]:.2f}" for name in names),
        f"{each.repeated:,}",
    )


def delay_table(delays: Sequence[Delay]) -> Table:
    """Latency of the healthy destinations by what is beside them."""
    p99 = {each.case.name: each.p99 for each in delays}
    return _table(
        ("case", "deliveries", "p50 ms", "p99 ms", "most ms", "p99 ratio", "CPU", "missing"),
        (_cells_of_delay(each, p99) for each in delays),
    )


def _cells_of_delay(each: Delay, p99: dict[str, float]) -> tuple[str, ...]:
    before = p99.get(each.case.baseline)
    return (
        each.case.name,
        f"{each.deliveries:,}",
        *(f"{value:.1f}" for value in (each.p50, each.p99, each.most)),
        f"{each.p99 / before:.2f}" if before else "",
        f"{each.cpu_share:.0%}",
        f"{each.missing:,}",
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None)
    for title in titles:
        table.add_column(title, justify="left" if title in {"", "case"} else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _line(cells: Sequence[str]) -> str:
    return "  ".join(filter(None, cells))


def last_line(speeds: Sequence[Speed], delays: Sequence[Delay]) -> str:
    """The figures for scripts."""
    rates = {(each.case.contender, each.case.destinations): each.per_second for each in speeds}
    p99 = {each.case.name: each.p99 for each in delays}
    found = {}
    for (contender, count), rate in rates.items():
        if contender == OURS:
            found[f"per_s_{count}"] = f"{rate:.0f}"
            for name, other in (("one", ONE), ("gather", GATHER)):
                if (other, count) in rates:
                    found[f"vs_{name}_{count}"] = f"{rate / rates[other, count]:.2f}"
    for each in delays:
        name = each.case.name.replace(",", "").replace(" ", "_")
        found[f"p99_ms_{name}"] = f"{each.p99:.0f}"
        if before := p99.get(each.case.baseline):
            found[f"p99_ratio_{name}"] = f"{each.p99 / before:.2f}"
    return "deliveries: " + " ".join(f"{name}={value}" for name, value in found.items())


def _chosen(words: Sequence[str]) -> list[Throughput | Latency]:
    """The cases whose name has one of these words; all, where there is none."""

    def name(case: Throughput | Latency) -> str:
        if isinstance(case, Throughput):
            return f"speed {case.destinations} {case.contender}"
        return f"latency {case.name}"

    cases: list[Throughput | Latency] = [*THROUGHPUT, *LATENCY]
    return [case for case in cases if not words or any(word in name(case) for word in words)]


def main(
    *,
    only: Annotated[list[str] | None, typer.Option(help="Cases with this in their names.")] = None,
) -> None:
    """Measure deliveries, print tables; the last line is for scripts."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console(width=110, highlight=False)
    with tempfile.TemporaryDirectory(prefix="orderflow-deliveries-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with LocalStack(folder / "stack") as servers:
            servers.start()
            speeds, delays = uvloop.run(run(servers, folder, console, _chosen(only or [])))
    console.print(speed_table(speeds), delay_table(delays))
    console.print(last_line(speeds, delays), soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
