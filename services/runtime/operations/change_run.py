"""A run that changes stored rows after the migrations, beside running services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from services.runtime.batch.batch import ApplyBatch

RATE = 1_000.0


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

    async def pace(self, rows: int) -> None:
        """Count changed rows, and wait as long as they are ahead of the rate."""
        self.changed += rows
        ahead = self.changed / self.rate - (time.monotonic() - self._started)
        await asyncio.sleep(max(0.0, ahead))
