"""The sweep: what has waited too long ends, and one item that cannot end holds up no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog

from services.runtime.background import every
from services.runtime.batch.batch import Batch, BatchReport
from services.runtime.batch.bisection import apply_without_culprits
from services.runtime.batch.items import Failure, ItemRef
from services.runtime.clock import Clock
from services.runtime.postgres.connections import Connection, Pool, transaction
from services.runtime.retry import is_transient

log = structlog.get_logger(__name__)


# End what has waited too long at the batch's time, and park what is doomed; how many are done with.
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
        """Sweep every `interval_seconds`, until the task is cancelled."""
        await every(self._interval_seconds, "sweep", self.sweep_once, service=self._service)

    async def sweep_once(self) -> int:
        """One transaction's worth; an item that fails for good is found, and parked."""
        ended = 0

        async def run(
            doomed: Mapping[ItemRef, Failure], heard_max: int | None, report: BatchReport
        ) -> None:
            nonlocal ended
            now = self._clock.now()
            batch = Batch((), now, doomed=doomed, heard_max=heard_max, report=report)
            async with (
                self._pool.acquire() as connection,
                transaction(connection, is_trial=batch.is_trial),
            ):
                ended = await self._sweep(connection, batch)

        try:
            await run({}, None, BatchReport())
        except Exception as error:
            if is_transient(error):
                raise
            await apply_without_culprits(run, error)
        if ended:
            self._committed()
        return ended
