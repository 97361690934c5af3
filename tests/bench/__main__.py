"""`make bench`: ours against the ceiling, the textbook build and faststream-outbox."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from deploy.stack import LocalStack, stack_for
from tests.bench.plots import draw
from tests.bench.programme import FULL, QUICK, Programme
from tests.bench.race import Track
from tests.bench.results import Results, machine
from tests.bench.tables import latency_table, race_table, tell_lap

COLUMNS = 150


def main(
    *,
    quick: Annotated[bool, typer.Option(help="Only the headline, in under 3 minutes.")] = False,
    seed: Annotated[int, typer.Option(help="Draws the traffic.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for bench.json and plots.")] = Path("reports"),
) -> None:
    """Measure on real servers, print tables, write bench.json and plots; the last line is one."""
    console = Console(width=COLUMNS)
    results = Results(datetime.now(UTC), quick, seed, machine())
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with stack_for(folder / "stack") as stack:
            addresses = stack.start()
            pids = {}
            if isinstance(stack, LocalStack):
                pids = {"kafka": [stack.kafka.pid or 0], "postgres": [stack.postgres.pid or 0]}
            track = Track(addresses, pids, folder, lambda lap: tell_lap(console, lap))
            asyncio.run(Programme(track, QUICK if quick else FULL, results).run())
    _show(console, results, out)


def _show(console: Console, results: Results, out: Path) -> None:
    for race in results.races:
        console.print(race_table(race))
    console.print(latency_table(results.latencies))
    folder = out / f"bench-{results.at:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_bytes(orjson.dumps(results.as_json(), option=orjson.OPT_INDENT_2))
    plots = draw(results, folder)
    console.print(f"{folder / 'bench.json'} and {len(plots)} plots beside it", highlight=False)
    typer.echo(results.last_line())


if __name__ == "__main__":
    typer.run(main)
