"""`orderflow acts`: what operators did by hand."""

from dataclasses import replace
from typing import Annotated

import typer

from orderflow.console import audit_table as screen
from orderflow.console.audit_options import chosen_services, spot_of
from orderflow.console.databases import opened, within_reach
from orderflow.console.environment import load_settings
from orderflow.console.instants import HELP as INSTANT
from orderflow.console.instants import instant_of
from orderflow.console.numbers import LIMIT_MAX
from orderflow.console.terminal import Json, WrongArgument, out, print_json, run
from schemas.topics import TOPICS
from services import registry
from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import ActFilter


def acts(  # noqa: PLR0917 - the command line passes them by name
    on: Annotated[
        str | None,
        typer.Argument(metavar="[TOPIC[/PARTITION/OFFSET]]", help="On this record or topic only."),
    ] = None,
    service: Annotated[str | None, typer.Option(help="On this service's items only.")] = None,
    act: Annotated[
        list[str] | None, typer.Option(help="Only these acts, such as parked.skip.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Only what this person did.")] = None,
    since: Annotated[str | None, typer.Option(help=f"From then on. {INSTANT}")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """List what operators did by hand: who, when, why; newest first.

    Items sent again, retried, edited, skipped or discarded; partitions resumed. Written in the
    transaction that did it, and never changed.

    Example: `orderflow acts --since 1d`
    """
    now = SystemClock().now()
    selection = ActFilter(
        acts=tuple(act) if act else None,
        actor=by,
        since=instant_of(since, now),
        until=instant_of(until, now),
        limit=limit,
    )
    found = run(_read(load_settings(), service, _placed(selection, on)))
    if json:
        for each in found:
            print_json(screen.as_json(each))
        return
    if found:
        out.print(screen.table(found))
    out.print(f"acts: shown={len(found)}")


def _placed(selection: ActFilter, on: str | None) -> ActFilter:
    """The selection, of a topic's or a record's acts only."""
    if on is None:
        return selection
    if "/" in on:
        at = spot_of(on).coordinates
        return replace(selection, topic=at.topic, partition=at.partition, offset=at.offset)
    if on not in TOPICS:
        raise WrongArgument(f"no topic {on}; there are {', '.join(TOPICS)}")
    return replace(selection, topic=on)


async def _read(
    settings: Settings, service: str | None, selection: ActFilter
) -> list[screen.ServiceAct]:
    found: list[screen.ServiceAct] = []
    for name in within_reach(settings, chosen_services(service, registry.names())):
        async with opened(settings, name) as connection:
            found += [(name, each) for each in await audit.read(connection, selection)]
    return sorted(found, key=lambda each: each[1].at, reverse=True)[: selection.limit]
