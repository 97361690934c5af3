"""The number of shards: one for a schema, changed only while nothing waits (decision 0056).

An order's shard is a hash modulo this number. Were it changed while rows wait, the order's next
records would lie in another shard than its last, and another relay could publish them first.
"""

from __future__ import annotations

from pathlib import Path

from asyncpg import Connection

from services.runtime.outbox.leases import lock_class
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")


class ShardsDiffer(Exception):
    """This process divides the outbox by another number than the rest; the text has the way out."""


async def agree(connection: Connection, service: str, shards: int) -> None:
    """Note the number of shards, or see that it is the one noted.

    An outbox that holds no row, and that no living relay serves by another number, takes the new
    one. A process of the old number that was out of reach meanwhile can write no row: the table
    refuses it (migration 0004).

    Raises ShardsDiffer.
    """
    noted = await connection.fetchval(SQL["claim_shards"], shards)
    if noted == shards:
        return
    async with connection.transaction():
        await connection.execute(SQL["block_writers"])
        others = await connection.fetch(
            SQL["find_other_shards"], lock_class(_scope(service)), shards
        )
        if others or await connection.fetchval(SQL["has_waiting_rows"]):
            why = "and replicas that use them run" if others else "and rows wait in them"
            raise ShardsDiffer(
                f"the outbox of {service} has {noted} shards {why}: start with "
                f"ORDERFLOW_OUTBOX_SHARDS={noted}. To change it, stop all replicas of {service} "
                f"but one, wait until its orderflow_outbox_rows is 0, stop it, and start them with "
                f"{shards}"
            )
        await connection.execute(SQL["change_shards"], shards)


async def share(connection: Connection, service: str, shards: int) -> None:
    """Be seen by `agree` of others for as long as the connection lives.

    Raises ShardsDiffer when another number was noted since this process started.
    """
    await connection.fetchval(SQL["share_lease"], lock_class(_scope(service)), shards)
    noted = await connection.fetchval(SQL["claim_shards"], shards)
    if noted != shards:
        raise ShardsDiffer(
            f"the outbox of {service} was changed to {noted} shards while this process ran: "
            f"restart it with ORDERFLOW_OUTBOX_SHARDS={noted}"
        )


def _scope(service: str) -> str:
    return f"{service}/shards"
