"""`orderflow parked retry|skip|discard|edit-and-retry`: acts on parked items, by a named person."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import click
import typer

from orderflow.console.audit_options import By, DryRun, Why, chosen_services, sign
from orderflow.console.databases import opened, within_reach
from orderflow.console.environment import load_settings
from orderflow.console.option_group import expand_options
from orderflow.console.terminal import (
    CommandError,
    Json,
    WrongArgument,
    out,
    print_json,
    run,
)
from orderflow.parked import screen
from orderflow.parked.act import ParkedAct, Verb
from orderflow.parked.find import find_named
from orderflow.parked.options import ITEM, Items, ParkedFilter, Service
from schemas.topics import TOPICS
from services.runtime.batch.items import Parked
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Original
from services.runtime.parking.selection import ParkedSelection

Chosen = Mapping[str, ParkedSelection]
"""The selected items of each service."""


def _by_name_or_filter(verb: Verb, help_: str) -> Callable[..., None]:
    """The command of an act that items are chosen for by name or by filter."""

    def act(
        *,
        items: Items = None,
        service: Service = None,
        filters: ParkedFilter,
        everything: Annotated[bool, typer.Option("--all", help="Without any filter.")] = False,
        why: Why = None,
        by: By = None,
        dry_run: DryRun = False,
        json: Json = False,
    ) -> None:
        settings = load_settings()
        parked_act = ParkedAct(settings, verb, sign(by, why, is_try=dry_run), dry_run)
        selection = filters.selection(clock_of(settings).now())
        if items:
            see_that_no_filter(selection)
            chosen = run(_named(settings, items, service))
        elif everything or selection != ParkedSelection():
            chosen = dict.fromkeys(within_reach(settings, chosen_services(service)), selection)
        else:
            raise WrongArgument(
                "which? name items, or give a filter, or --all (with --service: all of that one)"
            )
        _do(parked_act, chosen, json=json)

    act.__doc__ = help_
    return expand_options(act)


def edit_and_retry(  # noqa: PLR0917 - the command line passes them by name
    item: Annotated[str, typer.Argument(metavar=ITEM, help="Which: exactly one.")],
    service: Service = None,
    value: Annotated[
        Path | None, typer.Option(help="The new value, in a file; - is stdin.", allow_dash=True)
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Take the value although it cannot be read.")
    ] = False,
    why: Why = None,
    by: By = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Put another value in the place of an item's, and try it and what stands behind it again.

    Key, headers and id stay the sender's; the sender's value stays in the audit. Without --value
    it is opened in $EDITOR.

    Example: `orderflow parked show 17 --value >v.json`, edit it, then
    `orderflow parked edit-and-retry 17 --value v.json --why 'the shop sent it as text'`
    """
    settings = load_settings()
    parked_act = ParkedAct(settings, Verb.EDIT, sign(by, why, is_try=dry_run), dry_run)
    found = run(find_named(settings, [item], service))
    ((whose, its),) = found.items()
    if len(its) != 1:
        raise WrongArgument(f"{len(its)} items lie at {item}: name one by its place or #index")
    (parked,) = its
    parked_act.value = _new_value(parked, value)
    _check_value(settings, whose, parked, parked_act.value, unchecked=unchecked)
    _do(parked_act, {whose: ParkedSelection(positions=(parked.position,))}, json=json)


