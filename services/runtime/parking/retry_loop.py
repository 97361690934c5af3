"""Retries by the running service: failed items whose delay is over, and the items behind them."""

from __future__ import annotations

from collections.abc import Callable

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


class RetryLoop:
    """Retries what is due, in transactions of a bounded number of items.

    One retry loop or operation works on a queue at a time, in whichever process.
    """

    def __init__(
        self,
        *,
        service: str,
        pool: Pool,
        apply: ApplyBatch,
        clock: Clock,
        interval_seconds: float,
        committed: Callable[[], None],
    ) -> None:
        self._service = service
        self._pool = pool
        self._apply = apply
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._committed = committed

    async def run(self) -> None:
        """Retry what is due every `interval_seconds`, until the task is cancelled."""
        await every(self._interval_seconds, "drain", self.retry_due, service=self._service)

    async def retry_due(self) -> int:
        """Retry some of what is due, in one transaction; returns how many items left the queue."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["try_lock_retries"]):
                return 0
            due = await rows.read(connection, await rows.find_due(connection, CHUNK_ITEMS))
            if not due:
                return 0
            results = await apply_rows(connection, self._apply, due, now=self._clock.now())
        left = sum(each.became not in STAYS for each in results)
        log.info("parked_items_retried", service=self._service, tried=len(due), left=left)
        self._committed()
        return left
