"""Retries by the running service: failed items whose delay is over, and the items behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.runtime.background import every
from services.runtime.batch.batch import ApplyBatch
from services.runtime.clock import Clock
from services.runtime.parking import queue as rows
from services.runtime.parking.operations import apply_rows
from services.runtime.parking.queue import SQL
from services.runtime.postgres.connections import Pool

CHUNK_ITEMS = 200
STAYS = ("parked", "behind")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLoop:
    """Retries what is due, in transactions of a bounded number of items.

    One retry loop or operation works on a queue at a time, in whichever process.
    """

    service: str
    pool: Pool
    apply: ApplyBatch
    clock: Clock
    interval_seconds: float
    committed: Callable[[], None]
    """Called after a commit that retried items: the relay has something to read."""

    async def run(self) -> None:
        """Retry what is due every `interval_seconds`, until the task is cancelled."""
        await every(self.interval_seconds, "drain", self.retry_due, service=self.service)

    async def retry_due(self) -> int:
        """Retry some of what is due, in one transaction; returns how many items left the queue."""
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["try_lock_retries"]):
                return 0
            due = await rows.read(connection, await rows.find_due(connection, CHUNK_ITEMS))
            if not due:
                return 0
            results = await apply_rows(connection, self.apply, due, now=self.clock.now())
        left = sum(each.became not in STAYS for each in results)
        log.info("parked_items_retried", service=self.service, tried=len(due), left=left)
        self.committed()
        return left
