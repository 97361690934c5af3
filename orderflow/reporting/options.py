"""The options that all reports share."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from orderflow.console.terminal import WrongArgument
from orderflow.reporting.output import Format, Picture

ShopName = Annotated[str | None, typer.Option("--shop", help="Only this shop.")]
FirstDay = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")
]
LastDay = Annotated[
    datetime | None, typer.Option("--to", "--until", formats=["%Y-%m-%d"], help="Last day.")
]
FormatName = Annotated[
    Format | None,
    typer.Option("--format", help="Otherwise the ending of --out, else a table."),
]
OutFile = Annotated[
    Path | None, typer.Option("--out", help="Write into this file.", dir_okay=False)
]

PictureFile = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw into this file: .png or .svg.", dir_okay=False),
]


def picture_of(path: Path | None) -> Path | None:
    """The file to draw into, if one is named.

    Raises:
        WrongArgument: its ending is neither .png nor .svg.
    """
    if path and path.suffix.lower() not in set(Picture):
        raise WrongArgument(f"--plot {path}: end the file in {' or '.join(Picture)}")
    return path


def days_of(first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    """The first and the last day to report on; None: no limit.

    Raises:
        WrongArgument: the first is after the last.
    """
    if first and last and first > last:
        raise WrongArgument(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    return (first.date() if first else None), (last.date() if last else None)
