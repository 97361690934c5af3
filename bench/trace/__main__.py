"""The program `make trace`: sends commands to a recorded service and prints the figures."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import aiokafka
import structlog
import typer
from rich.console import Console
from rich.table import Table

from bench.contenders import OURS
from bench.race import Track
from bench.running import Ground, ready
from bench.trace.figures import (
    BUDGET,
    Paths,
    Step,
    above,
    figures,
    flat,
    lines,
    load_budget,
    lowered,
    pairs,
)
from bench.trace.recorder import FOLDER, path_file, read_paths
from bench.traffic import Letter, mix
from deploy.stack import stack_for

WARM_MESSAGES, COUNTED_MESSAGES = 30, 5
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 0.02
ENVIRONMENT = {
    # Nothing but a command ends a wait of the poll loop or of the relay.
    "ORDERFLOW_POLL_TIMEOUT_MS": "5000",
    "ORDERFLOW_RELAY_POLL_SECONDS": "60",
    "PYTHONHASHSEED": "0",  # Sets have the same order in every run.
}


class NotTraced(Exception):
    """The command was not applied, or its event was not published, within the deadline."""


async def trace(ground: Ground, letters: Sequence[Letter]) -> list[Paths]:
    """Send commands one by one, each when the one before is published; the paths of each.

    Raises:
        NotTraced: one was not applied and published within ANSWER_SECONDS.
    """
    installation = ground.installation
    folder = installation.folder
    environment = {**OURS.environment, FOLDER: str(folder), **ENVIRONMENT}
    arguments = ("bench.trace.recorder", *OURS.arguments[1:])
    producer = aiokafka.AIOKafkaProducer(acks="all", **installation.options)
    traced = replace(OURS, arguments=arguments, environment=environment)
    async with producer, ready(traced, ground) as replica:
        for number, each in enumerate(letters, 1):
            topic = installation.prefix + each.topic
            await producer.send_and_wait(topic, each.value, each.key, headers=list(each.headers))
            deadline = time.monotonic() + ANSWER_SECONDS
            while not path_file(folder, number).exists():
                if time.monotonic() > deadline:
                    raise NotTraced(f"command {number} was not published; {replica.log_end()}")
                await asyncio.sleep(LOOK_SECONDS)
    return [read_paths(path_file(folder, number)) for number, _ in enumerate(letters, 1)]


def shortest(found: Sequence[Paths]) -> Paths:
    """Of each path the one with the fewest calls."""
    return {
        name: min((paths[name] for paths in found), key=lambda steps: figures(steps).calls)
        for name in found[0]
    }


async def measure(track: Track) -> Paths:
    """The path of one `order.upsert` on the track's servers."""
    letters = mix("upserts", WARM_MESSAGES + COUNTED_MESSAGES).letters
    async with track.ground() as ground:
        return shortest((await trace(ground, letters))[WARM_MESSAGES:])


def judge(found: Mapping[str, int], budget: Mapping[str, int]) -> int:
    """Print the figures as the last line, after those above the budget; returns the exit status."""
    too_many = above(found, budget)
    for line in too_many:
        _say(f"more than accepted: {line}")
    _say("trace: " + " ".join(f"{name}={figure}" for name, figure in found.items()))
    return 1 if too_many else 0


def table(paths: Paths) -> Table:
    """The figures of each path."""
    counted = {path: asdict(figures(steps)) for path, steps in paths.items()}
    made = Table("one order.upsert", *counted)
    for name in next(iter(counted.values())):
        made.add_row(name.replace("_", " "), *(str(found[name]) for found in counted.values()))
    return made


def _say(text: str) -> None:
    typer.echo(text)


def _list_path(name: str, steps: Sequence[Step]) -> None:
    _say(f"\n{name}: the path\n")
    for line in lines(steps):
        _say(line)


def _list_pairs(name: str, steps: Sequence[Step], most: int) -> None:
    _say(f"\n{name}: the most frequent changes of file\n")
    for times, one, next_, functions in pairs(steps)[:most]:
        _say(f"{times:3} {one} -> {next_}: {'; '.join(functions)}")


def main(
    is_listed: Annotated[bool, typer.Option("--list", help="Print the path, by file.")] = False,
    pairs_shown: Annotated[int, typer.Option("--pairs", help="Print so many changes.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
    is_written: Annotated[bool, typer.Option("--write", help="Lower budget.json.")] = False,
) -> None:
    """Trace one order.upsert on real servers and print the figures; the last line is one."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="orderflow-trace-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with stack_for(folder / "stack") as stack:
            paths = asyncio.run(measure(Track(stack.start(), {}, folder, print)))
    for name, steps in paths.items():
        if is_listed:
            _list_path(name, steps)
        if pairs_shown:
            _list_pairs(name, steps, pairs_shown)
    Console(width=100).print(table(paths))
    found = flat(paths)
    if json_file:
        counted = {path: asdict(figures(steps)) for path, steps in paths.items()}
        json_file.write_text(json.dumps(counted, indent=2) + "\n", "utf-8")
    if is_written:
        budget = lowered(found, load_budget())
        BUDGET.write_text(json.dumps(budget, indent=2) + "\n", "utf-8")
    raise typer.Exit(judge(found, load_budget()))


if __name__ == "__main__":
    typer.run(main)