COMMANDS: Mapping[str, Callable[..., None]] = {
    Verb.RETRY: _by_name_or_filter(
        Verb.RETRY,
        """Try items again now, each queue in order and up to its next failure.

        What stands behind the items is tried with them. The service does the same by itself; use
        the release that has the mend, with the service's own settings.

        Example: `orderflow parked retry --error ZeroDivisionError --why 'mended in 1.4.2'`
        """,
    ),
    Verb.SKIP: _by_name_or_filter(
        Verb.SKIP,
        """Refuse items for good; what stands behind them is tried again.

        The sender gets a rejection with the text of --why. An item behind another one is skipped
        only after that one has left: order is kept.

        Example: `orderflow parked skip 17 --why 'a test order, agreed with the shop'`
        """,
    ),
    Verb.DISCARD: _by_name_or_filter(
        Verb.DISCARD,
        """Refuse items for good, with all that stands behind them.

        The senders get a rejection with the text of --why.

        Example: `orderflow parked discard --order demo-shop/1001 --why 'a test order'`
        """,
    ),
    Verb.EDIT: edit_and_retry,
}


# Which items, and which value.


def see_that_no_filter(selection: ParkedSelection) -> None:
    """Check that named items are not filtered as well.

    Raises:
        WrongArgument: there is a filter as well.
    """
    if selection != ParkedSelection():
        raise WrongArgument("name items, or give a filter: not both")


async def _named(settings: Settings, items: Sequence[str], service: str | None) -> Chosen:
    found = await find_named(settings, items, service)
    return {
        of: ParkedSelection(positions=tuple(p.position for p in its)) for of, its in found.items()
    }


def _new_value(parked: Parked, file: Path | None) -> bytes:
    if file is not None:
        is_stdin = str(file) == "-"
        return typer.get_binary_stream("stdin").read() if is_stdin else file.read_bytes()
    try:
        present = (parked.original.value or b"").decode()
    except UnicodeDecodeError:
        raise CommandError("its value is no text: give the new one by --value FILE") from None
    edited = click.edit(present, extension=".json")
    if edited is None or edited.rstrip("\n") == present.rstrip("\n"):
        raise CommandError("the value was not changed: nothing was done")
    return edited.rstrip("\n").encode()


def _check_value(
    settings: Settings, service: str, parked: Parked, value: bytes, *, unchecked: bool
) -> None:
    """Check size and content: a value that cannot be read would be rejected for good."""
    was = parked.original
    limit = TOPICS[was.coordinates.topic].max_message_bytes
    if len(value) > limit:
        raise CommandError(
            f"it takes {len(value):,} bytes; {was.coordinates.topic} takes {limit:,}"
        )
    if unchecked:
        return
    from orderflow.parked.validate_value import check_readable

    edited = Original(was.coordinates, was.key, was.headers, value, was.timestamp)
    check_readable(service, edited, parked.index, clock_of(settings).now())


# Doing it.


def _do(parked_act: ParkedAct, chosen: Chosen, *, json: bool) -> None:
    """Act, and print each item as soon as its act is committed.

    Raises:
        CommandError: some items are still parked.
    """
    became: Counter[str] = Counter()
    run(_act(parked_act, chosen, became, json=json))
    if not json:
        untried = f" untried={parked_act.untried}" if parked_act.is_try else ""
        out.print(f"parked: {_done(parked_act)}={became.total()} {screen.counts(became)}{untried}")
    stays = "would still be parked" if parked_act.is_try else "still parked"
    if became["parked"]:
        raise CommandError(
            f"{stays}: {became['parked']} that failed again, {became['behind']} behind"
        )
    if became["behind"]:
        raise CommandError(
            f"{stays}: {became['behind']} behind an item that was not meant; act on that one "
            "first (`orderflow parked show` names it)"
        )


async def _act(parked_act: ParkedAct, chosen: Chosen, became: Counter[str], *, json: bool) -> None:
    for service, selection in chosen.items():
        async with opened(parked_act.settings, service) as connection:
            async for result in parked_act.run(connection, service, selection):
                became.update(result.became)
                if json:
                    print_json(screen.result_as_json(result, is_try=parked_act.is_try))
                else:
                    out.print(screen.result_line(result, is_try=parked_act.is_try), markup=False)


def _done(parked_act: ParkedAct) -> str:
    verb = parked_act.verb.replace("-", "_")
    return f"would_{verb}" if parked_act.is_try else verb
