"""The parking gate: which items of one batch may be decided, and which are parked. No I/O.

An item may be decided only if it shares no parking key with an earlier item that is still parked.
So the items of one order are decided in the order they came, and other orders are not delayed.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    WHOLE,
    Failure,
    FailureKind,
    ItemRef,
    Parked,
    ParkingCandidate,
    QueuePosition,
    RetryResult,
)
from services.runtime.config.allowed_sources import SOURCE_NOT_ALLOWED
from services.runtime.rejections import Rejection

BEHIND = Failure(FailureKind.BEHIND, "an earlier item that shares a name with it is parked")


class TurnNotEnded(RuntimeError):
    """A turn was left, or the next one begun, without `done` or `fail`: a bug of the caller."""

    def __init__(self, ref: ItemRef) -> None:
        super().__init__(
            f"the turn of item {ref.index} of {ref.at} has no end: call done() or fail()"
        )


class TurnEnded(RuntimeError):
    """`done` or `fail` was called on a turn that has its end or is blocked: a bug of the caller."""

    def __init__(self, ref: ItemRef) -> None:
        super().__init__(
            f"the turn of item {ref.index} of {ref.at} is blocked or has its end: end it once"
        )


class Turn:
    """The turn of one item: either `blocked`, or to be ended by one call of `done` or `fail`.

    A gate has one turn object and uses it for each item: an object per item would cost more.
    """

    __slots__ = ("_end", "_park", "blocked", "describe", "is_open", "ref", "row")

    def __init__(
        self,
        park: Callable[[ParkingCandidate, Failure, Parked | None], None],
        end: Callable[[ItemRef, str, str | None], None] | None,
    ) -> None:
        self._park = park
        self._end = end
        self.blocked = False
        """Whether the item must not be decided now: parked by the gate, or left out of a trial."""
        self.is_open = False
        self.ref: ItemRef
        self.describe: Callable[[], ParkingCandidate]
        self.row: Parked | None
        """The row of the queue whose position the item takes; None for an item from Kafka."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        del self.describe  # It refers to the caller, which refers to the gate: a cycle.
        if self.is_open:
            self.is_open = False
            if type_ is None:
                raise TurnNotEnded(self.ref)

    def done(self, became: str, detail: str | None = None) -> None:
        """The item has an outcome, or waits: if it was parked, it leaves the queue.

        Raises:
            TurnEnded: the turn is blocked or has its end.
        """
        if not self.is_open:
            raise TurnEnded(self.ref)
        self.is_open = False
        if self._end is not None:
            self._end(self.ref, became, detail)

    def fail(self, failure: Failure) -> None:
        """The decision failed: the item is parked, and later items that share a key behind it.

        Raises:
            TurnEnded: the turn is blocked or has its end.
        """
        if not self.is_open:
            raise TurnEnded(self.ref)
        self.is_open = False
        self._park(self.describe(), failure, self.row)


@dataclass(frozen=True, slots=True)
class NewlyParked:
    """An item that joins the queue: at its end, or at the position of the row that it came from."""

    candidate: ParkingCandidate
    failure: Failure
    beside: QueuePosition | None = None
    """The retried row that the item was part of or was woken by; None: the end of the queue."""


@dataclass(frozen=True, slots=True)
class StillParked:
    """A retried row that stays in the queue: it failed again, or is behind another one."""

    parked: Parked
    failure: Failure
    attempts: int
    keys: frozenset[str]


