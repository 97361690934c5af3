"""Packed rows of the outbox put back into arrays, in their places: what the version before reads.

A row is written packed while no relay of the version before is alive. One that starts just then
fails at the row and tries again; a relay of this version unpacks it meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import structlog
from asyncpg import Connection

from services.runtime.messages.headers import Unreadable, pack_headers, read_headers
from services.runtime.outbox.packing import unpack
from services.runtime.postgres.queries import load

SQL_FILE = Path(__file__).parent / "outbox.sql"
SQL = load(SQL_FILE)
ROWS_A_SHARD = 2  # In memory at once, of each shard.

log = structlog.get_logger(__name__)


async def unpack_rows(connection: Connection, shards: Collection[int]) -> int:
    """Unpack the oldest packed rows of these shards; returns how many.

    Rows that another transaction has locked, and rows that cannot be read, are left as they are.
    """
    done = 0
    async with connection.transaction():
        for row in await connection.fetch(SQL["lock_packed"], sorted(shards), ROWS_A_SHARD):
            try:
                await _unpack(connection, row)
                done += 1
            except Unreadable as error:
                log.warning("row_unreadable", shard=row["shard"], row=row["id"], error=str(error))
    return done


async def unpack_one(connection: Connection, shard: int, row: int) -> bool:
    """Unpack one row; whether there is such a row and it was packed.

    Raises:
        Unreadable: it cannot be read; it is left as it is.
    """
    async with connection.transaction():
        found = await connection.fetchrow(SQL["lock_packed_row"], shard, row)
        if found is None:
            return False
        await _unpack(connection, found)
        return True


async def _unpack(connection: Connection, row: Any) -> None:
    records = unpack(row["packed"], row["records"], row["unpacked_bytes"])
    headers = [pack_headers(read_headers(each)) for each in records.headers]
    size = sum(sum(map(len, column)) for column in (records.keys, headers, records.values))
    await connection.execute(
        SQL["unpack_row"],
        *(row[column] for column in ("shard", "id", "slot")),
        records.topics,
        records.keys,
        headers,
        records.values,
        size,
    )
