"""`orderflow rejected`: list rejected items, show them, send them again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orderflow.console.audit_options import By, DryRun, Why, chosen_services, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.numbers import LIMIT_MAX
from orderflow.console.option_group import expand_options
from orderflow.console.terminal import (
    Commands,
    Json,
    WrongArgument,
    err,
    out,
    print_json,
    run,
)
from orderflow.rejected import screen
from orderflow.rejected.find import choose, find_all, find_at, with_bytes
from orderflow.rejected.options import FilterOptions, Service
from orderflow.rejected.query import OriginalBytes, RejectedFilter, RejectedItem
from orderflow.rejected.resend import Resend, Sent, places
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Original

app = typer.Typer(
    cls=Commands,
    help="Rejected items: list them, show them, send them again.",
    no_args_is_help=True,
)

At = Annotated[
    str,
    typer.Argument(metavar="TOPIC/PARTITION/OFFSET[#INDEX]", help="Where the rejected item lies."),
]


@app.command("list")
@expand_options
def list_(
    *,
    service: Service = None,
    options: FilterOptions,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """List rejected items, newest first; an item is named `topic/partition/offset#index`.

    Example: `orderflow rejected list --order demo-shop/1001 --since 2h`
    """
    settings = load_settings()
    filters = options.filters(clock_of(settings).now())
    found = run(find_all(settings, chosen_services(service), filters, limit + 1))
    if json:
        for item in found[:limit]:
            print_json(screen.as_json(item))
        return
    if found:
        screen.show_list(found[:limit])
    more = " (there are more: --limit, --since)" if len(found) > limit else ""
    out.print(f"rejected: shown={min(len(found), limit)}{more}")


@app.command()
def show(
    at: At,
    service: Service = None,
    value: Annotated[
        bool, typer.Option("--value", help="Print the original value alone, as it came.")
    ] = False,
    json: Json = False,
) -> None:
    """Show rejected items whole: reason, fields, headers, the original.

    Example: `orderflow rejected show orders.commands/3/17`
    """
    settings = load_settings()
    found = run(_read(settings, at, service))
    if value:
        _print_value(found)
        return
    for item, original in found:
        if json:
            print_json(screen.as_json(item) | screen.original_as_json(original))
        else:
            screen.show(item, original)


@app.command()
@expand_options
def resend(
    *,
    at: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC/PARTITION/OFFSET[#INDEX]]…", help="Which; or by filter."),
    ] = None,
    service: Service = None,
    options: FilterOptions,
    everything: Annotated[bool, typer.Option("--all", help="Without any filter.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was sent again before.")
    ] = False,
    value_file: Annotated[
        Path | None, typer.Option(help="A corrected value for a single message, in a file.")
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send --value-file although it cannot be read.")
    ] = False,
    why: Why = None,
    by: By = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Send rejected items again to their partition, with their original bytes, key and headers.

    Of a bulk command only the rejected items are applied. An item that was sent again already is
    left out unless `--again` is given; an item sent twice has its effect once.

    Example: `orderflow rejected resend --reason order_not_found --since 1h --why 'shop was late'`
    """
    settings = load_settings()
    signature = sign(by, why, is_try=dry_run)
    filters = options.filters(clock_of(settings).now())
    if not at and not everything and service is None and filters == RejectedFilter():
        raise WrongArgument("which? name items, or give a filter, or --all")
    found = run(choose(settings, at or [], service, filters))
    run_of = Resend(settings, signature, again, _corrected(value_file))
    if run_of.value is not None:
        _check_value(settings, found, run_of.value, unchecked)
    sent = run(_plan(settings, run_of, found) if dry_run else _send(settings, run_of, found))
    _print_sent(sent, found, run_of, is_try=dry_run, json=json)


# Showing.


async def _read(
    settings: Settings, at: str, service: str | None
) -> list[tuple[RejectedItem, OriginalBytes]]:
    return await with_bytes(settings, await find_at(settings, at, service))


def _print_value(found: Sequence[tuple[RejectedItem, OriginalBytes]]) -> None:
    values = {original.value for _, original in found}
    if len(values) > 1:
        raise WrongArgument("its items have values of their own: name one by #index")
    typer.get_binary_stream("stdout").write(values.pop() or b"")


# Sending again.


def _corrected(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


def _check_value(
    settings: Settings, found: Sequence[RejectedItem], value: bytes, unchecked: bool
) -> None:
    """A corrected value is for one message, and its reader can read it."""
    if len({item.coordinates for item in found}) != 1 or len({i.service for i in found}) != 1:
        raise WrongArgument("--value-file corrects a single message: name it, and its --service")
    if unchecked:
        return
    from orderflow.parked.validate_value import check_readable

    now = clock_of(settings).now()
    for item, original in run(with_bytes(settings, found)):
        corrected = Original(item.coordinates, original.key, original.headers, value, now)
        check_readable(item.service, corrected, item.index, now)


async def _plan(settings: Settings, what: Resend, found: Sequence[RejectedItem]) -> list[Sent]:
    planned: list[Sent] = []
    for service in dict.fromkeys(item.service for item in found):
        its = [item for item in found if item.service == service]
        async with opened(settings, service) as connection:
            planned += [Sent(message) async for message in what.plan(connection, its)]
    return planned


async def _send(settings: Settings, what: Resend, found: Sequence[RejectedItem]) -> list[Sent]:
    from services.runtime.kafka.clients import make_producer

    sent: list[Sent] = []
    producer = make_producer(settings)
    try:
        await producer.start()
        for service in dict.fromkeys(item.service for item in found):
            its = [item for item in found if item.service == service]
            async with opened(settings, service) as connection:
                sent += [each async for each in what.send(connection, producer, its)]
    finally:
        await producer.stop()
    return sent


def _print_sent(
    sent: Sequence[Sent], found: Sequence[RejectedItem], what: Resend, *, is_try: bool, json: bool
) -> None:
    failed = [each for each in sent if each.error]
    items = sum(len(each.message.items) for each in sent if not each.error)
    left = len(found) - sum(len(each.message.items) for each in sent)
    for each in sent:
        if json:
            print_json(screen.sent_as_json(each, is_try=is_try))
        elif each.error:
            err.print(f"failed  {places(each.message)}: {each.error}", markup=False)
        else:
            out.print(screen.sent_line(each, is_try=is_try), markup=False)
    if not json:
        verb = "would_resend" if is_try else "resent"
        out.print(
            f"rejected: {verb}={items} failed={sum(len(s.message.items) for s in failed)} "
            f"sent_before={left}" + ("" if what.again or not left else " (--again sends them too)")
        )
    if failed:
        raise typer.Exit(1)
