"""`orderflow erase`: erase an order with all that the orders service stores of it."""

from typing import Annotated
from unicodedata import normalize

import typer

from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, out, run
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.operations.erase import Erasure, NotErased
from services.orders.operations.erase import erase as erase_order
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.operations.audit import Act
from services.runtime.outbox.outbox import Outbox
from services.runtime.postgres.connections import transaction

ACT = "orders.erase"


def erase(
    shop: Annotated[str, typer.Argument(metavar="SHOP", help="The shop's slug.")],
    number: Annotated[str, typer.Argument(metavar="ORDER_NUMBER", help="The order's number.")],
    dry_run: DryRun = False,
    by: By = None,
    why: Why = None,
) -> None:
    """Erase an order from the orders service, and from orders.state; this cannot be undone.

    Its number is not used again: later commands on it are refused (order_erased). Events and
    commands that lie on topics, and what other services, subscribers and backups keep, are not
    reached: see "Erasing an order" in docs/operating.md.

    Example: `orderflow erase demo-shop 1001 --why 'request of the customer, ticket 4711'`
    """
    signature = sign(by, why, is_try=dry_run)
    act = Act(ACT, signature.actor, signature.reason)
    done = run(_erase(load_settings(), shop, number, act, is_try=dry_run))
    tried = " dry_run=yes" if dry_run else ""
    out.print(
        f"erase: order_id={done.order_id} numbers={done.deleted_numbers} "
        f"shared_numbers={done.shared_numbers}{tried}",
        markup=False,
    )


async def _erase(settings: Settings, shop: str, number: str, act: Act, *, is_try: bool) -> Erasure:
    name = Reference(shop, ReferenceKind.ORDER_NUMBER, normalize("NFC", number).strip())
    now, outbox = clock_of(settings).now(), Outbox(settings.outbox_shards)
    async with opened(settings, "orders") as connection:
        try:
            async with transaction(connection, is_trial=is_try):
                return await erase_order(connection, outbox, name, act, now)
        except NotErased as refused:
            raise CommandError(f"{shop}/{number}: {refused}") from None
