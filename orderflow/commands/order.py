"""`orderflow order`: one order, its parcels, their scans, and why they stand as they do."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from unicodedata import normalize

import asyncpg
import typer
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from orderflow.console.campaign_lines import campaign_lines
from orderflow.console.candidates import candidate_line, candidates_on
from orderflow.console.environment import load_settings
from orderflow.console.explain_fold import fold_line
from orderflow.console.explain_meaning import why_lines
from orderflow.console.explain_order import Explained, explain
from orderflow.console.find_order import Hit, find, kept_scans
from orderflow.console.instants import minute
from orderflow.console.order_json import order_as_json
from orderflow.console.order_svg import svg_of
from orderflow.console.said import said_line
from orderflow.console.set_by import notified_line, set_by_lines
from orderflow.console.terminal import CommandError, Json, WrongArgument, out, print_json, run
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.voided import VoidedNumber
from services.orders.domain.model.warnings import KeptWarning
from services.orders.domain.tracking.explanation import Verdict
from services.orders.domain.tracking.scan import Scan, day_of
from services.orders.domain.tracking.state import Rule
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import connect
from services.runtime.postgres.migrate import check


def order(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="SHOP/NUMBER, or an order number, external id, order name, order id or tracking "
            "number of any shop.",
        ),
    ],
    shop: Annotated[str | None, typer.Option(help="Look only in this shop.")] = None,
    json: Json = False,
    svg: Annotated[
        Path | None,
        typer.Option(help="Write the timeline as an SVG picture to this file; - for stdout."),
    ] = None,
    with_words: Annotated[
        bool,
        typer.Option(
            "--with-words",
            help="Show texts of carriers too: they may hold names of persons. The SVG also has "
            "places then.",
        ),
    ] = False,
) -> None:
    """Show one order: state, shipments, scans, what each scan did, and what set the state.

    The order is found by any of its references, or by a tracking number in any spelling. Where
    several orders match, such as those that share a name, they are listed and none is shown: write
    SHOP/NUMBER then.

    Reads the orders service's own tables, under its role; nothing is locked or changed. Status 1
    when no order matches, or several do (what waits for an order is shown all the same).

    Example: `orderflow order demo-shop/1001`
    """
    if json and svg is not None:
        raise WrongArgument("--json and --svg are two answers: leave one out")
    text = normalize("NFC", reference).strip()
    if not text or shop == "":
        raise WrongArgument(
            "an empty text names no order: write SHOP/NUMBER, as in demo-shop/1001, or a reference"
        )
    found = run(_read(load_settings(), text, shop))
    if isinstance(found, NotOne):
        if json:
            print_json(found.as_json())
        else:
            _list(found)
        raise typer.Exit(1)
    name = f"{found.order.shop}/{found.order.placement.order_number}" if found.order else text
    if svg is not None:
        _save(svg, svg_of(found, name, with_words=with_words))
    elif json:
        print_json(order_as_json(found, with_words=with_words))
    else:
        _show(found, name, with_words)
    if found.order is None:
        raise typer.Exit(1)


def _save(path: Path, picture: str) -> None:
    if str(path) == "-":
        typer.echo(picture, nl=False)
        return
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; name a file that can be written") from None
    out.print(f"{path}: written, {len(picture.encode())} bytes", markup=False)


@dataclass(frozen=True, slots=True)
class NotOne:
    """No order, or several, that a text names. `scans` are kept of it as a tracking number."""

    text: str
    shop: str | None
    hits: list[Hit]
    scans: int

    def as_json(self) -> dict[str, Any]:
        """The whole answer for scripts."""
        return {
            "reference": self.text,
            "shop": self.shop,
            "found": bool(self.hits),
            "orders": [asdict(hit) for hit in self.hits],
            "scans": self.scans,
        }


async def _read(settings: Settings, text: str, shop: str | None) -> Explained | NotOne:
    connection = await connect(settings, "orders", "cli")
    try:
        await check(connection, "orders")
        return await _find(connection, text, shop, clock_of(settings).now())
    finally:
        await connection.close()


async def _find(
    connection: asyncpg.Connection, text: str, shop: str | None, now: datetime
) -> Explained | NotOne:
    """The one order that `text` names; `shop/rest` names an order of that shop first."""
    first, slash, rest = text.partition("/")
    has_shop = bool(shop is None and first and slash and rest)
    hits = await find(connection, rest, first) if has_shop else []
    by_number = [hit for hit in hits if hit.order_number == rest]
    hits = by_number or hits or await find(connection, text, shop)
    if len(hits) == 1:
        return await explain(connection, hits[0].shop, hits[0].order_number, now)
    if not hits and (has_shop or shop):
        missing = await explain(connection, shop or first, text if shop else rest, now)
        if missing.waiting:
            return missing
    return NotOne(text, shop, hits, 0 if hits else await kept_scans(connection, text))


def _list(found: NotOne) -> None:
    where = f"in shop {found.shop}" if found.shop else "in any shop"
    if not found.hits:
        out.print(
            f"{found.text}: no such order: no order has it as number, external id, name, id or "
            f"tracking number {where}",
            markup=False,
        )
        if found.scans:
            kept = "scans of this tracking number that are kept until an order names it"
            out.print(f"{kept}: {found.scans}")
        return
    out.print(f"{found.text} names {len(found.hits)} orders; show one by its number:", markup=False)
    for hit in found.hits:
        by = ", ".join(hit.matched_by)
        out.print(f"  orderflow order {hit.shop}/{hit.order_number}  ({by})", markup=False)


def _show(found: Explained, name: str, with_words: bool) -> None:
    if found.order is None:
        out.print(f"{name}: no such order (its id would be {found.order_id})", markup=False)
    else:
        out.print(_tree(found.order, found, name, with_words), soft_wrap=False)
    for row in found.waiting:
        out.print(
            f"waiting: {row['topic']}/{row['partition']}/{row['offset']}#{row['index']} "
            f"for {row['waits_for']} until {row['expires_at']:%Y-%m-%d %H:%M:%SZ}",
            markup=False,
        )
    if found.unpublished:
        out.print(f"{found.unpublished} rows of the outbox hold events not published yet")


def _tree(order: Order, found: Explained, name: str, with_words: bool) -> Tree:
    """What shops and carriers wrote is escaped: `[/]` in it is no markup of ours."""
    parcels = (
        f"{len(order.fulfilled)} of {order.expected_number_of_shipments} parcels have a number"
    )
    state = f"[cyan]{order.status}[/] v{order.version}, {parcels}, {order.delivery_state}"
    tree = Tree(f"[bold]{escape(name)}[/] {state}")
    tree.add(f"id {order.order_id}, placed {minute(order.placed_at)}")
    if order.cancelled_at:
        reason = f": {escape(order.cancel_reason)}" if order.cancel_reason else ""
        tree.add(f"cancelled {minute(order.cancelled_at)}{reason}")
    for line in campaign_lines(order):
        tree.add(escape(line))
    for shipment in order.shipments:
        _add_shipment(tree, shipment, found, with_words)
    for claim in order.claims:
        tree.add(escape(f"claim {claim.claim_id} {claim.status} {claim.reason or ''}"))
    for each in order.voided:
        tree.add(_voided_line(order, each))
    for kept in order.warnings:
        tree.add(escape(_warning_line(kept)))
    return tree


def _add_shipment(tree: Tree, shipment: Shipment, found: Explained, with_words: bool) -> None:
    branch = tree.add(_headline(shipment))
    scans = found.scans.get(shipment.shipment_id, ())
    fold = found.folds.get(shipment.shipment_id)
    window = found.windows.get(shipment.shipment_id)
    for candidate in candidates_on(shipment, found.order):
        branch.add(escape(candidate_line(candidate)))
    for line in window.lines() if window else ():
        branch.add(escape(line))
    if fold is not None:
        branch.add(fold_line(fold))
    if scans:
        branch.add(_table(scans, found, with_words))
        for line in set_by_lines(shipment, found):
            branch.add(escape(line))
    if (no_scans := found.no_scans_line(shipment)) is not None:
        branch.add(no_scans)


def _voided_line(order: Order, voided: VoidedNumber) -> str:
    is_back = any(each.number == voided.number for each in order.shipments)
    now = "attached again since" if is_back else "its scans are not the order's"
    return f"number {voided.number} taken off {minute(voided.voided_at)}: {now}"


def _warning_line(kept: KeptWarning) -> str:
    warning = kept.warning
    where = f"{warning.code} {warning.pointer or '/'} in {kept.causation_id}"
    return f"warning {minute(kept.at)} {where}: {warning.detail}"


def _headline(shipment: Shipment) -> str:
    tracking = shipment.tracking
    draft = "archived draft" if shipment.archived else "draft"
    what = escape(shipment.tracking_number or draft)
    carrier = f" {escape(shipment.carrier)}" if shipment.carrier else ""
    flag = "" if tracking.flag == "normal" else f" [red]{tracking.flag}[/]"
    meaning = "".join(f", {escape(line)}" for line in why_lines(tracking.why))
    finer = f" {shipment.sub_status}" if shipment.sub_status else ""
    state = f"[cyan]{tracking.phase}[/]{finer}{flag}{meaning}"
    return f"{shipment.ordinal}. [bold]{what}[/]{carrier} {state}"


def _table(verdicts: tuple[Verdict, ...], found: Explained, with_words: bool) -> Table:
    table = Table(box=None)
    for heading in ("#", "occurred (UTC)", "scan", "place", "decides"):
        table.add_column(heading, no_wrap=True)
    for heading in ("named by", "rule", "why", "notified"):
        table.add_column(heading)
    for at, verdict in enumerate(verdicts, start=1):
        style = "" if verdict.effects else "dim"
        when = _when(verdict.scan)
        decides = ", ".join(verdict.decides) or "-"
        by = found.named(verdict.scan)
        said = (
            verdict.scan.event_name,
            _place(verdict.scan),
            decides,
            said_line(verdict.scan, by, with_words=with_words),
            "" if verdict.rule is Rule.MOVED else verdict.rule,
            verdict.sentence,
            notified_line(verdict),
        )
        table.add_row(str(at), when, *map(escape, said), style=style)
    return table


def _when(scan: Scan) -> str:
    """The instant, with a question mark where no zone is known; or the day, as it was written."""
    if (day := day_of(scan)) is not None:
        return f"{day}"
    return f"{scan.occurred_at:%Y-%m-%d %H:%M}{'' if scan.tz_known else ' ?'}"


def _place(scan: Scan) -> str:
    where = scan.location
    parts = (where.city, where.country_code) if where else ()
    return ", ".join(part for part in parts if part)
