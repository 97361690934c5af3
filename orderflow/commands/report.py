"""`orderflow report`: what the analytics service knows of deliveries, in figures."""

import asyncio
import io
import sys
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.measure import Measurement

from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, Json, PlainConsole, WrongArgument, err, run
from orderflow.reporting.files import to_csv, to_json_lines, write_parquet
from orderflow.reporting.table import to_tables
from services.analytics.operations.report import Dimension, Report, ReportQuery, read_report
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import connect
from services.runtime.postgres.migrate import check

WIDTH_MAX = 1000


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


_BY_ENDING = {
    "": Format.TABLE,
    ".txt": Format.TABLE,
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".parquet": Format.PARQUET,
}


def report(
    *,
    by: Annotated[Dimension, typer.Option(help="One row for each of these.")] = Dimension.TOTAL,
    shop: Annotated[str | None, typer.Option(help="Only this shop.")] = None,
    first_day: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")
    ] = None,
    last_day: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Otherwise the ending of --out, else a table."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="Write into this file.", dir_okay=False)
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Write pictures (PNG) into this folder.", file_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Report orders, parcels, delivery times, punctuality and claims.

    Days are those of the destination's calendar: a parcel is late when it arrived on a later day
    than promised there. A thing counts on the day it happened (an order when placed, a parcel
    when handed over and when delivered, a claim when opened). Times are the median and the
    95th percentile; money is exact.

    Example: `orderflow report --by carrier --from 2026-03-01 --out march.parquet` or
    `orderflow report --by day --format csv --plots pictures`
    """
    if first_day and last_day and first_day > last_day:
        raise WrongArgument(f"--from {first_day:%Y-%m-%d} is after --to {last_day:%Y-%m-%d}")
    chosen = _format(form, file, json)
    selection = ReportQuery(by, shop, _day(first_day), _day(last_day))
    found = run(_read(load_settings(), _selections(selection, plots)))
    if shop is not None and found[0].is_empty:
        raise CommandError(
            f"nothing of the shop {shop!r} in these days: see its slug, --from and --to; "
            "`orderflow report` without --shop counts all shops"
        )
    _write(found[0], chosen, file)
    if plots:
        _draw(found[1:], plots)


def _format(form: Format | None, file: Path | None, json: bool) -> Format:
    if json and form not in (None, Format.JSON):
        raise CommandError(f"--json and --format {form} contradict each other: keep one")
    chosen = Format.JSON if json else form or _guess(file)
    if chosen is Format.PARQUET and file is None:
        raise CommandError("Parquet is no text for a terminal: name a file with --out FILE")
    return chosen


def _guess(file: Path | None) -> Format:
    ending = file.suffix.lower() if file else ""
    if ending not in _BY_ENDING:
        known = ", ".join(filter(None, _BY_ENDING))
        raise WrongArgument(f"{ending} names no format: end the file in {known}, or add --format")
    return _BY_ENDING[ending]


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def _selections(selection: ReportQuery, plots: Path | None) -> list[ReportQuery]:
    """What to read: the report itself, and what the pictures show."""
    if plots is None:
        return [selection]
    pictured = (Dimension.DAY, Dimension.CARRIER, Dimension.COUNTRY)
    rest = (selection.shop, selection.first_day, selection.last_day)
    return [selection, *(ReportQuery(dimension, *rest) for dimension in pictured)]


async def _read(settings: Settings, selections: list[ReportQuery]) -> list[Report]:
    connection = await asyncio.wait_for(
        connect(settings, "analytics", "report"), settings.database_connect_timeout_seconds
    )
    try:
        await check(connection, "analytics")
        return [await read_report(connection, selection) for selection in selections]
    finally:
        await connection.close()


def _write(found: Report, form: Format, file: Path | None) -> None:
    try:
        if form is Format.PARQUET and file:
            write_parquet(found, file)
        elif file:
            file.write_text(_text(found, form), encoding="utf-8")
        elif form is Format.TABLE:
            _print_table(found)
        else:
            sys.stdout.write(_text(found, form))
    except OSError as error:
        raise CommandError(f"cannot write {file or 'the report'}: {error.strerror}") from None
    if file:
        err.print(f"report: rows={len(found.rows)} file={file}", markup=False)


def _text(found: Report, form: Format) -> str:
    if form is Format.CSV:
        return to_csv(found)
    if form is Format.JSON:
        return to_json_lines(found)
    text = io.StringIO()
    _print_table(found, text)
    return text.getvalue()


def _print_table(found: Report, file: TextIO | None = None) -> None:
    """Never cropped: a figure cut in half reads like another one."""
    console = PlainConsole(file=file, highlight=False)
    tables = to_tables(found)
    unbounded = console.options.update(width=WIDTH_MAX)
    widths = (Measurement.get(console, unbounded, table).maximum for table in tables)
    console.width = max(console.width, *widths)
    for table in tables:
        console.print(table)


def _draw(found: list[Report], folder: Path) -> None:
    """Drawing is imported late: it takes longer to load than all the rest."""
    from orderflow.reporting.plots import draw

    try:
        for path in draw(*found, folder=folder):
            err.print(f"picture: {path}", markup=False)
    except OSError as error:
        raise CommandError(f"cannot write pictures into {folder}: {error.strerror}") from None
