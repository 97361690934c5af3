"""Truncation of one table partition, without holding up its readers and writers for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from asyncpg import Connection

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "truncation.sql")
LOCK_WAIT_MS = 50


async def truncate(
    connection: Connection, table: str, may_truncate: Callable[[], Awaitable[bool]]
) -> bool:
    """Truncate a partition if `may_truncate` is true under its lock; returns whether it was.

    The transaction locks one table and waits at most LOCK_WAIT_MS for it, so it cannot take part in
    a deadlock. Under the lock no other session has uncommitted rows in the table.

    Raises:
        asyncpg.LockNotAvailableError: another session has the table locked (pg_dump locks it for
            as long as it runs).
    """
    async with connection.transaction():
        await connection.execute(SQL["wait_briefly"], f"{LOCK_WAIT_MS}ms")
        await connection.execute(SQL["lock_partition"].replace("{segment}", table))
        if not await may_truncate():
            return False
        await connection.execute(SQL["truncate_partition"].replace("{segment}", table))
    return True
