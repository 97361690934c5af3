"""Complete owners: numbers of several shipments that a version before stored.

Runs after the migrations, beside services of this version and of the one before (decision 0155).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.orders import store
from services.orders.domain.rules.complete_owners import complete_owners, is_complete
from services.runtime.operations.change_run import ChangeRun
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "complete_owners.sql")
NUMBERS_A_LOOK = 10_000
NUMBERS_A_BATCH = 100


async def complete_all_owners(connection: Connection, run: ChangeRun) -> list[str]:
    """Complete the owners of all numbers, in batches of one transaction each; returns lines.

    A run that is stopped keeps the batches that it committed. The next run reads all numbers again,
    and changes those that are left. Nothing is published.
    """
    looked = changed = 0
    found = await connection.fetchrow(SQL["find_shared_numbers"], "", NUMBERS_A_LOOK)
    while found is not None and found["looked"]:
        shared = found["shared"] or ()
        for start in range(0, len(shared), NUMBERS_A_BATCH):
            rows = await _complete(connection, shared[start : start + NUMBERS_A_BATCH], run)
            changed += rows
            await run.pace(rows)
        looked += found["looked"]
        run.say(f"{looked} tracking numbers read, {changed} of several orders completed")
        found = await connection.fetchrow(SQL["find_shared_numbers"], found["last"], NUMBERS_A_LOOK)
    return [f"{changed} tracking numbers of several orders completed"] if changed else []


async def _complete(connection: Connection, numbers: Sequence[str], run: ChangeRun) -> int:
    """Complete some numbers in one transaction; tried again after a transient error."""
    parcels = await store.read_parcels(connection, numbers)
    chosen = [number for number, parcel in parcels.items() if not is_complete(parcel)]
    if not chosen:
        return 0
    return await run.attempt(connection, lambda: _complete_locked(connection, chosen))


async def _complete_locked(connection: Connection, numbers: Sequence[str]) -> int:
    """Lock numbers and then their orders, as a batch does, and write the numbers that change."""
    async with connection.transaction():
        locked = await store.lock(connection, [], numbers, [], is_final=True)
        stored = locked.stored
        shipments = {
            shipment.shipment_id: shipment
            for order in stored.orders.values()
            if order is not None
            for shipment in order.shipments
        }
        completed = {
            number: complete_owners(parcel, shipments)
            for number, parcel in stored.parcels.items()
            if not is_complete(parcel)
        }
        changed = {
            number: parcel
            for number, parcel in completed.items()
            if parcel != stored.parcels[number]
        }
        await store.save(connection, stored, store.Changes({}, changed, {}, ()))
    return len(changed)
