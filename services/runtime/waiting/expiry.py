"""The sweep: what has waited too long ends, and one item that cannot end holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.runtime.batch.batch import Batch
from services.runtime.batch.bisection import bisect
from services.runtime.clock import Clock
from services.runtime.postgres.connections import Connection, Pool, transaction
from services.runtime.retry import forget_rows, is_transient

log = structlog.get_logger(__name__)


# End what has waited too long at the batch's time, and park known failures; how many are done with.
Sweep = Callable[[Connection, Batch], Awaitable[int]]


class ExpiryLoop:
    """Sweeps from time to time, in bounded transactions."""

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
        """Sweep for ever."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                while await self.sweep_once():
                    pass
            except Exception as error:
                forget_rows(error)
                log.warning("sweep_failed", service=self._service, exc_info=error)

    async def sweep_once(self) -> int:
        """One transaction's worth; an item that fails for good is found, and parked."""
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
