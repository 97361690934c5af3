"""Loaded: everything that the decisions of one batch read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.claims.domain.claim import Claim
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decision import OrderClaims
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy
from services.claims.domain.reasons import RuleBroken
from services.claims.domain.references import ORDER, anchor_key, known_id
from services.claims.domain.shared_names import named_order
from services.claims.intake import Task, UnreadItem
from services.runtime.parking.gate import ParkingGate


@dataclass(slots=True)
class Loaded:
    """Everything that the decisions of a batch read; all its orders are locked."""

    tasks: list[Task]
    """In the order of decision: tasks that waited for the batch's orders, then the batch's own."""
    waiting_for_claims: dict[str, list[Task]]
    """Tasks that wait for claims that may be opened now, by key, oldest first."""
    gate: ParkingGate = field(init=False)
    states: dict[Uuid, OrderClaims] = field(default_factory=dict)
    documents: dict[Uuid, bytes] = field(default_factory=dict)
    anchors: dict[str, tuple[Uuid, ...]] = field(default_factory=dict)
    """The orders by key; several: they have or had one name."""
    locked: set[Uuid] = field(default_factory=set)
    """Orders whose rows are locked."""
    owners: dict[Uuid, Uuid] = field(default_factory=dict)
    """The order of each claim that is stored or in a snapshot of the batch."""
    snapshot_claims: dict[Uuid, Claim] = field(default_factory=dict)
    """Claims in a snapshot that are newer than the stored ones: to be written."""
    sequences: dict[Uuid, int] = field(default_factory=dict)
    """The number of the last event of the orders of `snapshot_claims`."""
    claim_keys: set[str] = field(default_factory=set)
    """Locked anchors of claims, deleted at the end of the batch if nothing waits for them."""
    is_rebuilt: bool = False
    """Whether the tables were emptied for a rebuild once: claims do not name all items since."""
    ended: list[Uuid] = field(default_factory=list)
    """Ids of waiting items that wait no longer: refused as unreadable, or parked."""
    unread: list[UnreadItem] = field(default_factory=list)

    def orders_of(self, task: Task) -> tuple[Uuid, ...]:
        """The order a task is about, if it is known; of a shared name all that have or had it."""
        command = task.command
        if not isinstance(command, OpenClaim):
            owner = self.owners.get(command.claim_id)
            return (owner,) if owner else ()
        if task.waits_for and task.waits_for.startswith(ORDER):
            return (task.waits_for.removeprefix(ORDER),)
        if known := known_id(command.order):
            return (known,)
        found = self.anchors.get(anchor_key(command.order), ())
        return found if command.order.kind == "order_name" else found[:1]

    def order_of(self, task: Task) -> Uuid | None:
        """The order a task is about, if it is known. Call it once the states are read."""
        orders = self.orders_of(task)
        if len(orders) < 2 or not isinstance(task.command, OpenClaim):
            return orders[0] if orders else None
        try:
            bearers = [each.order for each in self.bearers_of(task)]
            return named_order(task.command.order, bearers).order_id
        except RuleBroken:
            return None

    def bearers_of(self, task: Task) -> Sequence[OrderClaims]:
        """The orders of the shared name by which a task names its order; none without one."""
        orders = self.orders_of(task)
        if len(orders) < 2:
            return ()
        unseen = {each: OrderClaims(order=OrderCopy(order_id=each)) for each in orders}
        return [self.states.get(each, unseen[each]) for each in orders]
