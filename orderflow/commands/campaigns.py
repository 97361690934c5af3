"""`orderflow campaigns`: campaigns, discounts and tests of a shop, and what was said of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.instants import second
from orderflow.console.terminal import CommandError, Commands, Json, out, print_json, run
from services.orders.campaign_books import read_entries
from services.orders.domain.campaigns.book import (
    CampaignState,
    Held,
    as_of,
    next_change_at,
    state_of,
    steps,
)
from services.orders.domain.model.campaigns import (
    AbTestContent,
    CampaignContent,
    Content,
    DiscountContent,
    Entry,
    EntryName,
    Version,
)
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings

app = typer.Typer(
    cls=Commands,
    help="Campaigns, discounts and tests of a shop, as the orders service has them.",
    no_args_is_help=True,
)

Shop = Annotated[str, typer.Argument(help="The shop.")]


@app.command("list")
def list_(shop: Shop, json: Json = False) -> None:
    """List what a shop has: kind, id, state now, segment or code, and when it changes by time.

    Example: `orderflow campaigns list demo-shop`
    """
    settings = load_settings()
    now = clock_of(settings).now()
    entries = run(_read_all(settings, shop))
    for each in entries if json else ():
        print_json(_summary(each, now))
    if json:
        return
    if entries:
        out.print(_table([_summary(each, now) for each in entries]))
    out.print(f"campaigns: shop={shop} shown={len(entries)}", markup=False)


@app.command()
def show(
    shop: Shop,
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="The shop's own id of it.")],
    json: Json = False,
) -> None:
    """Show a campaign, a discount or a test of this id: what was said of it, and since when.

    What was said holds since its time, in whatever order it came.

    Example: `orderflow campaigns show demo-shop spring`
    """
    settings = load_settings()
    now = clock_of(settings).now()
    found = [each for each in run(_read_all(settings, shop)) if each.entry_id == entry_id]
    if not found:
        raise CommandError(
            f"shop {shop} has no campaign, discount or test {entry_id!r}: "
            f"`orderflow campaigns list {shop}` lists what it has"
        )
    for entry in found:
        if json:
            print_json({**_summary(entry, now), "versions": msgspec.to_builtins(entry.versions)})
        else:
            _show(entry, now)


async def _read_all(settings: Settings, shop: str) -> list[Entry]:
    found: list[Entry] = []
    after: EntryName | None = None
    async with opened(settings, "orders") as connection:
        while page := await read_entries(connection, shop, after):
            found += page
            after = page[-1].name
    return found


def _summary(entry: Entry, now: datetime) -> dict[str, Any]:
    held = as_of(entry, now) or as_of(entry, None)
    content = held.content if held is not None else None
    if isinstance(content, DiscountContent):
        unit = "%" if content.value_type == "percentage" else content.currency or ""
        selects, name = content.code, f"{content.value:f} {unit}".rstrip()
    elif content is not None:
        selects, name = content.segment or "(default)", content.name
    else:
        selects, name = "", ""
    return {
        "kind": entry.kind.value,
        "id": entry.entry_id,
        "state": _state(entry, content, now).value,
        "name": name,
        "segment_or_code": selects,
        "priority": content.priority if isinstance(content, CampaignContent) else None,
        "versions_held": len(entry.versions),
        "next_change_at": next_change_at(entry, now),
    }


def _state(entry: Entry, content: Content | None, now: datetime) -> CampaignState:
    """The state now. Tests and discounts have no events of it, and are never paused or removed."""
    if content is None or isinstance(content, CampaignContent):
        return state_of(entry, now)
    end = content.end_date if isinstance(content, AbTestContent) else content.ends_at
    if not content.enabled or (end is not None and end <= now):
        return CampaignState.INACTIVE
    held = as_of(entry, now)
    is_later = held is None or held.start > now
    return CampaignState.SCHEDULED if is_later else CampaignState.ACTIVE


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    titles = ("kind", "id", "state", "segment or code", "name", "priority", "versions", "changes")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        *cells, changes = row.values()
        kind, id_, state, name, selects, priority, versions = cells
        at = f"{changes:%Y-%m-%d %H:%M}" if changes else ""
        shown = (kind, id_, state or "", selects, name, priority, versions, at)
        table.add_row(*("" if each is None else escape(str(each)) for each in shown))
    return table


def _show(entry: Entry, now: datetime) -> None:
    state = _summary(entry, now)["state"]
    out.print(f"{entry.kind.value} {entry.entry_id} of {entry.shop}, {state}", markup=False)
    for version, held in steps(entry):
        out.print(f"  {_version_line(version, held, now)}", markup=False)


def _version_line(version: Version, held: Held | None, now: datetime) -> str:
    """What was said, an upsert with the start that it has by what was said before."""
    since = "from" if version.effective_at > now else "since"
    number = "" if version.source_version is None else f" (source_version {version.source_version})"
    line = f"{since} {second(version.effective_at)} {version.act.value}{number}"
    if version.content is None or held is None:
        return line
    members = msgspec.structs.asdict(held.content).items()
    said = [_member(name, value) for name, value in members if value is not None and value != ()]
    return f"{line}: {', '.join(said)}"


def _member(name: str, value: Any) -> str:
    if name == "variants":
        return "campaigns " + " and ".join(f"{of.campaign_id} {of.allocation} %" for of in value)
    if isinstance(value, bool):
        return f"{name} {'yes' if value else 'no'}"
    if isinstance(value, datetime):
        return f"{name} {second(value)}"
    if isinstance(value, tuple):
        return f"{name} {' and '.join(map(str, value))}"
    return f"{name} {value:f}" if isinstance(value, Decimal) else f"{name} {value}"
