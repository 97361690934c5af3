"""`orderflow republish`: publish the present state of orders as snapshots."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from orderflow.commands.republish_campaigns import republish_campaigns
from orderflow.console import instants
from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.instants import instant_of
from orderflow.console.terminal import CommandError, WrongArgument, err, out, run
from services.orders.domain.model.ids import order_id_of
from services.orders.operations.republish import (
    ORDERS_A_LOOK,
    OrderFilter,
    Progress,
    Republisher,
    RunPosition,
)
from services.runtime.clock import SystemClock, clock_of
from services.runtime.config.settings import Settings
from services.runtime.operations.audit import Act, Signature
from services.runtime.postgres.connections import Connection

ACT = "orders.republish"
SAYING_SECONDS = 5.0
RATE = 500.0


@dataclass(frozen=True, slots=True)
class RepublishOptions:
    """What was asked for on the command line."""

    selection: OrderFilter
    after: RunPosition
    rate: float
    state_only: bool
    signature: Signature
    is_try: bool


def republish(  # noqa: PLR0917 - the command line passes them by name
    shop: Annotated[str | None, typer.Option(help="All orders of this shop.")] = None,
    order: Annotated[
        list[str] | None, typer.Option(metavar="SHOP/NUMBER", help="This order; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help=f"Orders changed since then. {instants.HELP}")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Orders last changed before then.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every order.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Most orders a second.")] = RATE,
    after: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Go on after this place of an earlier run.")
    ] = None,
    state_only: Annotated[
        bool, typer.Option(help="Write to orders.state alone; no event is published.")
    ] = False,
    campaigns: Annotated[
        bool,
        typer.Option(
            "--campaigns", help="Campaigns, discounts and tests instead: of --shop, or --all."
        ),
    ] = False,
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """Publish an `order.snapshot` of the chosen orders: for subscribers that must be rebuilt.

    The snapshots are also written to orders.state, where it is on; --state-only fills that topic
    after it was turned on. No order changes, and a snapshot is not news. The command runs beside
    the services, in transactions of 50 orders, and waits while 200 rows of the outbox are not
    published yet. When stopped, it prints the place to go on after.

    With --campaigns it publishes `campaign.snapshot`, `discount.snapshot` and `ab_test.snapshot` on
    campaigns.events instead.

    Example: `orderflow republish --shop demo-shop --since 7d --why 'search index was lost'`
    """
    if campaigns:
        if order or since or until or after or state_only or (shop is None) is not all_:
            raise WrongArgument(
                "--campaigns goes with --shop, or with --all, and with nothing else"
            )
        run(republish_campaigns(load_settings(), shop, sign(by, why, is_try=dry_run), dry_run))
        return
    named = {_order_id(name): name for name in order or ()}
    selection = _selection(shop, tuple(named), since, until, all_=all_)
    signature = sign(by, why, is_try=dry_run)
    wanted = RepublishOptions(selection, _place(after), rate, state_only, signature, dry_run)
    settings = load_settings()
    if state_only and not settings.orders_state:
        raise CommandError(
            "orders.state is off (ORDERFLOW_ORDERS_STATE=false), so nothing was published: turn it "
            "on here and for the orders service, or leave --state-only out"
        )
    run(_republish(settings, wanted, named))


def _selection(
    shop: str | None, orders: Sequence[str], since: str | None, until: str | None, *, all_: bool
) -> OrderFilter:
    is_narrow = bool(shop or orders or since or until)
    if all_ is is_narrow:
        raise WrongArgument("say which orders: --shop, --order, --since, --until, or --all alone")
    if orders and (shop or since or until):
        raise WrongArgument("--order names orders by itself: leave --shop, --since and --until out")
    now = SystemClock().now()
    return OrderFilter(tuple(orders), shop, instant_of(since, now), instant_of(until, now))


def _order_id(name: str) -> str:
    shop, slash, number = name.partition("/")
    if not (shop and slash and number):
        raise WrongArgument(f"{name!r} names no order: write SHOP/NUMBER, as in demo-shop/1001")
    return order_id_of(shop, number)


def _place(text: str | None) -> RunPosition:
    try:
        return RunPosition.read(text) if text else RunPosition()
    except ValueError:
        raise WrongArgument(
            f"{text!r} is no place: take it from an earlier run's after=…"
        ) from None


async def _republish(
    settings: Settings, wanted: RepublishOptions, named: Mapping[str, str]
) -> None:
    """Publish; `named` are the orders that were named, by id: all must be there."""
    async with opened(settings, "orders") as connection:
        if named:
            found = await OrderFilter(tuple(named)).find(connection, RunPosition(), len(named))
            if missing := sorted(named[id_] for id_ in named.keys() - {e.order_id for e in found}):
                raise CommandError(
                    f"no such order: {', '.join(missing)}; nothing was published. "
                    "`orderflow order` finds orders by other names"
                )
        if wanted.is_try:
            count = await _count(connection, wanted)
            out.print(f"republish: orders={count} dry_run=yes", markup=False)
            return
        await _publish(settings, connection, wanted)


async def _count(connection: Connection, wanted: RepublishOptions) -> int:
    count, place = 0, wanted.after
    while found := await wanted.selection.find(connection, place, ORDERS_A_LOOK):
        count, place = count + len(found), found[-1]
    return count


async def _publish(settings: Settings, connection: Connection, wanted: RepublishOptions) -> None:
    clock = clock_of(settings)
    republisher = Republisher(
        settings, connection, rate=wanted.rate, now=clock.now, state_only=wanted.state_only
    )
    progress, started, is_complete = Progress(wanted.after), time.monotonic(), False
    said = started
    try:
        async for progress in republisher.run(wanted.selection, wanted.after, _act(wanted)):
            if time.monotonic() - said > SAYING_SECONDS:
                said = time.monotonic()
                err.print(f"{progress.orders} orders, after {progress.place}", markup=False)
        is_complete = True
    except asyncio.CancelledError:
        err.print("stopped; go on with --after and the place below", markup=False)
        raise
    finally:
        out.print(_last_line(progress, time.monotonic() - started, is_complete=is_complete))


def _act(wanted: RepublishOptions) -> Act:
    chosen = wanted.selection
    detail = {
        "orders": chosen.order_ids,
        "shop": chosen.shop,
        "since": chosen.since,
        "until": chosen.until,
        "after": str(wanted.after),
        "rate": wanted.rate,
        "state_only": wanted.state_only,
    }
    return Act(ACT, wanted.signature.actor, wanted.signature.reason, detail=detail)


def _last_line(progress: Progress, seconds: float, *, is_complete: bool) -> str:
    done = "yes" if is_complete else "no"
    return (
        f"republish: orders={progress.orders} truncated={progress.truncated} "
        f"complete={done} after={progress.place} seconds={seconds:.1f}"
    )
