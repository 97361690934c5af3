"""Older items: digests of applied items for which an order's own row has no room any more.

An order names in its row the newest items that were applied to it. Those that are pushed out of the
row are kept here for at least 30 days, by partitions of ten days that are truncated as a whole
(docs/decisions/0125). Orders that were sent few commands have nothing here.

A digest is a signed 64-bit integer made of an item's id.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import asyncpg
import structlog
from asyncpg import Connection

from services.runtime.postgres.connections import Pool
from services.runtime.postgres.queries import affected_rows, load
from services.runtime.postgres.truncation import truncate

SQL = load(Path(__file__).parent / "older_items.sql")
FORGET_SECONDS = 600.0
"""Seconds between two looks for a partition to truncate."""

OlderItem = tuple[str, int]
"""The id of an order, and the digest of an item that was applied to it."""

log = structlog.get_logger(__name__)


async def find(connection: Connection, asked: Collection[OlderItem]) -> dict[str, set[int]]:
    """The digests of those of the items that are kept, by order."""
    found: dict[str, set[int]] = {}
    if asked:
        for row in await connection.fetch(SQL["find_older"], *_columns(asked)):
            found.setdefault(str(row["owner"]), set()).add(row["digest"])
    return found


async def save(connection: Connection, items: Collection[OlderItem]) -> int:
    """Keep items, in the caller's transaction; it holds the locks of their orders.

    Returns how many of them were not kept before.
    """
    if not items:
        return 0
    return affected_rows(await connection.execute(SQL["save_older"], *_columns(items)))


async def forget(pool: Pool) -> str | None:
    """Truncate the partition whose items are all older than 30 days; returns its name, if it did.

    A partition that another session has locked (pg_dump locks it for as long as it runs) is left
    for the next time.
    """
    async with pool.acquire() as connection:
        partition: str | None = await connection.fetchval(SQL["find_expired_partition"])
        if partition is None:
            return None

        async def is_expired() -> bool:
            return bool(await connection.fetchval(SQL["find_expired_partition"]) == partition)

        try:
            if not await truncate(connection, partition, is_expired):
                return None
        except asyncpg.LockNotAvailableError:
            return None
    log.info("older_items_forgotten", partition=partition)
    return partition


def _columns(items: Collection[OlderItem]) -> tuple[list[str], list[int]]:
    return [owner for owner, _ in items], [digest for _, digest in items]
