"""Fill sub-statuses: shipments whose state a version before stored, which had none.

Runs after the migrations, beside services of this version and of the one before (decision 0169).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from services.orders import store
from services.orders.domain.model.order import Order
from services.orders.domain.rules.fill_sub_statuses import fill_sub_statuses
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.runtime.operations.change_run import ChangeRun
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "fill_sub_statuses.sql")
NUMBERS_A_LOOK = 10_000
NUMBERS_A_BATCH = 100


async def fill_all_sub_statuses(connection: Connection, run: ChangeRun) -> list[str]:
    """Fill the sub-statuses of all orders, in batches of one transaction each; returns lines.

    A run that is stopped keeps the batches that it committed. The next run looks at all numbers
    again, and changes those that are left. Nothing is published.
    """
    looked = changed = 0
    find = SQL["find_numbers_without_sub_status"]
    found = await connection.fetchrow(find, "", NUMBERS_A_LOOK)
    while found is not None and found["looked"]:
        lacking = found["lacking"] or ()
        for start in range(0, len(lacking), NUMBERS_A_BATCH):
            part = lacking[start : start + NUMBERS_A_BATCH]
            rows = await run.attempt(connection, partial(_fill, connection, part, run.now))
            changed += rows
            await run.pace(rows)
        looked += found["looked"]
        run.say(f"{looked} tracking numbers read, {changed} orders got sub-statuses")
        found = await connection.fetchrow(find, found["last"], NUMBERS_A_LOOK)
    return [f"{changed} orders got the sub-statuses of their shipments"] if changed else []


async def _fill(connection: Connection, numbers: Sequence[str], now: datetime) -> int:
    """Lock numbers and then their orders, as a batch does, and write the orders that change."""
    async with connection.transaction():
        locked = await store.lock(connection, [], numbers, [], is_final=True)
        stored = locked.stored
        changed: dict[str, Order] = {}
        for parcel in stored.parcels.values():
            changed |= fill_sub_statuses(parcel, {**stored.orders, **changed}, CODE_MAPS, now)
        await store.save(connection, stored, store.Changes(changed, {}, {}, ()))
    return len(changed)
