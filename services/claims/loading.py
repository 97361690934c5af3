"""Lock and read all that a batch touches, in a constant number of statements.

A claim and its order must never miss each other, whichever transaction comes first. Both sides
therefore lock the same row before they look at, or write, what waits:

- An order whose id is known (by number or uuid) is its own anchor: a claim that names it makes the
  row at version 0 and locks it; the order's event locks it with the very upsert that fills it.
- An external id or order name has a row in `anchor`, made and locked by whoever comes first. Once
  the name is resolved it never changes, so it needs no lock any more.
- A claim that is updated before it is there has a row in `anchor` too, locked by whoever opens it
  or takes it out of a snapshot, and by whoever finds it missing, who then looks once more. The row
  goes when nothing waits: after the commit the claim itself is there to be found.

So either the order's transaction sees the waiting item (the claim came first and has committed),
or the claim's transaction sees the order. All take their locks in one sequence: anchors of orders
by name, orders by id, items that wait for orders, anchors of claims by name, items that wait for
claims.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from services.claims import store
from services.claims.domain.claim import Claim
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decision import OrderClaims
from services.claims.domain.ids import Uuid, claim_id
from services.claims.domain.order_copy import OrderCopy
from services.claims.domain.references import (
    CLAIM,
    ORDER,
    anchor_name,
    anchors_of,
    claim_name,
    ids_in,
    known_id,
    order_name,
)
from services.claims.intake import Intake, Task, Unread, refusal, waited
from services.claims.messages.decode import OrderNews
from services.claims.messages.order_document import order_in
from services.claims.messages.snapshots import ToldClaim
from services.claims.parking_keys import (
    names_of,
    telling_entrant,
    telling_names,
    unread_names,
)
from services.claims.store import StoredOrder
from services.runtime.batch.items import ItemRef
from services.runtime.messages.records import Malformed
from services.runtime.parking.gate import ParkingGate
from services.runtime.postgres.connections import Connection
from services.runtime.retry import Contended
from services.runtime.waiting import store as waiting
from services.runtime.waiting.store import Waiting


@dataclass(slots=True)
class Gathered:
    """All that a batch's decisions meet; every order in it is locked."""

    tasks: list[Task]
    """To decide, in this order: what waited for the batch's orders, then the batch's own."""
    awaiting: dict[str, list[Task]]
    """What waits for claims that may be opened now, by name, oldest first."""
    lanes: ParkingGate = field(init=False)
    states: dict[Uuid, OrderClaims] = field(default_factory=dict)
    contexts: dict[Uuid, bytes] = field(default_factory=dict)
    anchors: dict[str, Uuid] = field(default_factory=dict)
    owners: dict[Uuid, Uuid] = field(default_factory=dict)
    """The order of each claim that was there before the batch."""
    told: dict[Uuid, Claim] = field(default_factory=dict)
    """Claims that a snapshot told and that were not known so: to be written."""
    sequences: dict[Uuid, int] = field(default_factory=dict)
    """The number of the last event of their orders."""
    claim_names: set[str] = field(default_factory=set)
    """Locked names of claims: whoever waits for them finds the claim itself after the commit."""
    ended: list[Uuid] = field(default_factory=list)
    """Waiting items that cannot be read any more, or are parked: they wait no longer."""
    unread: list[Unread] = field(default_factory=list)

    def order_of(self, task: Task) -> Uuid | None:
        """The order a task is about, if it is known."""
        command = task.command
        if not isinstance(command, OpenClaim):
            return self.owners.get(command.claim_id)
        if task.waits_for and task.waits_for.startswith(ORDER):
            return task.waits_for.removeprefix(ORDER)
        return known_id(command.order) or self.anchors.get(anchor_name(command.order))

    def is_seen(self, order: Uuid) -> bool:
        """Whether any event told of the order."""
        state = self.states.get(order)
        return state is not None and state.order.is_seen


OpenLanes = Callable[[Callable[[], Collection[str]]], Awaitable[ParkingGate]]


