"""Finding the items that make a batch fail for good, so that the rest of it can go on.

A write that fails does not say which item it is of. The batch is tried again with fewer and fewer
of its items, in transactions that are rolled back, until one is left; that item is doomed, and the
batch is applied without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from services.runtime.batch.batch import BatchReport
from services.runtime.batch.items import WHOLE, Failure, ItemFailed, ItemRef, Kind
from services.runtime.messages.records import Coordinates
from services.runtime.retry import is_contention, is_transient

# A record with more culprits than these is parked from the next one on: each costs some ten tries.
CULPRITS_MAX = 10

log = structlog.get_logger(__name__)

Blames = Callable[[BaseException], bool]


class Run(Protocol):
    """One try of the work, in a transaction of its own; with `heard_max` it is rolled back."""

    async def __call__(
        self, doomed: Mapping[ItemRef, Failure], heard_max: int | None, report: BatchReport
    ) -> None:
        """Apply without the doomed items; raises what the work raises."""


class NoItemFails(Exception):
    """The work fails before any item is decided: the failure is no single item's."""


def blames_items(cause: BaseException) -> Blames:
    """Which errors are the fault of what is applied, after `cause` was found to be.

    Contention is nobody's, unless it was met so often in a row that it must be a bug.
    """
    endless = is_contention(cause)
    return lambda error: not is_transient(error) or (endless and is_contention(error))


async def apply_without_culprits(run: Run, cause: Exception) -> Mapping[ItemRef, Failure]:
    """Apply what can be applied after `cause` was raised, and park the rest; returns the culprits.

    Raises:
        NoItemFails: see there; nothing is applied.
        Exception: a fault expected to pass; nothing is applied, try again.
    """
    doomed: dict[ItemRef, Failure] = {}
    blames = blames_items(cause)
    while True:
        report = BatchReport()
        try:
            await run(doomed, None, report)
        except Exception as error:
            if not blames(error):
                raise
            found = await _culprits(_Trials(run, doomed, blames), error, report.heard)
            if doomed.keys() >= found.keys():
                raise NoItemFails from error
            doomed |= found
        else:
            return doomed


async def apply_record(run: Run, at: Coordinates, cause: Exception) -> None:
    """Apply one record without the items that fail; where it is none of them, park it unread."""
    try:
        await apply_without_culprits(run, cause)
    except NoItemFails:
        await run({ItemRef(at, WHOLE): Failure.of(Kind.WRITE, cause)}, None, BatchReport())


@dataclass(frozen=True, slots=True)
class _Trials:
    """Tries of the first so many items, without those that are doomed already."""

    run: Run
    doomed: Mapping[ItemRef, Failure]
    blames: Blames

    async def failure_of(self, count: int) -> Exception | None:
        """What the first `count` items make of it; None where they pass."""
        try:
            await self.run(self.doomed, count, BatchReport())
        except Exception as error:
            if not self.blames(error):
                raise
            return error
        return None


async def _culprits(
    trials: _Trials, error: Exception, heard: Sequence[ItemRef]
) -> Mapping[ItemRef, Failure]:
    """The first item that fails; all from there on where too many have failed before it."""
    if isinstance(error, ItemFailed):
        return {error.ref: _failure(error)}
    if not heard or await trials.failure_of(0):
        return {}
    passing, failing = 0, len(heard)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        found = await trials.failure_of(middle)
        if isinstance(found, ItemFailed):
            return {found.ref: _failure(found)}
        if found is None:
            passing = middle
        else:
            failing, error = middle, found
    are_many = len(trials.doomed) >= CULPRITS_MAX
    guilty = heard[passing:] if are_many else heard[passing:failing]
    log.warning("item_isolated", at=str(guilty[0].at), index=guilty[0].index, items=len(guilty))
    return dict.fromkeys(guilty, _failure(error))


def _failure(error: Exception) -> Failure:
    if isinstance(error, ItemFailed):
        return Failure.of(error.kind, error.__cause__ or error)
    return Failure.of(Kind.WRITE, error)
