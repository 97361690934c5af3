"""`orderflow destinations show`: one destination, with what waits, its answers and replays."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, Json, out, print_json, run
from services.deliveries.operations import show
from services.deliveries.operations.show import ShownDestination
from services.runtime.config.settings import Settings

DELIVERIES = "deliveries"

Key = tuple[str, str]
Shop = Annotated[str, typer.Argument(metavar="SHOP", help="The shop, by its slug.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name of the destination.")]


def show_one(shop: Shop, name: Name, json: Json = False) -> None:
    """Show one destination: its state and circuit, what waits, the last answers, replays.

    Example: `orderflow destinations show demo-shop erp`
    """
    found = run(_show(load_settings(), (shop, name)))
    if found is None:
        raise CommandError(f"{shop}/{name} is no destination: see `orderflow destinations list`")
    if json:
        print_json(asdict(found))
        return
    print_destination(found)


async def _show(settings: Settings, key: Key) -> ShownDestination | None:
    async with opened(settings, DELIVERIES) as connection:
        return await show.show(connection, key)


# What is shown; texts of shops and receivers are shown as they are.


def print_destination(found: ShownDestination) -> None:
    """Print a destination with what waits, its last answers and its replays."""
    for title, text in _facts(found):
        out.print(f"{title:<14} {text}", markup=False)
    for title, rows, columns in (
        ("orders that wait", found.groups, _GROUP),
        ("last attempts", found.attempts, _ATTEMPT),
        ("replays", found.replays, _REPLAY),
    ):
        if rows:
            out.print(f"\n{title}")
            out.print(table_of(rows, columns))
    out.print(
        f"destination: {found.shop}/{found.name} state={found.state} waiting={found.waiting} "
        f"held_orders={found.held_orders}",
        markup=False,
    )


def _facts(found: ShownDestination) -> list[tuple[str, str]]:
    target = {name: value for name, value in found.target.items() if value not in (None, [], False)}
    facts = [("state", found.state + (f": {found.reason}" if found.reason else ""))]
    facts += [("body" if name == "form" else name, _text(value)) for name, value in target.items()]
    facts.append(("changed", _text(found.updated_at)))
    circuit = "closed"
    if found.open_until:
        circuit = f"open; the next probe is at {_text(found.open_until)}"
    facts.append(("circuit", circuit))
    if found.failing_since:
        facts.append(
            ("failing since", f"{_text(found.failing_since)}, {found.failures} attempts in vain")
        )
    return facts


_GROUP = {
    "order": "order_id",
    "oldest event": "event_id",
    "type": "type",
    "sequence": "sequence",
    "waits since": "waits_since",
    "attempts": "attempts",
    "next try (none: held)": "due_at",
}
_ATTEMPT = {
    "at": "at",
    "order": "order_id",
    "event": "event_id",
    "attempt": "number",
    "status": "status",
    "why none": "error",
    "ms": "milliseconds",
    "verdict": "verdict",
    "replay": "replay",
}
_REPLAY = {
    "asked at": "asked_at",
    "id": "id",
    "of": "selection",
    "stage": "stage",
    "kept": "kept",
    "topics": "topics",
    "states": "states",
    "by": "asked_by",
    "why": "reason",
    "detail": "detail",
}


def table_of(rows: list[dict[str, Any]], columns: dict[str, str]) -> Table:
    """Rows as a table; `columns` are titles and names of members."""
    table = Table(box=None)
    for title in columns:
        table.add_column(title)
    for row in rows:
        table.add_row(*(escape(_text(row[name])) for name in columns.values()))
    return table


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return " ".join(f"{name}={_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)
