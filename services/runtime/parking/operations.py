"""Operations on parked items: retry, skip, discard, edit.

Each runs inside the caller's transaction: the caller commits it, or rolls it back to see only what
would happen. What an item that fails has written is undone; the item stays parked.
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
    FailureKind,
    Parked,
    QueuePosition,
    RetryResult,
)
from services.runtime.parking import queue as rows
from services.runtime.parking.queue import SQL
from services.runtime.parking.selection import ParkedSelection, Remainder, select
from services.runtime.postgres.connections import transaction

SKIPPED = "skipped_by_operator"
DISCARDED = "discarded_by_operator"
LIMIT = 500

Target: TypeAlias = ParkedSelection | Remainder


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the items, in queue order."""

    items: tuple[RetryResult, ...]
    remainder: Remainder | None = None
    """The items that the limit left out, to be done in a later transaction."""
    chosen: Collection[QueuePosition] = ()
    """The items that were selected; the others were only behind them."""
    before: Parked | None = None
    """An edited item as it was before."""


class NotOneItem(Exception):
    """An edit selects no item or several; it must select exactly one."""

    def __init__(self, found: int) -> None:
        super().__init__(f"{found} parked items match: name exactly one, by its id")
        self.found = found


async def retry(
    connection: Connection,
    apply: ApplyBatch,
    target: Target,
    *,
    now: datetime,
    limit: int = LIMIT,
) -> Result:
    """Decide the items and those behind them again, in order.

    An item that fails stays parked, with all items behind it.
    """
    affected = await _lock_affected(connection, target, limit)
    return await affected.retry(connection, apply, now)


async def skip(
    connection: Connection,
    apply: ApplyBatch,
    target: Target,
    *,
    now: datetime,
    detail: str,
    limit: int = LIMIT,
) -> Result:
    """Refuse the items with a reason their sender can read; retry the items behind them."""
    affected = await _lock_affected(connection, target, limit)
    dismissed = _dismissals(affected.chosen, SKIPPED, detail)
    return await affected.retry(connection, apply, now, dismissed)


async def discard(
    connection: Connection,
    apply: ApplyBatch,
    target: Target,
    *,
    now: datetime,
    detail: str,
    limit: int = LIMIT,
) -> Result:
    """Refuse the items and all items behind them."""
    affected = await _lock_affected(connection, target, limit)
    dismissed = _dismissals(affected.positions, DISCARDED, detail)
    return await affected.retry(connection, apply, now, dismissed)


async def edit_and_retry(
    connection: Connection,
    apply: ApplyBatch,
    selection: ParkedSelection,
    *,
    now: datetime,
    value: bytes,
    limit: int = LIMIT,
) -> Result:
    """Replace the value of one item, and retry it and the items behind it.

    Raises:
        NotOneItem: none matches, or several.
    """
    await connection.execute(SQL["lock_retries"])
    found = await rows.read(connection, await select(connection, selection, 2))
    if len(found) != 1:
        raise NotOneItem(len(found))
    (before,) = found
    await connection.execute(SQL["edit_parked"], before.position.id, before.position.nth, value)
    only = ParkedSelection(positions=(before.position,))
    return replace(await retry(connection, apply, only, now=now, limit=limit), before=before)


async def apply_rows(
    connection: Connection,
    apply: ApplyBatch,
    parked: Sequence[Parked],
    *,
    now: datetime,
    dismissed: Mapping[QueuePosition, Dismissal] | None = None,
) -> list[RetryResult]:
    """Decide rows of the queue again, in queue order; returns what became of each.

    A row that cannot be written is found and stays parked. Runs in savepoints of the transaction.
    """

    async def work(batch: Batch) -> None:
        async with transaction(connection, is_trial=batch.is_trial):
            await apply(connection, batch)

    batch = Batch((), now, retried=tuple(parked), dismissed=dismissed or {})
    try:
        return (await bisect(work, batch)).report.retry_results
    except NoItemFails as error:
        half = len(parked) // 2
        if not half:
            return await _park_first(connection, apply, parked, now, error.__cause__ or error)
    results: list[RetryResult] = []
    for part in (parked[:half], parked[half:]):
        results += await apply_rows(connection, apply, part, now=now, dismissed=dismissed)
    return results


async def _park_first(
    connection: Connection,
    apply: ApplyBatch,
    parked: Sequence[Parked],
    now: datetime,
    error: BaseException,
) -> list[RetryResult]:
    """Keep the only row parked: it fails before it can be decided."""
    failure = {parked[0].ref: Failure.of(FailureKind.WRITE, error)}
    batch = Batch((), now, known_failures=failure, retried=tuple(parked))
    async with transaction(connection, is_trial=False):
        await apply(connection, batch)
    return batch.report.retry_results


@dataclass(frozen=True, slots=True)
class _Affected:
    """The rows that an operation decides again: the chosen ones and those behind them."""

    chosen: Collection[QueuePosition]
    positions: Sequence[QueuePosition]
    """The chosen rows and those behind them, in queue order, up to the limit."""
    left: Sequence[QueuePosition]
    """The same beyond the limit."""

    async def retry(
        self,
        connection: Connection,
        apply: ApplyBatch,
        now: datetime,
        dismissed: Mapping[QueuePosition, Dismissal] | None = None,
    ) -> Result:
        parked = await rows.read(connection, self.positions)
        if not parked:
            return Result(())
        results = await apply_rows(connection, apply, parked, now=now, dismissed=dismissed)
        return Result(tuple(results), self._remainder(), self.chosen)

    def _remainder(self) -> Remainder | None:
        if not self.left:
            return None
        chosen = tuple(position for position in self.left if position in self.chosen)
        behind = tuple(position for position in self.left if position not in self.chosen)
        return Remainder(chosen, behind)


async def _lock_affected(connection: Connection, target: Target, limit: int) -> _Affected:
    await connection.execute(SQL["lock_retries"])
    if isinstance(target, Remainder):
        chosen, heads = set(target.chosen), {*target.chosen, *target.behind}
    else:
        heads = chosen = set(await select(connection, target, None))
    affected = rows.with_behind(await rows.read_keys(connection), heads)
    return _Affected(chosen, affected[:limit], affected[limit:])


def _dismissals(
    positions: Collection[QueuePosition], reason: str, detail: str
) -> dict[QueuePosition, Dismissal]:
    return {position: Dismissal(reason, detail) for position in positions}
