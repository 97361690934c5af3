"""`orderflow carriers`: what carriers say, what is made of it, and whose a number may be."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from msgspec import structs
from rich.markup import escape
from rich.table import Table

from orderflow.console import instants
from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.candidates import candidate_line
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.instants import instant_of
from orderflow.console.numbers import LIMIT_MAX
from orderflow.console.terminal import Commands, Json, WrongArgument, err, out, print_json, run
from orderflow.console.unlogged import unlogged
from services import registry
from services.orders import unmapped
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.messages.detection.detect import findings_of
from services.orders.operations.remap import Remapper, RemapProgress
from services.orders.operations.reread import STANDARD, Rereader, RereadFilter, RereadProgress
from services.orders.unmapped import UnmappedCode
from services.runtime.clock import SystemClock, clock_of
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.operations.audit import Act

REMAP, REREAD = "carriers.remap", "carriers.reread"
RATE = 200.0

app = typer.Typer(
    cls=Commands,
    help="Carriers: codes that are not known, reading again, whose a number may be.",
    no_args_is_help=True,
)

Rate = Annotated[float, typer.Option(min=0.1, help="Most tracking numbers a second.")]


@app.command("unmapped")
def unmapped_(
    carrier: Annotated[
        str | None, typer.Option(help="Codes of this carrier's key, or of this dialect.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """List the codes that no code map has, those with most scans first.

    Each with its first and last sight and one sample. `known` are those that the maps of this
    version have: `orderflow carriers remap` names their scans.

    Example: `orderflow carriers unmapped --carrier dhl`
    """
    found = run(_find_unmapped(load_settings(), carrier and carrier.casefold(), limit + 1))
    for each in found[:limit] if json else ():
        print_json(_as_json(each))
    if json:
        return
    if found:
        out.print(_table(found[:limit]))
    more = " (there are more: --limit)" if len(found) > limit else ""
    out.print(f"unmapped: shown={min(len(found), limit)}{more}", markup=False)


async def _find_unmapped(
    settings: Settings, code_set: str | None, limit: int
) -> list[UnmappedCode]:
    async with opened(settings, "orders") as connection:
        return list(await unmapped.find(connection, code_set, limit))


def _is_known(code: UnmappedCode) -> bool:
    return CODE_MAPS.find(code.code_set, code.name or None, code.code or None) is not None


def _as_json(code: UnmappedCode) -> dict[str, object]:
    return {
        "carrier": code.code_set,
        "name": code.name or None,
        "code": code.code or None,
        "scans": code.scans,
        "first_seen": code.first_seen,
        "last_seen": code.last_seen,
        "sample_number": code.sample_number,
        "sample_text": code.sample_text,
        "known": _is_known(code),
    }


def _table(codes: list[UnmappedCode]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("carrier", "code", "scans", "first seen", "last seen", "sample", "known"):
        table.add_column(title, justify="right" if title == "scans" else "left")
    for each in codes:
        said = " · ".join(filter(None, (each.name, each.code)))
        seen = (f"{at:%Y-%m-%d %H:%M}" for at in (each.first_seen, each.last_seen))
        sample = f"{each.sample_number} {each.sample_text or ''}".strip()
        known = "yes" if _is_known(each) else ""
        cells = (each.code_set, said, f"{each.scans:,}", *seen, sample[:60], known)
        table.add_row(*map(escape, cells))
    return table


@app.command()
def remap(
    rate: Rate = RATE,
    after: Annotated[
        str, typer.Option(metavar="NUMBER", help="Go on after this number of an earlier run.")
    ] = "",
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """Compute the parcels again whose scans the code maps of this version name otherwise.

    For each shipment whose state changes, `shipment.updated` is published; customers are not
    notified of old scans. Runs beside the services, in transactions of 50 numbers. All replicas
    must run this version: others name scans by their own maps. A second run changes nothing.

    Example: `orderflow carriers remap --why 'codes of a new service of dhl'`
    """
    signature = sign(by, why, is_try=dry_run)
    act = Act(REMAP, signature.actor, signature.reason, detail={"maps": CODE_MAPS.checksum})
    run(_remap(load_settings(), None if dry_run else act, rate, after))


async def _remap(settings: Settings, act: Act | None, rate: float, after: str) -> None:
    async with opened(settings, "orders") as connection:
        now = clock_of(settings).now
        remapper = Remapper(settings, connection, rate=rate, now=now, maps=CODE_MAPS)
        if act is None:
            _say_remapped(await remapper.count(after), "dry_run=yes", has_events=False)
            return
        progress, ended = RemapProgress(number=after), "complete=no"
        try:
            with unlogged():
                async for each in remapper.run(act, after):
                    progress = each
            forgotten = await unmapped.forget_known(connection, CODE_MAPS)
            ended = f"complete=yes codes_known={forgotten}"
        except asyncio.CancelledError:
            err.print("stopped; go on with --after and the number below", markup=False)
            raise
        finally:
            _say_remapped(progress, ended)


def _say_remapped(progress: RemapProgress, ended: str, *, has_events: bool = True) -> None:
    events = f"events={progress.events} " if has_events else ""
    out.print(
        f"remap: numbers={progress.looked} changed={progress.changed} {events}"
        f"after={progress.number} {ended}",
        markup=False,
    )


@app.command()
def reread(  # noqa: PLR0917 - the command line passes them by name
    since: Annotated[str, typer.Option(help=f"Records from then on. {instants.HELP}")],
    until: Annotated[str | None, typer.Option(help="Records before then.")] = None,
    dialect: Annotated[
        str | None, typer.Option(help="Records of this dialect only; `standard` is our own form.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Most records a second.")] = RATE,
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """Read `carrier.tracking` again by the parsers of this version, after one was mended.

    What was read well changes nothing, since scans are a set; what is read otherwise is added, and
    its events are published. Customers are not notified of old scans. A scan that was misread stays
    beside the right one. Runs beside the services.

    Example: `orderflow carriers reread --since 3d --dialect gls --why 'times had no zone'`
    """
    if dialect is not None and dialect not in {*DIALECTS, STANDARD}:
        raise WrongArgument(f"no dialect {dialect!r}; there are {', '.join([*DIALECTS, STANDARD])}")
    signature, now = sign(by, why, is_try=dry_run), SystemClock().now()
    begin = instant_of(since, now) or instants.EARLIEST
    end = instant_of(until, now)
    if end is not None and end <= begin:
        raise WrongArgument(f"nothing is from {begin} until before {end}: name a later --until")
    chosen = RereadFilter(begin, end, dialect)
    detail = {"since": chosen.since, "until": chosen.until, "dialect": dialect}
    act = Act(REREAD, signature.actor, signature.reason, detail=detail)
    run(_reread(load_settings(), chosen, None if dry_run else act, rate))


async def _reread(settings: Settings, chosen: RereadFilter, act: Act | None, rate: float) -> None:
    apply = registry.load(registry.entry_of("orders").handler or "")(settings, Metrics()).apply
    progress, ended = RereadProgress(), "complete=no"
    async with opened(settings, "orders") as connection:
        rereader = Rereader(settings, connection, apply, rate=rate, now=clock_of(settings).now)
        try:
            with unlogged():
                async for each in rereader.run(chosen, act):
                    progress = each
            ended = "complete=yes" if act is not None else "dry_run=yes"
        finally:
            out.print(
                f"reread: records={progress.looked} read={progress.read} {ended}", markup=False
            )


@app.command()
def detect(
    number: Annotated[str, typer.Argument(help="A tracking number, in any spelling.")],
    country: Annotated[
        str | None, typer.Option(help="Country of the destination, by its code of two letters.")
    ] = None,
    json: Json = False,
) -> None:
    """Find the carriers that a tracking number may belong to, and say why.

    The number is compared with the forms of carriers: letters, length, check digit. The country
    is evidence only. Nothing is changed: a parcel without a carrier stays without one, and its
    events have the same answer as `carrier_candidates`.

    Example: `orderflow carriers detect '0034 0434 1610 9401 5902' --country DE`
    """
    normalised = normalise_number(number)
    if not normalised:
        raise WrongArgument("the number has no letter and no digit: write one, as it is printed")
    if country is not None and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise WrongArgument(f"{country!r} is no country: write a code of ISO 3166-1, like DE")
    findings = findings_of(number, country)
    if json:
        for each in findings:
            print_json({**structs.asdict(each.candidate), "source": each.source})
        return
    for each in findings:
        out.print(candidate_line(each.candidate), markup=False)
        out.print(f"  source: {each.source}", markup=False)
    if not findings:
        out.print("no form of a carrier fits, or the number is a placeholder", markup=False)
    out.print(f"detect: number={normalised} candidates={len(findings)}", markup=False)
