"""`orderflow destinations`: where events of shops are sent: list, attempts, secret, pause, feed."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from orderflow.commands import destination_acts, destination_show
from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import (
    CommandError,
    Commands,
    Json,
    WrongArgument,
    err,
    out,
    print_json,
    run,
)
from schemas.topics import feed_topic
from services.deliveries.domain.decide import Decision, Outcome
from services.deliveries.operations import destinations as operations
from services.deliveries.operations import feeds
from services.deliveries.operations.destinations import (
    ListedAttempt,
    ListedDestination,
    SecretNotShown,
)
from services.deliveries.secret_box import VARIABLE, SecretUnreadable, read_box
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import Difference
from services.runtime.operations.audit import Signature

DELIVERIES = "deliveries"
ATTEMPTS_MAX = 10_000
LISTED_MAX = 1_000

app = typer.Typer(cls=Commands, help="Webhooks and feeds of shops.", no_args_is_help=True)
for verb, command in destination_acts.COMMANDS.items():
    app.command(verb)(command)
app.command("show")(destination_show.show_one)

Shop = Annotated[str, typer.Argument(metavar="SHOP", help="The shop, by its slug.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name of the destination.")]


@app.command("list")
def list_(
    shop: Annotated[str | None, typer.Option(help="Of this shop only.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also removed ones.")] = False,
    after: Annotated[
        str, typer.Option(metavar="SHOP/NAME", help="Those after this one, by shop and name.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List destinations: their state, and what waits for them; counts end at 10,000.

    Example: `orderflow destinations list --shop demo-shop`
    """
    start = after.partition("/")[::2]
    more = run(_find(load_settings(), shop, start, limit + 1, with_removed=everything))
    found = more[:limit]
    if json:
        for each in found:
            print_json(asdict(each))
        return
    if found:
        out.print(destinations_table(found))
    rest = f" (there are more: --after {found[-1].shop}/{found[-1].name})" if more[limit:] else ""
    out.print(f"destinations: shown={len(found)}{rest}", markup=False)


