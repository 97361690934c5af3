"""The docket of one batch: each command decided in its turn, on what the ones before it left."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from services.claims.domain.claim import Claim
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decide import decide
from services.claims.domain.decision import Decision, Outcome
from services.claims.domain.ids import Uuid
from services.claims.domain.references import claim_name
from services.claims.intake import Task
from services.claims.loading import Gathered
from services.claims.parking_keys import entrant_of, names_of, unread_entrant
from services.runtime.batch.items import Failure, ItemRef, Kind
from services.runtime.parking.gate import ParkingGate


@dataclass(frozen=True, slots=True)
class Decided:
    """A task, what became of it, and the order's claims after it."""

    task: Task
    decision: Decision
    claims: tuple[Claim, ...] = ()


@dataclass(slots=True)
class UnitOfWork:
    """Decides in order and keeps what is to be written."""

    now: datetime
    wait: timedelta
    gathered: Gathered
    decided: list[Decided] = field(default_factory=list)
    claims: dict[Uuid, Claim] = field(default_factory=dict)
    """Changed claims, as they are in the end."""
    sequences: dict[Uuid, int] = field(default_factory=dict)

    def run(self) -> None:
        """Decide every task; what waited for a claim comes right after its opening."""
        self.claims.update(self.gathered.told)
        self.sequences.update(self.gathered.sequences)
        for unread in self.gathered.unread:
            self.lanes.begin(ItemRef(unread.original.coordinates, unread.index))
            self.lanes.fail(unread_entrant(unread), unread.failure)
        due = deque(self.gathered.tasks)
        while due:
            task = due.popleft()
            if self._is_early(task):
                continue
            decision = self._decide_or_park(task)
            if decision and decision.event:
                due.extendleft(reversed(self._called(decision.event.claim.claim_id)))
        for left in self.gathered.awaiting.values():  # Nothing came, but they may be late.
            for task in left:
                self._decide_or_park(task)

    def expires_at(self, task: Task) -> datetime:
        """Until when the task may wait."""
        return task.expires_at or self.now + self.wait

    def _is_early(self, task: Task) -> bool:
        """Set a change of a claim that is not there aside: this batch may open the claim yet."""
        command = task.command
        if isinstance(command, OpenClaim) or command.claim_id in self.gathered.owners:
            return False
        self.gathered.awaiting.setdefault(claim_name(command.claim_id), []).append(task)
        return True

    def _called(self, claim: Uuid) -> list[Task]:
        return self.gathered.awaiting.pop(claim_name(claim), [])

    @property
    def lanes(self) -> ParkingGate:
        """Who may be decided."""
        return self.gathered.lanes

    def _decide_or_park(self, task: Task) -> Decision | None:
        """None for a task that cannot be decided, or not yet: nothing of it was entered."""
        order = self.gathered.order_of(task)
        slot = ItemRef(task.original.coordinates, 0)
        entrant = partial(entrant_of, task, order)
        if task.waits_for:
            self.lanes.call(slot, partial(names_of, task, order))
        else:
            self.lanes.begin(slot)
        if self.lanes.admits(slot, entrant):
            try:
                decision = self._decide(task, order)
            except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
                self.lanes.fail(entrant(), Failure.of(Kind.DECISION, error))
            else:
                self.lanes.settle(slot, decision.outcome.value, decision.reason)
                return decision
        if task.waits_for:
            self.gathered.ended.append(task.command.item_id)
        return None

    def _decide(self, task: Task, order: Uuid | None) -> Decision:
        state = self.gathered.states.get(order) if order else None
        decision = self._in_time(task, decide(state, task.command, self.now))
        if state and order and decision.claim:
            state = state.after(decision)
            self.gathered.states[order] = state
            self.gathered.owners[decision.claim.claim_id] = order
            self.claims[decision.claim.claim_id] = decision.claim
        if state and order and decision.event:
            self.sequences[order] = decision.event.sequence
        claims = tuple(state.claims.values()) if state and decision.event else ()
        self.decided.append(Decided(task, decision, claims))
        return decision

    def _in_time(self, task: Task, decision: Decision) -> Decision:
        """What has waited too long is refused, for the reason it waited."""
        if decision.outcome is Outcome.WAITING and self.expires_at(task) <= self.now:
            return Decision(
                outcome=Outcome.REJECTED,
                reason=decision.reason,
                detail=decision.detail,
                pointer=decision.pointer,
            )
        return decision
