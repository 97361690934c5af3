"""`orderflow report`: what the analytics service knows of deliveries, in figures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow.commands.report_campaigns import ab_tests, campaigns
from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, Commands, Json, WrongArgument, err, run
from orderflow.reporting.columns import sheet_of
from orderflow.reporting.options import FirstDay, FormatName, LastDay, OutFile, ShopName, days_of
from orderflow.reporting.output import format_of, write
from orderflow.reporting.reading import read
from orderflow.reporting.table import to_tables
from services.analytics.operations.report import Dimension, Report, ReportQuery, read_report
from services.runtime.postgres.connections import Connection

app = typer.Typer(cls=Commands)
app.command("campaigns")(campaigns)
app.command("tests")(ab_tests)


@app.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    *,
    by: Annotated[Dimension, typer.Option(help="One row for each of these.")] = Dimension.TOTAL,
    shop: ShopName = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    form: FormatName = None,
    file: OutFile = None,
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
    if context.invoked_subcommand:
        _refuse_options(context)
        return
    chosen = format_of(form, file, json=json)
    selection = ReportQuery(by, shop, *days_of(first_day, last_day))
    found = run(_read(_selections(selection, plots)))
    if shop is not None and found[0].is_empty:
        raise CommandError(
            f"nothing of the shop {shop!r} in these days: see its slug, --from and --to; "
            "`orderflow report` without --shop counts all shops"
        )
    write(sheet_of(found[0]), to_tables(found[0]), chosen, file)
    if plots:
        _draw(found[1:], plots)


def _refuse_options(context: typer.Context) -> None:
    """Options of the delivery report before the name of another one would have no effect."""
    defaults: dict[str, Any] = {each.name or "": each.default for each in context.command.params}
    given = [name for name, value in context.params.items() if value != defaults.get(name)]
    if given:
        raise WrongArgument(f"write options after `{context.invoked_subcommand}`, not before it")


def _selections(selection: ReportQuery, plots: Path | None) -> list[ReportQuery]:
    """What to read: the report itself, and what the pictures show."""
    if plots is None:
        return [selection]
    pictured = (Dimension.DAY, Dimension.CARRIER, Dimension.COUNTRY)
    rest = (selection.shop, selection.first_day, selection.last_day)
    return [selection, *(ReportQuery(dimension, *rest) for dimension in pictured)]


async def _read(selections: list[ReportQuery]) -> list[Report]:
    async def reading(connection: Connection) -> list[Report]:
        return [await read_report(connection, selection) for selection in selections]

    return await read(load_settings(), reading)


def _draw(found: list[Report], folder: Path) -> None:
    """Drawing is imported late: it takes longer to load than all the rest."""
    from orderflow.reporting.plots import draw

    try:
        for path in draw(*found, folder=folder):
            err.print(f"picture: {path}", markup=False)
    except OSError as error:
        raise CommandError(f"cannot write pictures into {folder}: {error.strerror}") from None
