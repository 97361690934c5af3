"""`orderflow destinations replay|test`: events again, and a test event."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import typer

from orderflow.console import instants
from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.instants import instant_of
from orderflow.console.numbers import INT64_MAX
from orderflow.console.terminal import CommandError, WrongArgument, out, run
from schemas.identity import order_id
from services.deliveries.app import client_opener
from services.deliveries.domain.decide import Decision
from services.deliveries.domain.replay import Selection
from services.deliveries.operations import replays
from services.deliveries.operations.replays import CountedReplay, ReplayProgress
from services.deliveries.sending import trial
from services.deliveries.sending.trial import NotTestable, Trial
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.operations.audit import Signature

DELIVERIES = "deliveries"
LOOK_SECONDS = 0.5

Key = tuple[str, str]
Shop = Annotated[str, typer.Argument(metavar="SHOP", help="The shop, by its slug.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name of the destination.")]


def replay(
    shop: Shop,
    name: Name,
    *,
    order: Annotated[
        str | None, typer.Option(help="Events of this order: its number, or its id.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help=f"Triggered then or later. {instants.HELP}")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Triggered before.")] = None,
    sequence: Annotated[
        str | None,
        typer.Option(help="Of these sequences of the order's topics: `4-9`, `4-`, `-9` or `4`."),
    ] = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Only what was given up; what waits is tried at once."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until all its events are found.")] = False,
    seconds: Annotated[int, typer.Option(min=1, help="Wait for so long at most.")] = 3600,
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """Send events to a destination again, behind what waits; the sender does it.

    A dry run counts what is kept of them; more may be on the topics.

    Example: `orderflow destinations replay demo-shop erp --from 2h --why 'the ERP lost them'`
    """
    signature = sign(by, why, is_try=dry_run)
    settings = load_settings()
    now = clock_of(settings).now()
    first, last = _sequences(sequence)
    selection = Selection(
        order_id=_order(shop, order),
        since=instant_of(from_, now),
        until=instant_of(until, now),
        sequence_from=first,
        sequence_until=last,
        only_failed=failed,
    )
    if dry_run:
        _report_count(*run(_count(settings, (shop, name), selection)))
        return
    id_, decision = run(_ask(settings, (shop, name), selection, signature))
    _check(decision)
    out.print(f"replay: id={id_} destination={shop}/{name}", markup=False)
    if wait:
        _report_end(id_, run(_follow(settings, id_, seconds)))


def send_test(shop: Shop, name: Name, by: By = None, why: Why = None) -> None:
    """Send a signed test event to a destination from here, and say what came of it.

    By the same client and checks as events; needs the key of ORDERFLOW_DELIVERIES_KEY. Ends with
    status 1 where the receiver did not take it.

    Example: `orderflow destinations test demo-shop erp --why 'they moved it'`
    """
    signature = sign(by, why, is_try=False)
    try:
        found = run(_test(load_settings(), (shop, name), signature))
    except NotTestable as error:
        raise CommandError(str(error)) from None
    out.print(found.sentence, markup=False)
    status = found.answer.status or "none"
    out.print(
        f"test: status={status} milliseconds={found.milliseconds} event={found.event_id}",
        markup=False,
    )
    if not found.answer.is_success:
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {"replay": replay, "test": send_test}
"""The commands by their names."""


def _order(shop: str, text: str | None) -> str | None:
    """The id of an order that is named by its number or its id."""
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        return str(order_id(shop, text))


def _sequences(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    first, dash, last = text.partition("-")
    if not dash:
        last = first
    parts = [each.strip() for each in (first, last)]
    usable = all(not each or (each.isascii() and each.isdecimal()) for each in parts)
    if not usable or not any(parts) or any(int(each or 0) > INT64_MAX for each in parts):
        raise WrongArgument(f"{text!r} is no range of sequences: write 4-9, 4-, -9 or 4")
    return tuple(int(each) if each else None for each in parts)  # type: ignore[return-value]


def _check(decision: Decision) -> None:
    if decision.replay is None:
        raise CommandError(decision.detail or "nothing changed")


def _report_count(decision: Decision, counted: CountedReplay | None) -> None:
    _check(decision)
    if counted is None:
        raise CommandError("the destination was removed meanwhile")
    if counted.reads_topics:
        since = f"{counted.counted_from:%Y-%m-%dT%H:%M:%SZ}"
        out.print(f"Events before {since} would be read from the topics, and are not counted.")
    more = "" if counted.is_whole else "+"
    topics = "yes" if counted.reads_topics else "no"
    out.print(f"replay: kept={counted.kept}{more} reads_topics={topics} dry_run=yes")


def _report_end(id_: str, found: ReplayProgress | None) -> None:
    if found is None:
        raise CommandError(f"replay {id_} is gone: the destination may have been removed")
    if found.detail:
        out.print(found.detail, markup=False)
    ended = "yes" if found.has_ended else "no"
    counts = f"kept={found.kept} topics={found.topics} states={found.states}"
    out.print(f"replay: id={id_} ended={ended} {counts}")
    if not found.has_ended:
        raise typer.Exit(1)


async def _ask(
    settings: Settings, key: Key, selection: Selection, signature: Signature
) -> tuple[str, Decision]:
    now = clock_of(settings).now()
    async with opened(settings, DELIVERIES) as connection:
        return await replays.ask(connection, key, selection, signature, now)


async def _count(
    settings: Settings, key: Key, selection: Selection
) -> tuple[Decision, CountedReplay | None]:
    now = clock_of(settings).now()
    async with opened(settings, DELIVERIES) as connection:
        return await replays.count(connection, key, selection, settings, now)


async def _follow(settings: Settings, id_: str, seconds: int) -> ReplayProgress | None:
    """Look until the replay has ended, or the time is over."""
    deadline = time.monotonic() + seconds
    async with opened(settings, DELIVERIES) as connection:
        while True:
            found = await replays.progress(connection, id_)
            if found is None or found.has_ended or time.monotonic() >= deadline:
                return found
            await asyncio.sleep(LOOK_SECONDS)


async def _test(settings: Settings, key: Key, signature: Signature) -> Trial:
    now, opener = clock_of(settings).now(), client_opener(settings)
    async with opened(settings, DELIVERIES) as connection:
        return await trial.send(
            connection, key, signature, settings=settings, open_client=opener, now=now
        )
