"""The unit of work of one batch: commands are decided in order, each on the results before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from services.claims.domain.claim import Claim
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decide import decide
from services.claims.domain.decision import Decision, Outcome
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy
from services.claims.domain.reasons import NoChangeReason
from services.claims.domain.references import claim_key
from services.claims.intake import Task
from services.claims.loaded import Loaded
from services.claims.parking_keys import task_candidate, unread_candidate
from services.runtime.batch.items import Failure, FailureKind, ItemRef
from services.runtime.parking.gate import ParkingGate


@dataclass(frozen=True, slots=True)
class Decided:
    """A task, its decision, and the claims of its order after it."""

    task: Task
    decision: Decision
    claims: tuple[Claim, ...] = ()
    order: OrderCopy | None = None
    """The copy of the order that was decided on."""


REPEATED = Decision(
    outcome=Outcome.NO_CHANGE,
    reason=NoChangeReason.DUPLICATE,
    detail="the same command was sent before, and waits",
)


@dataclass(slots=True)
class UnitOfWork:
    """Decides the tasks of a batch in order and keeps the changes to be written."""

    now: datetime
    wait: timedelta
    loaded: Loaded
    decided: list[Decided] = field(default_factory=list)
    claims: dict[Uuid, Claim] = field(default_factory=dict)
    """Changed claims, as the last decision left them."""
    sequences: dict[Uuid, int] = field(default_factory=dict)

    def run(self) -> None:
        """Decide every task; those that waited for a claim come right after it is opened."""
        self.claims.update(self.loaded.snapshot_claims)
        self.sequences.update(self.loaded.sequences)
        for unread in self.loaded.unread:
            self.gate.park(unread_candidate(unread), unread.failure)
        due = deque(self.loaded.tasks)
        while due:
            task = due.popleft()
            if self._is_early(task):
                continue
            decision = self._decide_or_park(task)
            if decision and decision.event:
                due.extendleft(reversed(self._woken_by(decision.event.claim.claim_id)))
        # Their claims were not opened, but their time may be over.
        for waiting in self.loaded.waiting_for_claims.values():
            for task in waiting:
                self._decide_or_park(task)

    def new_waits(self) -> list[Decided]:
        """Items that wait and have no waiting row for what they wait for yet."""
        return [
            each
            for each in self.decided
            if each.decision.waits_for and each.task.waits_for != each.decision.waits_for
        ]

    def conclude(self, stored: Collection[Uuid]) -> None:
        """Make the decisions final; `stored` are the ids of `new_waits` that got a row.

        The others, and all but the first with one id, are repeats: the same item waits already.
        """
        open_ = set(stored)
        repeats = set()
        for each in self.new_waits():
            if each.task.command.item_id in open_:
                open_.remove(each.task.command.item_id)
            else:
                repeats.add(id(each))
        self.decided = [
            replace(each, decision=REPEATED) if id(each) in repeats else each
            for each in self.decided
        ]

    def expires_at(self, task: Task) -> datetime:
        """Until when the task may wait, in business time."""
        return task.expires_at or self.now + self.wait

    def _is_early(self, task: Task) -> bool:
        """Put back a change of a claim that is missing: this batch may still open the claim."""
        command = task.command
        if isinstance(command, OpenClaim) or command.claim_id in self.loaded.owners:
            return False
        self.loaded.waiting_for_claims.setdefault(claim_key(command.claim_id), []).append(task)
        return True

    def _woken_by(self, claim: Uuid) -> list[Task]:
        return self.loaded.waiting_for_claims.pop(claim_key(claim), [])

    @property
    def gate(self) -> ParkingGate:
        """The parking gate of the batch."""
        return self.loaded.gate

    def _decide_or_park(self, task: Task) -> Decision | None:
        """Decide a task; None if it is parked, or was already."""
        order = self.loaded.order_of(task)
        ref = ItemRef(task.original.coordinates, 0)
        describe = partial(task_candidate, task, self.loaded.orders_of(task))
        waker = self.gate.waker_of(ref, describe) if task.waits_for else None
        with self.gate.turn(ref, describe, waker) as turn:
            if not turn.blocked:
                try:
                    decision = self._decide(task, order)
                except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
                    turn.fail(Failure.of(FailureKind.DECISION, error))
                else:
                    turn.done(decision.outcome, decision.reason)
                    return decision
        if task.waits_for:
            self.loaded.ended.append(task.command.item_id)
        return None

    def _decide(self, task: Task, order: Uuid | None) -> Decision:
        state = self.loaded.states.get(order) if order else None
        bearers = self.loaded.bearers_of(task)
        decision = self._in_time(task, decide(state, task.command, self.now, bearers))
        if state and order and decision.claim:
            state = state.after(decision)
            self.loaded.states[order] = state
            self.loaded.owners[decision.claim.claim_id] = order
            self.claims[decision.claim.claim_id] = decision.claim
        if state and order and decision.event:
            self.sequences[order] = decision.event.sequence
        claims = tuple(state.claims.values()) if state and decision.event else ()
        self.decided.append(Decided(task, decision, claims, state.order if state else None))
        return decision

    def _in_time(self, task: Task, decision: Decision) -> Decision:
        """The decision; a task that has waited too long is refused for the reason it waited."""
        if decision.outcome is Outcome.WAITING and self.expires_at(task) <= self.now:
            return Decision(
                outcome=Outcome.REJECTED,
                reason=decision.reason,
                detail=decision.detail,
                pointer=decision.pointer,
            )
        return decision
