"""`orderflow demo`: orders and tracking played through the whole system, shown live."""

import importlib
from pathlib import Path
from typing import Annotated

import typer


def demo(
    data: Annotated[
        str | None, typer.Option(help="Folder of CSV files to play instead of a made-up shop.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made-up shop.")] = 7,
    svg: Annotated[
        Path | None, typer.Option(help="Save the last screen as an SVG picture.")
    ] = None,
) -> None:
    """Start everything, play a shop through Kafka, show it live, count from outside, stop.

    Example: `orderflow demo`
    """
    main = importlib.import_module("demo.main")
    raise typer.Exit(main.run(data=data, seed=seed, svg=svg))
