"""A run that changes stored rows after the migrations, beside running services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from services.runtime.batch.batch import ApplyBatch
from services.runtime.postgres.connections import Connection
from services.runtime.retry import backoff_seconds, is_transient

RATE = 1_000.0
ATTEMPTS_MAX = 8


@dataclass(slots=True)
class ChangeRun:
    """What a run may use, and how fast it may change rows."""

    apply: ApplyBatch
    """Decides a batch of the service."""
    now: datetime
    say: Callable[[str], None]
    """Takes a line of progress; called often."""
    rate: float = RATE
    """Most rows a second."""
    changed: int = 0
    _started: float = field(default_factory=time.monotonic)

    async def attempt(self, connection: Connection, change: Callable[[], Awaitable[int]]) -> int:
        """Do a change in its own transaction, again after a transient error; returns its rows."""
        for attempt in range(1, ATTEMPTS_MAX):
            try:
                return await change()
            except Exception as error:
                if not is_transient(error) or connection.is_closed():
                    raise
                await asyncio.sleep(backoff_seconds(attempt))
        return await change()

    async def pace(self, rows: int) -> None:
        """Count changed rows, and wait as long as they are ahead of the rate."""
        self.changed += rows
        ahead = self.changed / self.rate - (time.monotonic() - self._started)
        await asyncio.sleep(max(0.0, ahead))
