"""`orderflow migrate`: roles, schemas and migrations of the three services."""

from typing import Annotated

import typer

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
    if json:
        print_json({"applied": applied})
        return
    for line in applied:
        out.print(f"applied  {line}", markup=False)
    out.print(f"migrate: applied={len(applied)} services={','.join(chosen)}", markup=False)
