"""`orderflow migrate`: roles, schemas and migrations of the three services."""

from collections.abc import Collection
from typing import Annotated

import typer

from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import (
    CommandError,
    Json,
    WrongArgument,
    out,
    print_json,
    run,
)
from services import registry
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.migrate import migrate as bring_up_to_date


def migrate(
    service: Annotated[
        list[str] | None, typer.Argument(help="Services to migrate; all when left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring the database up to date; safe to run again, and by several at once.

    Makes a role and a schema for each service and applies what is missing. Run it before the new
    version starts. With ORDERS_DATABASE_PASSWORD (and the like) the roles may log in themselves.

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
    applied = run(bring_up_to_date(url, chosen, settings.database_passwords()))
    changed = run(change_rows(settings, chosen))
    if json:
        print_json({"applied": applied, "changed": changed})
        return
    for line in applied:
        out.print(f"applied  {line}", markup=False)
    for line in changed:
        out.print(f"changed  {line}", markup=False)
    out.print(f"migrate: applied={len(applied)} services={','.join(chosen)}", markup=False)


async def change_rows(settings: Settings, services: Collection[str]) -> list[str]:
    """Do what the services do once their migrations are applied; returns a line for each change."""
    changed: list[str] = []
    for service in services:
        entry = registry.entry_of(service)
        if entry.after_migration is None:
            continue
        step, handler = registry.load(entry.after_migration), registry.load(entry.handler)
        apply = handler(settings, Metrics()).apply
        async with opened(settings, service) as connection:
            lines = await step(connection, apply, clock_of(settings).now())
        changed += [f"{service}: {line}" for line in lines]
    return changed
