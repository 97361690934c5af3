"""Segments: the table partitions of the outbox, truncated when empty (decision 0055).

A deleted row stays on disk until no transaction can see it any more, and every read steps over
it: a transaction that stays open for an hour keeps an hour of deleted rows. Rows are written to
one segment for ten seconds, then to the next. A segment without rows that is not written to is
truncated, which does not wait for older transactions.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import structlog
from asyncpg import Connection

from services.runtime.postgres.queries import load
from services.runtime.postgres.truncation import truncate

SQL = load(Path(__file__).parent / "outbox.sql")
WORN_BYTES = 1024 * 1024  # Truncating a smaller segment costs more than it frees.
CHECK_SECONDS = 1.0
PAUSE_MAX_SECONDS = 60.0

log = structlog.get_logger(__name__)


class OutboxSegments:
    """Truncates outbox segments that no writer uses.

    Called by the relay that holds shard 0. Concurrent calls are safe: each takes the table lock and
    checks again.
    """

    def __init__(self, worn_bytes: int = WORN_BYTES) -> None:
        self._worn_bytes = worn_bytes
        self._check_at = 0.0
        self._pause_seconds = CHECK_SECONDS

    async def truncate_empty(self, connection: Connection) -> list[str]:
        """Truncate large segments without rows, if the pause is over; returns their table names.

        A segment locked by another session (pg_dump locks it for as long as it runs) is left for
        the next time, after a pause that doubles, because writers queue behind the lock request.
        """
        now = asyncio.get_running_loop().time()
        if now < self._check_at:
            return []
        worn = await connection.fetch(SQL["find_worn_segments"], self._worn_bytes)
        try:
            found = [row["segment"] for row in worn]
            emptied = [each for each in found if await _truncate(connection, each)]
            self._pause_seconds = CHECK_SECONDS
        except asyncpg.LockNotAvailableError:
            emptied = []
            self._pause_seconds = min(PAUSE_MAX_SECONDS, self._pause_seconds * 2)
        self._check_at = now + self._pause_seconds
        return emptied


async def _truncate(connection: Connection, segment: str) -> bool:
    """Truncate a segment if it has no rows; returns whether it had none."""

    async def has_no_rows() -> bool:
        return not await connection.fetchval(SQL["has_rows"].replace("{segment}", segment))

    if not await truncate(connection, segment, has_no_rows):
        return False
    log.debug("outbox_part_truncated", part=segment)
    return True
