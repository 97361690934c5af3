"""The sweep: it refuses items that have waited too long, and parks those that fail at that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from services.runtime.background import every
from services.runtime.batch.batch import Batch
from services.runtime.batch.bisection import bisect
from services.runtime.clock import Clock
from services.runtime.postgres.connections import Connection, Pool, transaction
from services.runtime.retry import is_transient

log = structlog.get_logger(__name__)


Sweep = Callable[[Connection, Batch], Awaitable[int]]
"""Refuse items that have expired by the batch's time and park those that are known to fail.

Returns how many items wait no longer.
"""


class ExpiryLoop:
    """Sweeps a service's waiting items, in transactions of a bounded number of items."""

    def __init__(
        self,
        *,
        service: str,
        pool: Pool,
        sweep: Sweep,
        clock: Clock,
        interval_seconds: float,
        committed: Callable[[], None],
    ) -> None:
        self._service = service
        self._pool = pool
        self._sweep = sweep
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._committed = committed

    async def run(self) -> None:
        """Sweep every `interval_seconds`, until the task is cancelled."""
        await every(self._interval_seconds, "sweep", self.sweep_once, service=self._service)

    async def sweep_once(self) -> int:
        """Sweep once, in one transaction; returns how many items wait no longer.

        An item that fails for a permanent reason is found and parked.
        """
        ended = 0

        async def work(batch: Batch) -> None:
            nonlocal ended
            async with (
                self._pool.acquire() as connection,
                transaction(connection, is_trial=batch.is_trial),
            ):
                ended = await self._sweep(connection, batch)

        batch = Batch((), self._clock.now())
        await bisect(work, batch, lambda error: not is_transient(error))
        if ended:
            self._committed()
        return ended
