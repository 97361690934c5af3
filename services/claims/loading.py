"""Lock and read all that a batch touches, in a constant number of statements.

A claim and its order must never miss each other, whichever transaction comes first. Both sides
therefore lock the same row before they look at, or write, what waits:

- An order whose id is known (by number or uuid) is its own anchor: a claim that names it makes the
  row at version 0 and locks it; the order's event locks it with the upsert that fills it.
- An external id or order name has a row in `anchor`, made and locked by the transaction that comes
  first. Once the key is resolved it never changes, so it needs no lock any more.
- A claim that is updated before it is there has a row in `anchor` too. It is locked by the
  transaction that opens the claim or takes it out of a snapshot, and by the one that finds it
  missing and then reads once more. The row goes when nothing waits: after the commit the claim
  itself is found.

So either the order's transaction sees the waiting item (the claim came first and has committed),
or the claim's transaction sees the order. All take their locks in one sequence: anchors of orders
by key, orders by id, items that wait for orders, anchors of claims by key, items that wait for
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
    anchor_key,
    anchors_of,
    claim_key,
    ids_in,
    known_id,
    order_key,
)
from services.claims.intake import Intake, Task, UnreadItem, refusal, waited
from services.claims.messages.decode import OrderNews
from services.claims.messages.order_document import order_in
from services.claims.messages.snapshots import ToldClaim
from services.claims.parking_keys import (
    event_candidate,
    event_keys,
    task_keys,
    unread_keys,
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
class Loaded:
    """All that the decisions of a batch read; every order in it is locked."""

    tasks: list[Task]
    """To decide, in this order: what waited for the batch's orders, then the batch's own."""
    awaiting: dict[str, list[Task]]
    """Tasks that wait for claims that may be opened now, by key, oldest first."""
    gate: ParkingGate = field(init=False)
    states: dict[Uuid, OrderClaims] = field(default_factory=dict)
    contexts: dict[Uuid, bytes] = field(default_factory=dict)
    anchors: dict[str, Uuid] = field(default_factory=dict)
    owners: dict[Uuid, Uuid] = field(default_factory=dict)
    """The order of each claim that was there before the batch."""
    snapshot_claims: dict[Uuid, Claim] = field(default_factory=dict)
    """Claims in a snapshot that are newer than what is stored: to be written."""
    sequences: dict[Uuid, int] = field(default_factory=dict)
    """The number of the last event of their orders."""
    claim_keys: set[str] = field(default_factory=set)
    """Locked keys of claims: a transaction that waits for one finds the claim after the commit."""
    ended: list[Uuid] = field(default_factory=list)
    """Waiting items that can no longer be read, or are parked: they wait no longer."""
    unread: list[UnreadItem] = field(default_factory=list)

    def order_of(self, task: Task) -> Uuid | None:
        """The order a task is about, if it is known."""
        command = task.command
        if not isinstance(command, OpenClaim):
            return self.owners.get(command.claim_id)
        if task.waits_for and task.waits_for.startswith(ORDER):
            return task.waits_for.removeprefix(ORDER)
        return known_id(command.order) or self.anchors.get(anchor_key(command.order))

    def is_seen(self, order: Uuid) -> bool:
        """Whether any event of the order was read."""
        state = self.states.get(order)
        return state is not None and state.order.is_seen


OpenGate = Callable[[Callable[[], Collection[str]]], Awaitable[ParkingGate]]


async def load(connection: Connection, intake: Intake, open_gate: OpenGate) -> Loaded:
    """Lock and read, in the sequence that the module describes.

    Parked items are read before the orders are locked, because the statement that locks the orders
    also writes the news. That is early enough: what came before on the same partition is committed,
    by the fence, and no order is promised between partitions.

    Raises:
        Contended: a claim appeared between two reads; the batch must be read again.
    """
    loaded = Loaded(list(intake.tasks), {}, unread=list(intake.unread))
    resolved = await _lock_anchors(connection, intake, loaded)
    await _find_owners(connection, intake, loaded)
    loaded.gate = await open_gate(lambda: _all_keys(intake, loaded))
    _pass_events(intake, loaded.gate)
    renewed = await _lock_orders(connection, intake, loaded)
    appeared = {key for key, order in resolved.items() if order in renewed}
    appeared |= {order_key(order) for order in renewed}
    await _wake(connection, intake, loaded, appeared | intake.revisited)
    await _read_states(connection, intake, loaded)
    await _lock_claims(connection, intake, loaded)
    return loaded


async def _lock_anchors(connection: Connection, intake: Intake, loaded: Loaded) -> dict[str, Uuid]:
    """Lock the anchors of orders; returns the orders of those that the news resolve."""
    resolved = {key: news.order.order_id for news in intake.news for key in anchors_of(news.order)}
    wanted = {
        anchor_key(task.command.order)
        for task in intake.tasks
        if isinstance(task.command, OpenClaim) and known_id(task.command.order) is None
    }
    wanted |= {key for key in intake.revisited if not key.startswith((ORDER, CLAIM))}
    await store.save_anchors(connection, {**dict.fromkeys(wanted), **resolved})
    loaded.anchors = await store.read_anchors(connection, wanted)
    return resolved


async def _find_owners(connection: Connection, intake: Intake, loaded: Loaded) -> None:
    changes = [t.command for t in intake.tasks if not isinstance(t.command, OpenClaim)]
    asked = {command.claim_id for command in changes} | ids_in(intake.revisited, CLAIM)
    loaded.owners = await store.find_claims(connection, asked)


def _all_keys(intake: Intake, loaded: Loaded) -> set[str]:
    """Every parking key of the items of the batch, and of those that it may wake."""
    found = set(intake.revisited)
    found.update(*map(event_keys, intake.events), *map(unread_keys, intake.unread))
    for task in intake.tasks:
        found |= task_keys(task, loaded.order_of(task))
    return found


def _pass_events(intake: Intake, gate: ParkingGate) -> None:
    """Leave out events of orders that have an earlier item parked."""
    passed = []
    for event in intake.events:
        ref = ItemRef(event.original.coordinates, 0)
        with gate.turn(ref, partial(event_candidate, event)) as turn:
            if not turn.blocked:
                turn.done("applied")
                passed.append(event)
    intake.events = passed
    for ref in intake.without_news:
        gate.end(ref, "applied")


async def _lock_orders(connection: Connection, intake: Intake, loaded: Loaded) -> set[Uuid]:
    """Make, lock and renew the orders; returns those for which the news are new."""
    newest = intake.newest()
    touched = {order for task in intake.tasks if (order := loaded.order_of(task))}
    touched |= {*loaded.owners.values(), *loaded.anchors.values()}
    touched |= ids_in(intake.revisited, ORDER)
    # Seldom any: news that had lines which the newest news left out come first, to be kept.
    await store.save_orders(connection, [_row(news) for news in intake.before_the_cut()])
    told_at = intake.all_claims_told_at()
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


async def _wake(connection: Connection, intake: Intake, loaded: Loaded, keys: set[str]) -> None:
    """Put the items that waited for the keys before the batch's own tasks."""
    known = {claim_key(claim) for claim in loaded.owners}
    keys = {key for key in keys if not key.startswith(CLAIM) or key in known}
    if not keys:
        return
    rows = await waiting.lock(connection, keys)
    loaded.anchors |= await store.read_anchors(
        connection, {row.waits_for for row in rows if not row.waits_for.startswith((ORDER, CLAIM))}
    )
    loaded.tasks[:0] = _tasks(rows, intake, loaded)


