"""Lanes: who may be decided in one batch, and who must stand behind what is parked. No I/O.

An item may be decided only if it shares no name with an earlier item that is still parked. So one
order's items leave in the order they came, and others are never held up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    WHOLE,
    Failure,
    ItemRef,
    Kind,
    Parked,
    ParkingCandidate,
    QueuePosition,
    RetryResult,
)
from services.runtime.config.allowed_sources import SOURCE_NOT_ALLOWED
from services.runtime.rejections import Rejection

BEHIND = Failure(Kind.BEHIND, "an earlier item that shares a name with it is parked")


@dataclass(frozen=True, slots=True)
class Joining:
    """An item that joins the queue: at its end, or beside the row in whose turn it came up."""

    entrant: ParkingCandidate
    failure: Failure
    beside: QueuePosition | None = None


@dataclass(frozen=True, slots=True)
class Staying:
    """A parked item that was tried again and stays: it failed, or is behind another one."""

    parked: Parked
    failure: Failure
    attempts: int
    names: frozenset[str]


class ParkingGate:
    """What is held by names during one batch, and what the batch adds to that and takes away.

    `held` are names of parked items outside the batch, each with the first place that has it.
    """

    def __init__(self, batch: Batch, held: Mapping[str, QueuePosition] | None = None) -> None:
        self.report = batch.report
        self.joining: list[Joining] = []
        self.staying: list[Staying] = []
        self.ended: dict[QueuePosition, Parked] = {}
        self._held = held or {}
        self._held_here: set[str] = set()
        self._known_failures = batch.known_failures
        self._stop_after = batch.stop_after
        self._rows = {row.slot: row for row in batch.retried}
        self._turn: Parked | None = None
        self._is_turn_held = False
        self._is_quiet = not (self._held or self._known_failures or self._rows)

    def begin(self, slot: ItemRef) -> None:
        """An item's turn begins; what it calls up stands where it stands."""
        if not self._rows:
            return
        row = self._row_of(slot)
        if row is self._turn and row is not None:  # The next item of a record parked unread.
            return
        self._turn = row
        self._is_turn_held = False
        if row is not None and row.index == WHOLE and self._is_held(row.names):
            self._is_turn_held = True
            self._stay(row, BEHIND, row.names)

    def call(self, slot: ItemRef, names: Callable[[], frozenset[str]]) -> None:
        """The turn of an item that waited: it stands where the row stands that called it up."""
        if not self._rows:
            return
        mine = names()
        callers = (row for row in self._rows.values() if not mine.isdisjoint(row.names))
        self._turn = self._row_of(slot) or next(callers, None)
        self._is_turn_held = False

    def admits(self, slot: ItemRef, describe: Callable[[], ParkingCandidate]) -> bool:
        """Whether the item is to be decided now; if not, it is parked here.

        `describe` is asked only where anything is parked or known to fail: names cost something.
        """
        if self._stop_after is not None and len(self.report.started) >= self._stop_after:
            return False
        if not self._is_quiet and not self._may_pass(slot, describe()):
            return False
        self.report.started.append(slot)
        return True

    def fail(self, entrant: ParkingCandidate, failure: Failure) -> None:
        """Park an item that cannot be read or decided; what shares a name stands behind it."""
        if self._is_turn_held:
            return
        is_held = failure.kind is not Kind.CRASH and self._is_held(self._names(entrant))
        self._park(entrant, BEHIND if is_held else failure)

    def refuses(self, slot: ItemRef, rejection: Rejection) -> bool:
        """Whether an item that is refused undecided may end now; one behind another may not."""
        if self._rows and self._row_of(slot) is not None:
            original, type_ = rejection.original, rejection.envelope.type
            known = ParkingCandidate(original, rejection.index, None, type_, frozenset())
            if not self.admits(slot, lambda: known):
                return False
            self.settle(slot, "rejected", rejection.reason)
        elif rejection.reason != SOURCE_NOT_ALLOWED:  # A rule's refusal: no flood of bad input.
            self.report.malformed.append((slot, rejection.envelope.source or ""))
        return True

    def settle(self, slot: ItemRef, became: str, detail: str | None = None) -> None:
        """An item has its outcome, or waits: if it was parked, it is so no longer."""
        row = self._row_of(slot) if self._rows else None
        if row is not None:
            self.ended[row.place] = row
            self.report.settled.append(RetryResult(row, became, detail))

    def _may_pass(self, slot: ItemRef, entrant: ParkingCandidate) -> bool:
        if self._is_turn_held:
            return False
        if self._is_held(self._names(entrant)):
            self._park(entrant, BEHIND)
            return False
        failure = self._known_failures.get(slot)
        if failure is not None:
            self._park(entrant, failure)
        return failure is None

    def _row_of(self, slot: ItemRef) -> Parked | None:
        return self._rows.get(slot) or self._rows.get(ItemRef(slot.at, WHOLE))

    def _names(self, entrant: ParkingCandidate) -> frozenset[str]:
        """Names once given stay, whatever they resolve to by now."""
        row = self._rows.get(entrant.slot)
        return entrant.names | row.names if row is not None else entrant.names

    def _is_held(self, names: frozenset[str]) -> bool:
        """Whether one of the names belongs to an earlier item that is parked."""
        if not self._held_here.isdisjoint(names):
            return True
        if self._turn is None:
            return not self._held.keys().isdisjoint(names)
        place = self._turn.place
        return any(name in self._held and self._held[name] < place for name in names)

    def _park(self, entrant: ParkingCandidate, failure: Failure) -> None:
        row, names = self._turn, self._names(entrant)
        if row is not None and row.slot == entrant.slot:
            self._stay(row, failure, names)
        else:
            self._join(row, entrant, failure)
        self.report.parked.append((entrant.slot, failure.kind))

    def _join(self, row: Parked | None, entrant: ParkingCandidate, failure: Failure) -> None:
        self._hold(entrant.names)
        self.joining.append(Joining(entrant, failure, row.place if row else None))
        if row is not None and row.slot.at == entrant.original.coordinates:
            self.ended[row.place] = row
            became = "behind" if failure.kind is Kind.BEHIND else "parked"
            self.report.settled.append(RetryResult(row, became, failure.error))

    def _stay(self, row: Parked, failure: Failure, names: frozenset[str]) -> None:
        self._hold(names)
        if failure.kind is not Kind.BEHIND:
            self.staying.append(Staying(row, failure, row.attempts + 1, names))
            self.report.settled.append(RetryResult(row, "parked", failure.error))
            return
        self.report.settled.append(RetryResult(row, "behind"))
        # What killed the process stays what only an operator tries again.
        kind = Kind.CRASH if row.failure.kind is Kind.CRASH else Kind.BEHIND
        kept = Failure(kind, row.failure.error, row.failure.traceback)
        if self._is_passed(row, names):
            self.ended[row.place] = row
            entrant = ParkingCandidate(row.original, row.index, row.item_id, row.type, names)
            self.joining.append(Joining(entrant, kept, row.place))
        elif kind is not row.failure.kind or names != row.names:
            self.staying.append(Staying(row, kept, row.attempts, names))

    def _is_passed(self, row: Parked, names: frozenset[str]) -> bool:
        """Whether something it must stand behind has just joined after it: beside an earlier row
        of the same id, in whose turn it was called up.
        """
        return any(
            other.beside is not None
            and other.beside.id == row.place.id
            and other.beside < row.place
            and not other.entrant.names.isdisjoint(names)
            for other in self.joining
        )

    def _hold(self, names: frozenset[str]) -> None:
        self._held_here |= names
        self._is_quiet = False
