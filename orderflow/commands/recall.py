"""`orderflow recall`: after a restore of orders, learn what Kafka has and the database lacks."""

from datetime import datetime
from typing import Annotated

import typer

from orderflow.console import instants
from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.instants import instant_of
from orderflow.console.terminal import CommandError, out, run
from services.orders.operations.recall import Recalled
from services.orders.operations.recall import recall as recall_published
from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.operations import audit, rebuild
from services.runtime.operations.audit import Act, Signature
from services.runtime.postgres.connections import transaction

ACT = "orders.recall"


def recall(
    since: Annotated[
        str | None,
        typer.Option(
            help="Read the topics from then on, an hour before the time restored to at the latest; "
            f"from their beginning unless set. {instants.HELP}"
        ),
    ] = None,
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """After the orders database was restored to an earlier time: learn what was published since.

    Run it before orders is started. Orders then decides the same commands again without giving out
    a sequence number twice or publishing a fact twice, of orders and of campaigns. Running it again
    is harmless.

    Example: `orderflow recall --why 'restored the backup of 02:00'`
    """
    signature = sign(by, why, is_try=dry_run)
    from_then = instant_of(since, SystemClock().now())
    found = run(_recall(load_settings(), from_then, signature, is_try=dry_run))
    counts = " ".join(f"{name}={count}" for name, count in found.items())
    tried = " dry_run=yes" if dry_run else ""
    out.print(f"recall: {counts}{tried}", markup=False)


async def _recall(
    settings: Settings, since: datetime | None, signature: Signature, *, is_try: bool
) -> dict[str, int]:
    """How many orders and shops the database is behind of, and by how many events."""
    async with opened(settings, "orders") as connection:
        async with transaction(connection, is_trial=is_try):
            await rebuild.hold_batches(connection)
            running = await rebuild.count_replicas(connection, "orders")
            if running:
                raise CommandError(f"orders runs ({running} of it): stop every replica of it first")
            recalled = await recall_published(settings, connection, since)
            counts = _counts(recalled)
            detail = {"since": since, **counts}
            act = Act(ACT, signature.actor, signature.reason, detail=detail)
            await audit.write(connection, [act])
        return counts


def _counts(recalled: Recalled) -> dict[str, int]:
    """Of shops: those whose `campaigns.events` are ahead of the database."""
    return {
        "orders": len(recalled.orders),
        "events": sum(len(each.events) for each in recalled.orders.values()),
        "shops": len(recalled.shops),
        "campaign_events": sum(len(each.events) for each in recalled.shops.values()),
    }