class ParkingGate:
    """The parking keys that are held during one batch, and the changes of the queue it leads to.

    `held` maps keys of parked items outside the batch to the first position that has the key.
    `newly_parked`, `still_parked` and `unparked` are what `Queue.save` writes.
    """

    def __init__(self, batch: Batch, held: Mapping[str, QueuePosition] | None = None) -> None:
        self.report = batch.report
        self.newly_parked: list[NewlyParked] = []
        self.still_parked: list[StillParked] = []
        self.unparked: dict[QueuePosition, Parked] = {}
        self._held = held or {}
        self._held_here: set[str] = set()
        self._known_failures = batch.known_failures
        self._stop_after = batch.stop_after
        self._rows = {row.ref: row for row in batch.retried}
        self._held_records: dict[QueuePosition, bool] = {}
        self._is_quiet = not (
            self._held or self._known_failures or self._rows or self._stop_after is not None
        )
        # A weak reference, also in bound methods: a cycle would keep the whole batch until the
        # rare garbage collection.
        gate = weakref.proxy(self)
        self._turn = Turn(
            lambda *item: gate._park_failed(*item),  # noqa: PLW0108, SLF001
            (lambda *item: gate.end(*item)) if self._rows else None,  # noqa: PLW0108
        )

    def turn(
        self,
        ref: ItemRef,
        describe: Callable[[], ParkingCandidate],
        waker: ItemRef | None = None,
    ) -> Turn:
        """Begin the turn of an item that was read; use it in a `with` statement.

        `describe` makes the item's candidate; it is called only where something is parked or
        fails, as keys cost time. `waker` is for an item that waited: the item that woke it, whose
        position in the queue it takes.

        Raises:
            TurnNotEnded: the turn before has no end.
        """
        turn = self._turn
        if turn.is_open:
            raise TurnNotEnded(turn.ref)
        turn.ref = ref
        turn.describe = describe
        turn.row = self._row_of(waker or ref) if self._rows else None
        if not self._is_quiet and not self._may_pass(turn, is_woken=waker is not None):
            turn.blocked = True
            return turn
        self.report.started.append(ref)
        turn.blocked = False
        turn.is_open = True
        return turn

    def waker_of(self, ref: ItemRef, describe: Callable[[], ParkingCandidate]) -> ItemRef | None:
        """The retried item that a waiting item was woken by: the first that shares a key with it.

        A waiting item that is itself retried is its own waker. None where nothing is retried.
        """
        if not self._rows:
            return None
        row = self._row_of(ref)
        if row is None:
            keys = describe().keys
            sharing = (each for each in self._rows.values() if not keys.isdisjoint(each.keys))
            row = next(sharing, None)
        return row.ref if row is not None else None

    def park(self, candidate: ParkingCandidate, failure: Failure) -> None:
        """Park an item that cannot be read, without a turn."""
        row = self._row_of(candidate.ref) if self._rows else None
        if row is None or not self._is_record_held(row):
            self._park_failed(candidate, failure, row)

    def refuse(self, rejection: Rejection) -> bool:
        """End an item that is refused without a decision; False if it stays parked behind another.

        A refused item from Kafka always ends.
        """
        ref = ItemRef(rejection.original.coordinates, rejection.index)
        if self._rows and self._row_of(ref) is not None:
            type_ = rejection.envelope.type
            candidate = ParkingCandidate(rejection.original, ref.index, None, type_, frozenset())
            with self.turn(ref, lambda: candidate) as turn:
                if not turn.blocked:
                    turn.done("rejected", rejection.reason)
                return not turn.blocked
        if rejection.reason != SOURCE_NOT_ALLOWED:  # That is an operator's rule, not bad input.
            self.report.malformed.append((ref, rejection.envelope.source or ""))
        return True

    def end(self, ref: ItemRef, became: str, detail: str | None = None) -> None:
        """End an item that needs no decision; if it was parked, it leaves the queue."""
        row = self._row_of(ref)
        if row is not None:
            self.unparked[row.position] = row
            # An outcome may be an enum; the result becomes a key of a JSON object.
            self.report.retry_results.append(RetryResult(row, str(became), detail))

    def _may_pass(self, turn: Turn, *, is_woken: bool) -> bool:
        if self._stop_after is not None and len(self.report.started) >= self._stop_after:
            return False
        if not (self._rows or self._held or self._held_here or self._known_failures):
            return True
        row = turn.row
        if row is not None and not is_woken and self._is_record_held(row):
            return False
        candidate = turn.describe()
        if self._is_held(self._stopping_keys(candidate), row):
            self._park(candidate, BEHIND, row)
            return False
        failure = self._known_failures.get(turn.ref)
        if failure is not None:
            self._park(candidate, failure, row)
        return failure is None

    def _is_record_held(self, row: Parked) -> bool:
        """Whether a record that was parked unread stays so, with all items that are read from it.

        That is found at its first item: afterwards its own items hold its keys.
        """
        if row.index != WHOLE:
            return False
        is_held = self._held_records.get(row.position)
        if is_held is None:
            is_held = self._held_records[row.position] = self._is_held(row.keys, row)
            if is_held:
                self._keep(row, BEHIND, row.keys)
        return is_held

    def _row_of(self, ref: ItemRef) -> Parked | None:
        """The retried row that an item is, or was read from."""
        return self._rows.get(ref) or self._rows.get(ItemRef(ref.at, WHOLE))

    def _keys_of(self, candidate: ParkingCandidate) -> frozenset[str]:
        """The keys to hold, and those it was parked with: a stored key is never dropped."""
        row = self._rows.get(candidate.ref)
        return candidate.held | row.keys if row is not None else candidate.held

    def _stopping_keys(self, candidate: ParkingCandidate) -> frozenset[str]:
        """The keys that an earlier item may hold against the candidate."""
        return self._keys_of(candidate) - candidate.shared

    def _is_held(self, keys: frozenset[str], row: Parked | None) -> bool:
        """Whether an earlier item that is parked has one of the keys; earlier than `row` if any."""
        if not self._held_here.isdisjoint(keys):
            return True
        if row is None:
            return not self._held.keys().isdisjoint(keys)
        position = row.position
        return any(key in self._held and self._held[key] < position for key in keys)

    def _park_failed(
        self, candidate: ParkingCandidate, failure: Failure, row: Parked | None
    ) -> None:
        is_held = failure.kind is not FailureKind.CRASH and self._is_held(
            self._stopping_keys(candidate), row
        )
        self._park(candidate, BEHIND if is_held else failure, row)

    def _park(self, candidate: ParkingCandidate, failure: Failure, row: Parked | None) -> None:
        if row is not None and row.ref == candidate.ref:
            self._keep(row, failure, self._keys_of(candidate))
        else:
            self._add(candidate, failure, row)
        self.report.parked.append((candidate.ref, failure.kind))

    def _add(self, candidate: ParkingCandidate, failure: Failure, row: Parked | None) -> None:
        self._hold(candidate.held)
        self.newly_parked.append(NewlyParked(candidate, failure, row.position if row else None))
        if row is not None and row.ref.at == candidate.original.coordinates:
            self.unparked[row.position] = row
            became = "behind" if failure.kind is FailureKind.BEHIND else "parked"
            self.report.retry_results.append(RetryResult(row, became, failure.error))

    def _keep(self, row: Parked, failure: Failure, keys: frozenset[str]) -> None:
        self._hold(keys)
        if failure.kind is not FailureKind.BEHIND:
            self.still_parked.append(StillParked(row, failure, row.attempts + 1, keys))
            self.report.retry_results.append(RetryResult(row, "parked", failure.error))
            return
        self.report.retry_results.append(RetryResult(row, "behind"))
        # A record that killed its process is retried only by an operator, so its kind stays.
        kind = FailureKind.CRASH if row.failure.kind is FailureKind.CRASH else FailureKind.BEHIND
        kept = Failure(kind, row.failure.error, row.failure.traceback)
        if self._is_overtaken(row, keys):
            self.unparked[row.position] = row
            candidate = ParkingCandidate(row.original, row.index, row.item_id, row.type, keys)
            self.newly_parked.append(NewlyParked(candidate, kept, row.position))
        elif kind is not row.failure.kind or keys != row.keys:
            self.still_parked.append(StillParked(row, kept, row.attempts, keys))

    def _is_overtaken(self, row: Parked, keys: frozenset[str]) -> bool:
        """Whether an item that `row` must stand behind has just been parked after it.

        Such an item was woken by an earlier row of the same id, and joins after the last of them.
        """
        return any(
            other.beside is not None
            and other.beside.id == row.position.id
            and other.beside < row.position
            and not other.candidate.keys.isdisjoint(keys)
            for other in self.newly_parked
        )

    def _hold(self, keys: frozenset[str]) -> None:
        self._held_here |= keys
        self._is_quiet = False
