"""The operators of the campaign: what is parked is tried again, skipped, discarded, or mended."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg

from schemas.identity import order_id
from services.orders.batch import OrdersBatch
from services.runtime.clock import clock_of
from services.runtime.parking import acts
from services.runtime.parking.acts import Result, Selection
from services.runtime.parking.values import Kind
from services.runtime.postgres import connect
from services.runtime.service import process_metrics
from services.runtime.settings import Settings
from tests.faults.campaign import poison
from tests.faults.campaign.stage import Stage
from tests.faults.campaign.traffic import DIARY_SHOP, Diary

ACTED_ON = 0.6
"""Share of the poisoned orders that an operator sees to in a round; the others stay."""
TRIES = 40
PAUSE_SECONDS = 0.5
WHY = "the campaign's operator"

Act = Callable[[asyncpg.Connection, Selection], Awaitable[Result]]


class Operators:
    """Act on what is parked in the orders service, as `orderflow parked` does."""

    def __init__(self, stage: Stage) -> None:
        self._mended = poison.mended_file(stage.control)
        self._settings = Settings(
            database_url=stage.installation.database_url,
            kafka_bootstrap_servers=stage.installation.addresses.kafka_bootstrap_servers,
            kafka_topic_prefix=stage.installation.prefix,
            clock_file=Path(stage.installation.clock_file),
            outbox_shards=stage.outbox_shards,
        )
        self._apply = OrdersBatch(self._settings, process_metrics()).apply
        self.acts: Counter[str] = Counter()

    def mend(self, *, is_mended: bool) -> None:
        """Deploy a release without the bug, or the one with it again."""
        if is_mended:
            self._mended.touch()
        else:
            self._mended.unlink(missing_ok=True)

    async def act_in_the_storm(self, poisoned: Sequence[Diary], rng: random.Random) -> None:
        """While everything fails: some poison is tried again or skipped."""
        for diary in poisoned:
            if rng.random() < ACTED_ON:
                await asyncio.sleep(rng.uniform(0.0, 1.0))
                await rng.choice((self._retry, self._skip))(diary)

    async def act_in_peace(self, poisoned: Sequence[Diary], rng: random.Random) -> None:
        """When all is quiet, so that it is known what stands behind: some poison is discarded."""
        for diary in poisoned:
            if rng.random() < ACTED_ON / 3:
                await self._discard(diary)

    async def _retry(self, diary: Diary) -> None:
        now = clock_of(self._settings).now
        await self._do(
            diary,
            Kind.DECISION,
            lambda there, which: acts.retry(there, self._apply, which, now=now()),
        )
        diary.retried()
        self.acts["retried"] += 1

    async def _skip(self, diary: Diary) -> None:
        now = clock_of(self._settings).now
        await self._do(
            diary,
            Kind.DECISION,
            lambda there, which: acts.skip(there, self._apply, which, now=now(), detail=WHY),
        )
        diary.skipped()
        self.acts["skipped"] += 1

    async def _discard(self, diary: Diary) -> None:
        now = clock_of(self._settings).now
        await self._do(
            diary,
            Kind.DECISION,
            lambda there, which: acts.discard(there, self._apply, which, now=now(), detail=WHY),
        )
        diary.discarded()
        self.acts["discarded"] += 1

    async def _do(self, diary: Diary, kind: Kind, act: Act) -> None:
        """One act in one transaction; tried again while the database is away or locked.

        Raises:
            AssertionError: nothing is parked of the order, or the act does not succeed.
        """
        which = Selection(name=f"order:{order_id(DIARY_SHOP, diary.number)}", kind=kind)
        for attempt in range(TRIES):
            try:
                result = await self._once(which, act)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            # After a commit whose answer was lost there is nothing left to act on.
            assert result.items or attempt, f"nothing is parked of {diary.key}"
            return

    async def _once(self, which: Selection, act: Act) -> Result:
        connection = await connect(self._settings, "orders", "operator")
        try:
            async with connection.transaction():
                return await act(connection, which)
        finally:
            connection.terminate()
