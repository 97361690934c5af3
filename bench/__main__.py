"""`make bench`: ours against the ceiling, the textbook build and faststream-outbox."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import structlog
import typer
import uvloop
from rich.console import Console

from bench import guard
from bench.plots import draw
from bench.programme import FULL, QUICK, Extent, Programme
from bench.race import Track
from bench.results import HEADLINE_MIX, Results, machine
from bench.tables import (
    ceiling_line,
    counts_table,
    difference_lines,
    header,
    interpreters_line,
    latency_table,
    memory_table,
    parts_table,
    print_lap,
    race_table,
    records_table,
)
from deploy.stack import LocalStack, stack_for

COLUMNS = 160


def main(
    *,
    quick: Annotated[bool, typer.Option(help="Only the headline, in about 3 minutes.")] = False,
    seed: Annotated[int, typer.Option(help="Draws the traffic.")] = 1,
    stores: Annotated[
        list[int] | None, typer.Option(help="Stored orders to compare, instead of the usual.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for bench.json and plots.")] = Path("reports"),
) -> None:
    """Measure on real servers, print tables, write bench.json and plots; the last line is one."""
    console = Console(width=COLUMNS)
    # Clients meet topics before their leaders are elected, and log each attempt.
    logging.disable(logging.WARNING)
    # Parts are measured in this process, and a terminal is not where services log to.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    results = Results(datetime.now(UTC), quick, seed, machine(), counted=_count())
    extent = QUICK if quick else FULL
    if stores:
        extent = replace(extent, stores=tuple(stores))
    console.print(header(results.machine, extent.seconds), highlight=False)
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with stack_for(folder / "stack") as stack:
            addresses = stack.start()
            pids = {}
            if isinstance(stack, LocalStack):
                pids = {"kafka": [stack.kafka.pid or 0], "postgres": [stack.postgres.pid or 0]}
            track = Track(addresses, pids, folder, lambda lap: print_lap(console, lap))
            uvloop.run(Programme(track, extent, results).run())
    _show(console, results, extent, out)


def _count() -> dict[str, dict[str, float]]:
    """What a message costs ours in all parts together, by mix and measure, as the guard counts."""
    found: dict[str, dict[str, float]] = {}
    for parts in guard.measure().values():
        for name, counts in parts.items():
            total = found.setdefault(name, {})
            for measure, count in asdict(counts).items():
                total[measure] = total.get(measure, 0.0) + count
    return found


def _show(console: Console, results: Results, extent: Extent, out: Path) -> None:
    console.print(header(results.machine, extent.seconds), highlight=False)
    console.print(interpreters_line(results.interpreters), highlight=False)
    for race in results.races:
        console.print(race_table(race))
        if race.title == HEADLINE_MIX:
            console.print(ceiling_line(race, results.machine["cores"]), highlight=False)
    console.print(latency_table(results.latencies))
    console.print(records_table(results.records))
    for line in difference_lines(results.records):
        console.print(line, highlight=False, markup=False)
    console.print(counts_table(results.counted))
    console.print(memory_table(results.rss_mb_by_mix))
    for mix, parts in results.parts.items():
        console.print(parts_table(mix, parts))
    folder = out / f"bench-{results.at:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_bytes(orjson.dumps(results.as_json(), option=orjson.OPT_INDENT_2))
    plots = draw(results, folder)
    console.print(f"{folder / 'bench.json'} and {len(plots)} plots beside it", highlight=False)
    typer.echo(results.last_line())


if __name__ == "__main__":
    typer.run(main)
