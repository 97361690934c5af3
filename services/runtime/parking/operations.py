"""What is done about parked items: tried again, skipped, discarded, edited.

All of it inside the caller's transaction: who calls commits, or rolls back to see only what would
happen. Whatever fails on the way is undone up to its item, which stays parked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from asyncpg import Connection

from services.runtime.batch.batch import ApplyBatch, Batch
from services.runtime.batch.bisection import NoItemFails, bisect
from services.runtime.batch.items import (
    Dismissal,
    Failure,
    Kind,
    Parked,
    QueuePosition,
    RetryResult,
)
from services.runtime.parking import queue as rows
from services.runtime.parking.queue import SQL
from services.runtime.parking.selection import Rest, Selection, select
from services.runtime.postgres.connections import transaction

SKIPPED = "skipped_by_operator"
DISCARDED = "discarded_by_operator"
LIMIT = 500

Meant: TypeAlias = Selection | Rest


@dataclass(frozen=True, slots=True)
class Result:
    """What became of each item, in the order of the queue."""

    items: tuple[RetryResult, ...]
    rest: Rest | None = None
    """What the limit left out: to be acted on in another transaction."""
    chosen: Collection[QueuePosition] = ()
    """The items that were meant; the others only stood behind them."""
    before: Parked | None = None
    """An edited item as it was."""


class NotOne(Exception):
    """An edit must mean exactly one item."""

    def __init__(self, found: int) -> None:
        super().__init__(f"{found} parked items match: name exactly one, by its id")
        self.found = found


async def retry(
    connection: Connection,
    apply: ApplyBatch,
    meant: Meant,
    *,
    now: datetime,
    limit: int = LIMIT,
) -> Result:
    """Decide the items and what stands behind them again, in order; a failure stops its queue."""
    line = await _lock_line(connection, meant, limit)
    return await line.tried(connection, apply, now)


async def skip(
    connection: Connection,
    apply: ApplyBatch,
    meant: Meant,
    *,
    now: datetime,
    detail: str,
    limit: int = LIMIT,
) -> Result:
    """Refuse the items, for their sender to read why; what stands behind them is tried again."""
    line = await _lock_line(connection, meant, limit)
    return await line.tried(connection, apply, now, _ends(line.chosen, SKIPPED, detail))


async def discard(
    connection: Connection,
    apply: ApplyBatch,
    meant: Meant,
    *,
    now: datetime,
    detail: str,
    limit: int = LIMIT,
) -> Result:
    """Refuse the items and all that stands behind them."""
    line = await _lock_line(connection, meant, limit)
    return await line.tried(connection, apply, now, _ends(line.places, DISCARDED, detail))


async def edit_and_retry(
    connection: Connection,
    apply: ApplyBatch,
    selection: Selection,
    *,
    now: datetime,
    value: bytes,
    limit: int = LIMIT,
) -> Result:
    """Put `value` in the place of one item's, and try it and what stands behind it again.

    Raises:
        NotOne: none matches, or several.
    """
    await connection.execute(SQL["lock_drain"])
    found = await rows.read(connection, await select(connection, selection, 2))
    if len(found) != 1:
        raise NotOne(len(found))
    (before,) = found
    await connection.execute(SQL["edit_parked"], before.place.id, before.place.nth, value)
    only = Selection(places=(before.place,))
    return replace(await retry(connection, apply, only, now=now, limit=limit), before=before)


async def try_again(
    connection: Connection,
    apply: ApplyBatch,
    parked: Sequence[Parked],
    *,
    now: datetime,
    dismissed: Mapping[QueuePosition, Dismissal] | None = None,
) -> list[RetryResult]:
    """Apply rows of the queue, in its order, and say what became of each.

    What fails to be written is found and stays parked. Runs in savepoints of the transaction.
    """

    async def work(batch: Batch) -> None:
        async with transaction(connection, is_trial=batch.is_trial):
            await apply(connection, batch)

    batch = Batch((), now, retried=tuple(parked), dismissed=dismissed or {})
    try:
        return (await bisect(work, batch)).report.settled
    except NoItemFails as error:
        half = len(parked) // 2
        if not half:
            return await _keep(connection, apply, parked, now, error.__cause__ or error)
    settled: list[RetryResult] = []
    for part in (parked[:half], parked[half:]):
        settled += await try_again(connection, apply, part, now=now, dismissed=dismissed)
    return settled


async def _keep(
    connection: Connection,
    apply: ApplyBatch,
    parked: Sequence[Parked],
    now: datetime,
    error: BaseException,
) -> list[RetryResult]:
    """A row that fails before it can be decided stays parked."""
    failure = {parked[0].slot: Failure.of(Kind.WRITE, error)}
    batch = Batch((), now, known_failures=failure, retried=tuple(parked))
    async with transaction(connection, is_trial=False):
        await apply(connection, batch)
    return batch.report.settled


@dataclass(frozen=True, slots=True)
class _Line:
    """What was chosen, and what is to be tried with it: the chosen and those behind, in order."""

    chosen: Collection[QueuePosition]
    places: Sequence[QueuePosition]
    left: Sequence[QueuePosition]

    async def tried(
        self,
        connection: Connection,
        apply: ApplyBatch,
        now: datetime,
        dismissed: Mapping[QueuePosition, Dismissal] | None = None,
    ) -> Result:
        parked = await rows.read(connection, self.places)
        if not parked:
            return Result(())
        settled = await try_again(connection, apply, parked, now=now, dismissed=dismissed)
        return Result(tuple(settled), self._rest(), self.chosen)

    def _rest(self) -> Rest | None:
        if not self.left:
            return None
        chosen = tuple(place for place in self.left if place in self.chosen)
        return Rest(chosen, tuple(place for place in self.left if place not in self.chosen))


async def _lock_line(connection: Connection, meant: Meant, limit: int) -> _Line:
    await connection.execute(SQL["lock_drain"])
    if isinstance(meant, Rest):
        chosen, heads = set(meant.chosen), {*meant.chosen, *meant.behind}
    else:
        heads = chosen = set(await select(connection, meant, None))
    line = rows.line_of(await rows.read_queue(connection), heads)
    return _Line(chosen, line[:limit], line[limit:])


def _ends(
    places: Collection[QueuePosition], reason: str, detail: str
) -> dict[QueuePosition, Dismissal]:
    return {place: Dismissal(reason, detail) for place in places}