async def gather(connection: Connection, inbox: Intake, open_lanes: OpenLanes) -> Gathered:
    """Lock and read, in the sequence the module describes.

    What is parked is looked up before the orders are locked, for news are written by that very
    statement. That is early enough: what came before on the same partition is committed, by the
    fence, and no order is promised between partitions.

    Raises:
        Contended: a claim appeared between two looks; the batch must be read again.
    """
    gathered = Gathered(list(inbox.tasks), {}, unread=list(inbox.unread))
    resolved = await _lock_names(connection, inbox, gathered)
    await _find_owners(connection, inbox, gathered)
    gathered.lanes = await open_lanes(lambda: _all_names(inbox, gathered))
    _admit_news(inbox, gathered.lanes)
    renewed = await _lock_orders(connection, inbox, gathered)
    called = {name for name, order in resolved.items() if order in renewed}
    called |= {order_name(order) for order in renewed}
    await _call_waiting(connection, inbox, gathered, called | inbox.revisited)
    await _read_states(connection, inbox, gathered)
    await _lock_claims(connection, inbox, gathered)
    return gathered


async def _lock_names(connection: Connection, inbox: Intake, gathered: Gathered) -> dict[str, Uuid]:
    """Lock the names of orders; returns those the news resolve."""
    resolved = {name: news.order.order_id for news in inbox.news for name in anchors_of(news.order)}
    wanted = {
        anchor_name(task.command.order)
        for task in inbox.tasks
        if isinstance(task.command, OpenClaim) and known_id(task.command.order) is None
    }
    wanted |= {name for name in inbox.revisited if not name.startswith((ORDER, CLAIM))}
    await store.save_anchors(connection, {**dict.fromkeys(wanted), **resolved})
    gathered.anchors = await store.read_anchors(connection, wanted)
    return resolved


async def _find_owners(connection: Connection, inbox: Intake, gathered: Gathered) -> None:
    changes = [t.command for t in inbox.tasks if not isinstance(t.command, OpenClaim)]
    asked = {command.claim_id for command in changes} | ids_in(inbox.revisited, CLAIM)
    gathered.owners = await store.find_claims(connection, asked)


def _all_names(inbox: Intake, gathered: Gathered) -> set[str]:
    """Every name of what the batch brings, and of what it may call."""
    found = set(inbox.revisited)
    found.update(*map(telling_names, inbox.tellings), *map(unread_names, inbox.unread))
    for task in inbox.tasks:
        found |= names_of(task, gathered.order_of(task))
    return found


def _admit_news(inbox: Intake, lanes: ParkingGate) -> None:
    """Leave out news of orders that have an earlier item parked."""
    admitted = []
    for telling in inbox.tellings:
        slot = ItemRef(telling.original.coordinates, 0)
        lanes.begin(slot)
        if lanes.admits(slot, partial(telling_entrant, telling)):
            lanes.settle(slot, "applied")
            admitted.append(telling)
    inbox.tellings = admitted
    for slot in inbox.without_news:
        lanes.begin(slot)
        lanes.settle(slot, "applied")


async def _lock_orders(connection: Connection, inbox: Intake, gathered: Gathered) -> set[Uuid]:
    """Make, lock and renew the orders; returns those the news are new to."""
    newest = inbox.newest()
    touched = {order for task in inbox.tasks if (order := gathered.order_of(task))}
    touched |= {*gathered.owners.values(), *gathered.anchors.values()}
    touched |= ids_in(inbox.revisited, ORDER)
    # Seldom any: first what the newest left out, so that it is there to be kept.
    await store.save_orders(connection, [_row(news) for news in inbox.before_the_cut()])
    told_at = inbox.all_claims_told_at()
    rows = [_row(news, told_at.get(order)) for order, news in newest.items()]
    rows += [StoredOrder(order) for order in touched - newest.keys()]
    return await store.save_orders(connection, rows) & newest.keys()


def _row(news: OrderNews, all_claims_told_at: datetime | None = None) -> StoredOrder:
    order = news.order
    return StoredOrder(
        order.order_id,
        order.shop,
        order.version,
        news.context,
        news.lines_cut,
        all_claims_told_at=all_claims_told_at,
    )


