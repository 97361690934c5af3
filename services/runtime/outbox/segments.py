"""The parts of the outbox: what is published is dropped whole, not row by row (decision 0055).

A deleted row stays on disk until no transaction anywhere can still see it: one left open for an
hour keeps an hour of dead rows, and every read steps over them. A part that no writer's clock
names any more, and that holds no row, is truncated instead, which asks no older transaction.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import structlog
from asyncpg import Connection

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")
WORN_BYTES = 1024 * 1024  # Below, truncating costs more than it gives back.
LOCK_WAIT_MS = 50
LOOK_SECONDS = 1.0
PATIENCE_MAX_SECONDS = 60.0

log = structlog.get_logger(__name__)


class OutboxSegments:
    """Truncates the parts at rest; nobody else may, but it is safe if somebody does."""

    def __init__(self, worn_bytes: int = WORN_BYTES) -> None:
        self._worn_bytes = worn_bytes
        self._look_at = 0.0
        self._patience_seconds = LOOK_SECONDS

    async def tidy(self, connection: Connection) -> list[str]:
        """Truncate what is worn and empty, if it is time to look; returns the parts' names.

        A part that somebody else holds (pg_dump does, for as long as it runs) is left for later,
        and asked for less and less often, because writers stand behind us while we ask.
        """
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return []
        worn = await connection.fetch(SQL["find_worn_parts"], self._worn_bytes)
        try:
            emptied = [row["part"] for row in worn if await _truncate(connection, row["part"])]
            self._patience_seconds = LOOK_SECONDS
        except asyncpg.LockNotAvailableError:
            emptied = []
            self._patience_seconds = min(PATIENCE_MAX_SECONDS, self._patience_seconds * 2)
        self._look_at = now + self._patience_seconds
        return emptied


async def _truncate(connection: Connection, part: str) -> bool:
    """Whether the part was empty, and now is new.

    One lock on one table in a transaction of its own: it can be in nobody's way for longer than
    the timeout, and in no deadlock. Rows are looked for under the lock, where no writer can have
    one uncommitted.
    """
    async with connection.transaction():
        await connection.execute(SQL["wait_briefly"], f"{LOCK_WAIT_MS}ms")
        await connection.execute(SQL["lock_part"].replace("{part}", part))
        if await connection.fetchval(SQL["has_rows"].replace("{part}", part)):
            return False
        await connection.execute(SQL["truncate_part"].replace("{part}", part))
    log.debug("outbox_part_truncated", part=part)
    return True