@app.command("attempts")
def attempts(
    shop: Shop,
    name: Name,
    failed: Annotated[bool, typer.Option("--failed", help="Only those in vain.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=ATTEMPTS_MAX, help="How many.")] = 50,
    json: Json = False,
) -> None:
    """List attempts to deliver events to a destination, newest first, of the last week.

    Example: `orderflow destinations attempts demo-shop erp --failed`
    """
    found = run(_attempts(load_settings(), (shop, name), only_failed=failed, limit=limit))
    if json:
        for each in found:
            print_json(asdict(each))
        return
    if found:
        out.print(attempts_table(found))
    out.print(f"attempts: shown={len(found)}")


@app.command("secret")
def secret(shop: Shop, name: Name, by: By = None, why: Why = None) -> None:
    """Show the secret by which requests to a destination are signed, once, on standard output.

    Needs the key of ORDERFLOW_DELIVERIES_KEY. `destination.rotate_secret` makes a new one.

    Example: `SECRET=$(orderflow destinations secret demo-shop erp --why 'for the ERP team')`
    """
    signature = sign(by, why, is_try=False)
    try:
        found = run(_secret(load_settings(), (shop, name), signature))
    except (SecretNotShown, SecretUnreadable) as error:
        raise CommandError(str(error)) from None
    out.print(found, markup=False, highlight=False)
    err.print("This secret is not shown again.")


@app.command("pause")
def pause(shop: Shop, name: Name, by: By = None, why: Why = None) -> None:
    """Send nothing to a destination until it is resumed; its events are kept.

    Example: `orderflow destinations pause demo-shop erp --why 'they asked for it'`
    """
    _report("paused", shop, name, run(_pause(load_settings(), (shop, name), _signed(by, why))))


@app.command("resume")
def resume(shop: Shop, name: Name, by: By = None, why: Why = None) -> None:
    """Send to a destination again, what was kept first; what is held is tried at once.

    Example: `orderflow destinations resume demo-shop erp --why 'it is repaired'`
    """
    _report("resumed", shop, name, run(_resume(load_settings(), (shop, name), _signed(by, why))))


@app.command("feed")
def feed(  # noqa: PLR0917 - the command line passes them by name
    shop: Shop,
    reader: Annotated[
        list[str] | None,
        typer.Option(help="Who may read it, as the brokers know it; may be repeated."),
    ] = None,
    group_prefix: Annotated[
        str | None,
        typer.Option(help="How the names of the readers' groups begin; shop.{SHOP}: unless set."),
    ] = None,
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """Make the topic of a shop's feed, and let readers read it and no other topic.

    Needs the right to make topics and, with --reader, rules (ACLs). What is there stays.

    Example: `orderflow destinations feed demo-shop --reader User:demo-shop --why 'for the ERP'`
    """
    settings, signature = load_settings(), sign(by, why, is_try=dry_run)
    try:
        wanted = feeds.feed_of(settings, shop, reader or (), group_prefix)
        made, different = run(_feed(settings, wanted, signature, is_try=dry_run))
    except feeds.WrongFeed as error:
        raise WrongArgument(str(error)) from None
    except feeds.RulesNotMade as error:
        raise CommandError(str(error)) from None
    topic = settings.topic(wanted.topic.name)
    for each in different:
        out.print(f"note     {each}", markup=False)
    for rule in wanted.rules:
        out.print(f"{'to allow' if dry_run else 'allowed '} {rule}", markup=False)
    there = "to make" if dry_run and made else "created" if made else "present"
    out.print(f"destinations: feed={topic} {there}", markup=False)


def _signed(by: str | None, why: str | None) -> Signature:
    return sign(by, why, is_try=False)


def _report(what: str, shop: str, name: str, decision: Decision) -> None:
    if decision.outcome is Outcome.REJECTED:
        raise CommandError(decision.detail or "")
    if decision.outcome is Outcome.NO_CHANGE:
        out.print(f"nothing changed: {decision.detail}", markup=False)
    out.print(f"destinations: {what}={shop}/{name}", markup=False)


async def _find(
    settings: Settings,
    shop: str | None,
    after: tuple[str, str],
    limit: int,
    *,
    with_removed: bool,
) -> list[ListedDestination]:
    async with opened(settings, DELIVERIES) as connection:
        return await operations.find(
            connection, shop, with_removed=with_removed, after=after, limit=limit
        )


async def _attempts(
    settings: Settings, key: tuple[str, str], *, only_failed: bool, limit: int
) -> list[ListedAttempt]:
    async with opened(settings, DELIVERIES) as connection:
        return await operations.find_attempts(connection, key, only_failed=only_failed, limit=limit)


async def _secret(settings: Settings, key: tuple[str, str], signature: Signature) -> str:
    box = read_box(settings.deliveries_key)
    if box is None:
        raise CommandError(
            f"secrets are encrypted: set {VARIABLE}_FILE to the file with the key that "
            "`orderflow serve deliveries` has"
        )
    async with opened(settings, DELIVERIES) as connection:
        return await operations.show_secret(connection, key, box, signature)


async def _feed(
    settings: Settings, wanted: feeds.Feed, signature: Signature, *, is_try: bool
) -> tuple[bool, list[Difference]]:
    """Make a feed; returns whether its topic was missing, and how it differs else."""
    if is_try:
        different = await feeds.find_differences(settings, wanted)
        missing = any(each.is_missing for each in different)
        return missing, [] if missing else different
    async with opened(settings, DELIVERIES) as connection:
        made = await feeds.make(settings, connection, wanted, signature)
    return made, [] if made else await feeds.find_differences(settings, wanted)


async def _pause(settings: Settings, key: tuple[str, str], signature: Signature) -> Decision:
    now = clock_of(settings).now()
    async with opened(settings, DELIVERIES) as connection:
        return await operations.pause(connection, key, signature, settings, now)


async def _resume(settings: Settings, key: tuple[str, str], signature: Signature) -> Decision:
    now = clock_of(settings).now()
    async with opened(settings, DELIVERIES) as connection:
        return await operations.resume(connection, key, signature, settings, now)


def destinations_table(found: list[ListedDestination]) -> Table:
    """Destinations, one a row; what shops wrote is text, not markup."""
    table = Table(box=None)
    for title in (
        "shop",
        "name",
        "state",
        "where",
        "waiting",
        "held orders",
        "failing since",
        "why",
    ):
        table.add_column(title)
    for each in found:
        cells = (
            each.shop,
            each.name,
            each.state,
            each.target.get("url") or f"topic {feed_topic(each.shop).name}",
            str(each.backlog),
            str(each.held_orders),
            f"{each.failing_since:%Y-%m-%d %H:%M}" if each.failing_since else "",
            each.reason or "",
        )
        table.add_row(*map(escape, cells))
    return table


def attempts_table(found: list[ListedAttempt]) -> Table:
    """Attempts, one a row; what receivers answered is text, not markup."""
    table = Table(box=None)
    for title in ("at", "order", "event", "attempt", "answer", "ms", "verdict"):
        table.add_column(title)
    for each in found:
        cells = (
            f"{each.at:%Y-%m-%d %H:%M:%S}",
            each.order_id,
            each.event_id,
            str(each.number),
            str(each.status or each.error or each.answer),
            str(each.milliseconds),
            each.verdict,
        )
        table.add_row(*map(escape, cells))
    return table
