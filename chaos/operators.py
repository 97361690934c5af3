"""The operators of the campaign: what is parked is tried again, skipped, discarded, or mended."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from chaos import poison
from chaos.checker.tables import Kept
from chaos.stage import Stage
from chaos.traffic import DIARY_SHOP, Diary
from orderflow.parked.act import apply_of
from schemas.identity import order_id
from services.runtime.batch.items import FailureKind
from services.runtime.clock import clock_of
from services.runtime.parking import operations
from services.runtime.parking.keys import parking_key
from services.runtime.parking.operations import Result
from services.runtime.parking.selection import ParkedSelection
from services.runtime.postgres.connections import connect

ACTED_ON = 0.6
"""Share of the poisoned orders that an operator sees to in a round; the others stay."""
TRIES = 40
PAUSE_SECONDS = 0.5
ENDED = ("applied", "no_change", "rejected", "waiting")
"""What an item became that is not parked any more."""
WHY = "the campaign's operator"

Act = Callable[[asyncpg.Connection, ParkedSelection], Awaitable[Result]]


class Operators:
    """Act on what is parked, as `orderflow parked` does."""

    def __init__(self, stage: Stage) -> None:
        self._mended = poison.mended_file(stage.control)
        self._settings = stage.settings
        self._apply = apply_of("orders", self._settings)
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

    async def retry_crashes(self, parked: Sequence[Kept], poisoned: Sequence[Diary]) -> None:
        """What processes died at is tried again: it was the strikes that killed them.

        Decided here, where no bug is, poison goes on too.
        """
        crashes = [each for each in parked if each.kind == FailureKind.CRASH]
        decided = b""
        for service in sorted({each.service for each in crashes}):
            which = ParkedSelection(kind=FailureKind.CRASH)
            _, result = await self._until_done(service, which, self._retrying(service))
            decided += b"".join(
                item.parked.original.value or b"" for item in result.items if item.became in ENDED
            )
        for diary in poisoned:
            if f'"{diary.poison}"'.encode() in decided:
                diary.retried()
        self.acts["crashes retried"] += len(crashes)

    def _retrying(self, service: str) -> Act:
        now, apply = clock_of(self._settings).now, apply_of(service, self._settings)
        return lambda there, which: operations.retry(there, apply, which, now=now())

    async def _retry(self, diary: Diary) -> None:
        await self._do(diary, FailureKind.DECISION, self._retrying("orders"))
        diary.retried()
        self.acts["retried"] += 1

    async def _skip(self, diary: Diary) -> None:
        now = clock_of(self._settings).now
        await self._do(
            diary,
            FailureKind.DECISION,
            lambda there, which: operations.skip(there, self._apply, which, now=now(), detail=WHY),
        )
        diary.skipped()
        self.acts["skipped"] += 1

    async def _discard(self, diary: Diary) -> None:
        now = clock_of(self._settings).now
        await self._do(
            diary,
            FailureKind.DECISION,
            lambda there, which: operations.discard(
                there, self._apply, which, now=now(), detail=WHY
            ),
        )
        diary.discarded()
        self.acts["discarded"] += 1

    async def _do(self, diary: Diary, kind: FailureKind, act: Act) -> None:
        """One act on a diary in the orders service.

        Raises:
            AssertionError: nothing is parked of the order, or the act does not succeed.
        """
        which = ParkedSelection(
            parking_key=parking_key(order_id(DIARY_SHOP, diary.number)), kind=kind
        )
        tries, result = await self._until_done("orders", which, act)
        # After a commit whose answer was lost there is nothing left to act on.
        assert result.items or tries > 1, f"nothing is parked of {diary.key}"

    async def _until_done(
        self, service: str, which: ParkedSelection, act: Act
    ) -> tuple[int, Result]:
        """One act in one transaction; tried again while the database is away or locked."""
        tries = 1
        while True:
            try:
                return tries, await self._once(service, which, act)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if tries == TRIES:
                    raise
                tries += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self, service: str, which: ParkedSelection, act: Act) -> Result:
        connection = await connect(self._settings, service, "operator")
        try:
            async with connection.transaction():
                return await act(connection, which)
        finally:
            connection.terminate()
