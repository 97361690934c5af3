"""`orderflow migrate`: roles, schemas and migrations of the three services."""

import time
from collections.abc import Callable, Collection
from typing import Annotated

import typer

from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import (
    CommandError,
    Json,
    WrongArgument,
    err,
    out,
    print_json,
    run,
)
from services import registry
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.operations.change_run import RATE, ChangeRun
from services.runtime.postgres.migrate import migrate as bring_up_to_date
from services.runtime.postgres.sessions import session_parameters

SAYING_SECONDS = 5.0


def migrate(
    service: Annotated[
        list[str] | None, typer.Argument(help="Services to migrate; all when left out.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=1, help="Most stored rows a second that are completed.")
    ] = RATE,
    json: Json = False,
) -> None:
    """Bring the database up to date; safe to run again, and by several at once.

    Makes a role and a schema for each service and applies what is missing. Then completes rows that
    versions before stored, in small transactions beside running services; when that was stopped,
    run it again. Run it before the new version starts. With ORDERS_DATABASE_PASSWORD (and the like)
    the roles may log in themselves; with
    ORDERS_DATABASE_POOLER_URL (and the like) they get what sessions behind a pooler need.

    Example: `DATABASE_URL=postgresql://admin@db/orderflow orderflow migrate`
    """
    known = registry.names()
    chosen = service or list(known)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise WrongArgument(f"no service {', '.join(unknown)}; there are {', '.join(known)}")
    settings = load_settings()
    if settings.database_url is None:
        raise CommandError("set DATABASE_URL to a login that may create roles and schemas")
    url = settings.database_url.get_secret_value()
    parameters = {
        name: session_parameters(settings, name)
        for name in chosen
        if settings.pooler_url_of(name) is not None
    }
    passwords = settings.database_passwords()
    applied = run(bring_up_to_date(url, chosen, passwords, parameters=parameters))
    changed = run(change_rows(settings, chosen, rate))
    if json:
        print_json({"applied": applied, "changed": changed})
        return
    for line in applied:
        out.print(f"applied  {line}", markup=False)
    for line in changed:
        out.print(f"changed  {line}", markup=False)
    out.print(f"migrate: applied={len(applied)} services={','.join(chosen)}", markup=False)


async def change_rows(
    settings: Settings, services: Collection[str], rate: float = RATE
) -> list[str]:
    """Do what the services do once their migrations are applied; returns a line for each change."""
    changed: list[str] = []
    for service in services:
        entry = registry.entry_of(service)
        if entry.after_migration is None:
            continue
        step, handler = registry.load(entry.after_migration), registry.load(entry.handler or "")
        apply = handler(settings, Metrics()).apply
        changing = ChangeRun(apply, clock_of(settings).now(), _progress_of(service), rate)
        async with opened(settings, service) as connection:
            lines = await step(connection, changing)
        changed += [f"{service}: {line}" for line in lines]
    return changed


def _progress_of(service: str) -> Callable[[str], None]:
    """Prints a line of progress to stderr, one in some seconds."""
    said = time.monotonic()

    def say(line: str) -> None:
        nonlocal said
        if time.monotonic() - said > SAYING_SECONDS:
            said = time.monotonic()
            err.print(f"{service}: {line}", markup=False)

    return say
