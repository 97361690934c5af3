"""The sweep: it refuses items that have waited too long, and parks those that fail at that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

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

Returns how much ended: items that wait no longer, and what was kept only for such items. A number
above 0 says that more may be left.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryLoop:
    """Sweeps a service's waiting items, in transactions of a bounded number of items."""

    service: str
    pool: Pool
    sweep: Sweep
    clock: Clock
    interval_seconds: float
    committed: Callable[[], None]
    """Called after a commit that ended anything: the relay has something to read."""

    async def run(self) -> None:
        """Sweep every `interval_seconds`, until the task is cancelled."""
        await every(self.interval_seconds, "sweep", self.sweep_once, service=self.service)

    async def sweep_once(self) -> int:
        """Sweep once, in one transaction; returns how much ended, as the sweep says it.

        An item that fails for a permanent reason is found and parked.
        """
        ended = 0

        async def work(batch: Batch) -> None:
            nonlocal ended
            async with (
                self.pool.acquire() as connection,
                transaction(connection, is_trial=batch.is_trial),
            ):
                ended = await self.sweep(connection, batch)

        batch = Batch((), self.clock.now())
        await bisect(work, batch, lambda error: not is_transient(error))
        if ended:
            self.committed()
        return ended