async def _call_waiting(
    connection: Connection, inbox: Intake, gathered: Gathered, names: set[str]
) -> None:
    """Put what waited for the names before the batch's own tasks."""
    known = {claim_name(claim) for claim in gathered.owners}
    names = {name for name in names if not name.startswith(CLAIM) or name in known}
    if not names:
        return
    rows = await waiting.take(connection, names)
    gathered.anchors |= await store.read_anchors(
        connection, {row.waits_for for row in rows if not row.waits_for.startswith((ORDER, CLAIM))}
    )
    gathered.tasks[:0] = _tasks(rows, inbox, gathered)


async def _lock_claims(connection: Connection, inbox: Intake, gathered: Gathered) -> None:
    """Lock the names of claims that may be opened and of those that are missing."""
    opening = {
        claim_name(claim_id(order, task.command.item_id))
        for task in gathered.tasks
        if isinstance(task.command, OpenClaim)
        and (order := gathered.order_of(task))
        and gathered.is_seen(order)
    }
    missing = {
        task.command.claim_id
        for task in gathered.tasks
        if not isinstance(task.command, OpenClaim) and task.command.claim_id not in gathered.owners
    }
    missing |= ids_in(inbox.revisited, CLAIM) - gathered.owners.keys()
    told = {claim_name(claim) for claim in gathered.told}
    names = opening | told | {claim_name(claim) for claim in missing}
    gathered.claim_names = names
    # Never resolved: a resolved name is not locked, and these must be, every time.
    await store.save_anchors(connection, dict.fromkeys(names))
    if await store.find_claims(connection, missing):
        raise Contended("a claim was opened while its update was read")
    if names:
        rows = await waiting.take(connection, opening | told | (inbox.revisited & names))
        for task in _tasks(rows, inbox, gathered):
            gathered.awaiting.setdefault(task.waits_for or "", []).append(task)
    called = [task for name in sorted(told) for task in gathered.awaiting.pop(name, ())]
    gathered.tasks[:0] = called


async def _read_states(connection: Connection, inbox: Intake, gathered: Gathered) -> None:
    told = inbox.told_claims()
    orders = {order for task in gathered.tasks if (order := gathered.order_of(task))}
    orders |= told.keys()
    if not orders:
        return
    stored = await store.read_orders(connection, orders)
    claims = await store.read_claims(connection, orders)
    for row in stored:
        known = claims.get(row.order_id, {})
        gathered.contexts[row.order_id] = row.document or b"{}"
        gathered.states[row.order_id] = OrderClaims(
            order=_copy(row), claims=known, sequence=row.sequence
        )
    for order, claims_told in told.items():
        _take_in(gathered, order, claims_told)


def _take_in(gathered: Gathered, order: Uuid, told: Sequence[ToldClaim]) -> None:
    """Put claims that were told after the last event we know of into the order's state.

    Not while the order's copy is not whole: a snapshot older than a rebuild may tell them as they
    were before their last change, and nothing must be decided on that.
    """
    state = gathered.states[order]
    if not state.order.is_seen:
        return
    unknown = {t.claim.claim_id: t.claim for t in told if t.sequence > state.sequence}
    if unknown:
        sequence = told[-1].sequence
        gathered.told |= unknown
        gathered.sequences[order] = sequence
        gathered.owners |= dict.fromkeys(unknown, order)
        claims = {**state.claims, **unknown}
        gathered.states[order] = replace(state, claims=claims, sequence=sequence)


def _copy(row: StoredOrder) -> OrderCopy:
    if row.document is None or row.shop is None or not row.is_whole:
        return OrderCopy(order_id=row.order_id)
    return order_in(row.document, row.order_id, row.shop, row.version)


def _tasks(rows: Sequence[Waiting], inbox: Intake, gathered: Gathered) -> Collection[Task]:
    tasks = []
    for row in rows:
        slot = ItemRef(row.original.coordinates, row.index)
        if slot in inbox.known_failures:
            failure = inbox.known_failures[slot]
            gathered.unread.append(Unread(row.original, row.index, failure, row.waits_for))
            gathered.ended.append(row.item_id)
            continue
        try:
            tasks.append(waited(row))
        except Malformed as error:
            inbox.refused.append(refusal(row.original, error))
            gathered.ended.append(row.item_id)
    return tasks
