"""The number of shards of a service's outbox: changed only while no row waits (decision 0056).

The shard of an order is a hash modulo this number. If the number changed while rows wait, new
records of an order could lie in another shard than its older ones, and be published before them.
"""

from __future__ import annotations

from pathlib import Path

from asyncpg import Connection

from services.runtime.outbox.leases import lock_class
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")


class ShardCountDiffers(Exception):
    """The setting differs from the number of shards in use; the text says which to set, or how."""


async def ensure(connection: Connection, service: str, shards: int) -> None:
    """Store the number of shards, or check that it is the stored one.

    The stored number is changed if the outbox is empty and no running relay uses another number.
    A process with the old number that could not be reached meanwhile cannot write a row: the
    table rejects it (migration 0004).

    Raises:
        ShardCountDiffers: rows wait, or relays run, with the stored number.
    """
    stored = await connection.fetchval(SQL["claim_shards"], shards)
    if stored == shards:
        return
    async with connection.transaction():
        await connection.execute(SQL["block_writers"])
        others = await connection.fetch(
            SQL["find_other_shards"], lock_class(_scope(service)), shards
        )
        if others or await connection.fetchval(SQL["has_waiting_rows"]):
            why = "and replicas that use them run" if others else "and rows wait in them"
            raise ShardCountDiffers(
                f"the outbox of {service} has {stored} shards {why}: start with "
                f"ORDERFLOW_OUTBOX_SHARDS={stored}. To change it, stop all replicas of {service} "
                f"but one, wait until its orderflow_outbox_rows is 0, stop it, and start them with "
                f"{shards}"
            )
        await connection.execute(SQL["change_shards"], shards)


async def hold(connection: Connection, service: str, shards: int) -> None:
    """Show other processes that this number is in use, for as long as the connection lives.

    Raises:
        ShardCountDiffers: the stored number was changed since this process started.
    """
    await connection.fetchval(SQL["share_lease"], lock_class(_scope(service)), shards)
    stored = await connection.fetchval(SQL["claim_shards"], shards)
    if stored != shards:
        raise ShardCountDiffers(
            f"the outbox of {service} was changed to {stored} shards while this process ran: "
            f"restart it with ORDERFLOW_OUTBOX_SHARDS={stored}"
        )


def _scope(service: str) -> str:
    return f"{service}/shards"
