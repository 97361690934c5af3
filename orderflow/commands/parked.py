"""`orderflow parked`: what could not be decided or written, and what is done about it."""

from typing import Annotated

import typer

from orderflow.commands import parked_acts
from orderflow.console.audit_options import chosen_services
from orderflow.console.environment import load_settings
from orderflow.console.numbers import LIMIT_MAX
from orderflow.console.option_group import expand_options
from orderflow.console.terminal import Commands, Json, WrongArgument, out, print_json, run
from orderflow.parked import screen
from orderflow.parked.find import FoundItem, count_all, find_all, find_named, look_around
from orderflow.parked.options import ITEM, Items, ParkedFilter, Service
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.parking.selection import Neighbours, ParkedSelection

app = typer.Typer(
    cls=Commands,
    help="What could not be decided or written, and what stands behind it.",
    no_args_is_help=True,
)
for verb, command in parked_acts.COMMANDS.items():
    app.command(verb)(command)


@app.command("list")
@expand_options
def list_(
    *,
    items: Items = None,
    service: Service = None,
    filters: ParkedFilter,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """List parked items, in the order of the queue; an item is named by the place it begins with.

    Without a filter, what stands behind other items is only counted; a filter finds it as well.

    Example: `orderflow parked list --order demo-shop/1001`
    """
    settings = load_settings()
    selection = filters.selection(clock_of(settings).now())
    found, total = run(_look(settings, items or [], service, selection, limit + 1))
    if json:
        for held in found[:limit]:
            print_json(screen.as_json(held))
        return
    if found:
        screen.show_list(found[:limit])
    more = " (there are more: --limit)" if len(found) > limit else ""
    out.print(f"parked: shown={min(len(found), limit)} parked={total}{more}")


@app.command()
def show(
    item: Annotated[str, typer.Argument(metavar=ITEM, help="Which.")],
    service: Service = None,
    value: Annotated[
        bool, typer.Option("--value", help="Print the original value alone, as it came.")
    ] = False,
    json: Json = False,
) -> None:
    """Show parked items whole: error, traceback, names, headers, value, and who stands around them.

    Example: `orderflow parked show orders.commands/3/17`
    """
    found = run(_read(load_settings(), item, service))
    if value:
        if len(found) > 1:
            raise WrongArgument("several items lie there: name one by its place or #index")
        typer.get_binary_stream("stdout").write(found[0][0].parked.original.value or b"")
        return
    for held, around in found:
        if json:
            print_json(screen.whole_as_json(held, around))
        else:
            screen.show(held, around)


async def _look(
    settings: Settings,
    names: list[str],
    service: str | None,
    selection: ParkedSelection,
    limit: int,
) -> tuple[list[FoundItem], int]:
    """What is listed, and how many items are parked at all."""
    services = chosen_services(service)
    if names:
        parked_acts.see_that_no_filter(selection)
        named = await find_named(settings, names, service)
        found = [FoundItem(of, each) for of, its in named.items() for each in its]
    else:
        if selection == ParkedSelection():
            selection = ParkedSelection(heads_only=True)
        found = await find_all(settings, services, selection, limit)
    return found, await count_all(settings, services)


async def _read(
    settings: Settings, item: str, service: str | None
) -> list[tuple[FoundItem, Neighbours]]:
    named = await find_named(settings, [item], service)
    found = [FoundItem(of, each) for of, its in named.items() for each in its]
    return [(held, await look_around(settings, held)) for held in found]
