"""Find the items that make a batch fail for good, so that the rest of the batch can be applied.

A write that fails does not say which item it belongs to. The batch is tried with fewer and fewer of
its items, in transactions that are rolled back, until one item is left; that item is parked, and
the batch is applied without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from services.runtime.batch.batch import Batch, BatchReport
from services.runtime.batch.items import Failure, FailureKind, ItemFailed, ItemRef
from services.runtime.retry import is_contention, is_transient

# A record with more failing items than these is parked from the next one on: each of them costs
# some ten trials.
FAILING_MAX = 10

log = structlog.get_logger(__name__)

Work = Callable[[Batch], Awaitable[None]]
"""Applies a batch in a transaction, and rolls it back where the batch is a trial."""
IsItemFault = Callable[[BaseException], bool]


class NoItemFails(Exception):
    """The batch fails before any item is decided: the error, its cause, is no single item's."""


def item_faults_after(first: BaseException) -> IsItemFault:
    """A test for errors that an item causes; `first` is the first error of the batch.

    Contention is not caused by an item, unless `first` is contention: then it is permanent.
    """
    is_endless = is_contention(first)
    return lambda error: not is_transient(error) or (is_endless and is_contention(error))


async def bisect(work: Work, batch: Batch, is_item_fault: IsItemFault | None = None) -> Batch:
    """Apply a batch without the items that fail, which are parked; returns it as it was applied.

    Without `is_item_fault` the first error decides (`item_faults_after`), and the batch is applied
    once more after contention.

    Raises:
        NoItemFails: nothing is applied; see the class.
        Exception: an error that is no item's fault; nothing is applied, try again.
    """
    failures: Mapping[ItemRef, Failure] = batch.known_failures
    while True:
        current = replace(batch, known_failures=failures, report=BatchReport())
        try:
            await work(current)
        except Exception as error:
            is_first, is_item_fault = not is_item_fault, is_item_fault or item_faults_after(error)
            if not is_item_fault(error):
                raise
            if is_first and is_contention(error):  # It may have passed by now.
                continue
            found = await _failing_items(_Trials(work, current, is_item_fault), error)
            if failures.keys() >= found.keys():
                raise NoItemFails from error
            failures = {**failures, **found}
        else:
            return current


@dataclass(frozen=True, slots=True)
class _Trials:
    """Trials of the first items of a batch, without those that are known to fail."""

    work: Work
    batch: Batch
    is_item_fault: IsItemFault

    async def failure_of(self, count: int) -> Exception | None:
        """The error of the first `count` items; None where they succeed."""
        try:
            trial = replace(self.batch, is_trial=True, stop_after=count, report=BatchReport())
            await self.work(trial)
        except Exception as error:
            if not self.is_item_fault(error):
                raise
            return error
        return None


async def _failing_items(trials: _Trials, error: Exception) -> Mapping[ItemRef, Failure]:
    """The first item that fails; all items from it on where many have failed before it."""
    if isinstance(error, ItemFailed):
        return {error.ref: _failure(error)}
    started: Sequence[ItemRef] = trials.batch.report.started
    if not started or await trials.failure_of(0):
        return {}
    passing, failing = 0, len(started)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        found = await trials.failure_of(middle)
        if isinstance(found, ItemFailed):
            return {found.ref: _failure(found)}
        if found is None:
            passing = middle
        else:
            failing, error = middle, found
    are_many = len(trials.batch.known_failures) >= FAILING_MAX
    items = started[passing:] if are_many else started[passing:failing]
    log.warning("item_isolated", at=str(items[0].at), index=items[0].index, items=len(items))
    return dict.fromkeys(items, _failure(error))


def _failure(error: Exception) -> Failure:
    if isinstance(error, ItemFailed):
        return Failure.of(error.kind, error.__cause__ or error)
    return Failure.of(FailureKind.WRITE, error)