async def _lock_claims(connection: Connection, intake: Intake, loaded: Loaded) -> None:
    """Lock the keys of claims that may be opened and of those that are missing."""
    opening = {
        claim_key(claim_id(order, task.command.item_id))
        for task in loaded.tasks
        if isinstance(task.command, OpenClaim)
        and (order := loaded.order_of(task))
        and loaded.is_seen(order)
    }
    missing = {
        task.command.claim_id
        for task in loaded.tasks
        if not isinstance(task.command, OpenClaim) and task.command.claim_id not in loaded.owners
    }
    missing |= ids_in(intake.revisited, CLAIM) - loaded.owners.keys()
    in_snapshots = {claim_key(claim) for claim in loaded.snapshot_claims}
    keys = opening | in_snapshots | {claim_key(claim) for claim in missing}
    loaded.claim_keys = keys
    # Never resolved: a resolved anchor is not locked, and these must be, every time.
    await store.save_anchors(connection, dict.fromkeys(keys))
    if await store.find_claims(connection, missing):
        raise Contended("a claim was opened while its update was read")
    if keys:
        rows = await waiting.lock(connection, opening | in_snapshots | (intake.revisited & keys))
        for task in _tasks(rows, intake, loaded):
            loaded.awaiting.setdefault(task.waits_for or "", []).append(task)
    woken = [task for key in sorted(in_snapshots) for task in loaded.awaiting.pop(key, ())]
    loaded.tasks[:0] = woken


async def _read_states(connection: Connection, intake: Intake, loaded: Loaded) -> None:
    snapshots = intake.snapshot_claims()
    orders = {order for task in loaded.tasks if (order := loaded.order_of(task))}
    orders |= snapshots.keys()
    if not orders:
        return
    stored = await store.read_orders(connection, orders)
    claims = await store.read_claims(connection, orders)
    for row in stored:
        known = claims.get(row.order_id, {})
        loaded.contexts[row.order_id] = row.document or b"{}"
        loaded.states[row.order_id] = OrderClaims(
            order=_copy(row), claims=known, sequence=row.sequence
        )
    for order, in_snapshot in snapshots.items():
        _take_in(loaded, order, in_snapshot)


def _take_in(loaded: Loaded, order: Uuid, in_snapshot: Sequence[ToldClaim]) -> None:
    """Put claims of a snapshot that are newer than the last known event into the order's state.

    Not while the order's copy is not whole: a snapshot older than a rebuild may hold claims as they
    were before their last change, and nothing must be decided on that.
    """
    state = loaded.states[order]
    if not state.order.is_seen:
        return
    unknown = {e.claim.claim_id: e.claim for e in in_snapshot if e.sequence > state.sequence}
    if unknown:
        sequence = in_snapshot[-1].sequence
        loaded.snapshot_claims |= unknown
        loaded.sequences[order] = sequence
        loaded.owners |= dict.fromkeys(unknown, order)
        claims = {**state.claims, **unknown}
        loaded.states[order] = replace(state, claims=claims, sequence=sequence)


def _copy(row: StoredOrder) -> OrderCopy:
    if row.document is None or row.shop is None or not row.is_whole:
        return OrderCopy(order_id=row.order_id)
    return order_in(row.document, row.order_id, row.shop, row.version)


def _tasks(rows: Sequence[Waiting], intake: Intake, loaded: Loaded) -> Collection[Task]:
    tasks = []
    for row in rows:
        ref = ItemRef(row.original.coordinates, row.index)
        if ref in intake.known_failures:
            failure = intake.known_failures[ref]
            loaded.unread.append(UnreadItem(row.original, row.index, failure, row.waits_for))
            loaded.ended.append(row.item_id)
            continue
        try:
            tasks.append(waited(row))
        except Malformed as error:
            intake.refused.append(refusal(row.original, error))
            loaded.ended.append(row.item_id)
    return tasks
