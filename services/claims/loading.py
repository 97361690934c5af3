"""Lock and read all rows that a batch needs, in a constant number of statements.

A claim and its order may arrive in two concurrent transactions. Neither may miss the other, so both
lock the same row before they read or write waiting items (docs/decisions/0023). That row is:

- for an order whose id is known (by number or uuid), its row in `order_copy`: a claim that names
  the order inserts it at version 0 and locks it; the order's event locks it by its upsert;
- for an external id or order name, a row in `anchor`, inserted and locked by the first transaction.
  A resolved anchor only gets further orders of its name, and no claim locks it again;
- for a claim that is changed before it exists, a row in `anchor` too, locked by the transaction
  that opens the claim or reads it from a snapshot, and by the one that finds it missing and then
  reads once more. It is deleted when nothing waits for it.

So either the order's transaction sees the waiting item, or the claim's transaction sees the order.
Locks are always taken in one sequence: anchors of orders by key, orders by id, items that wait for
orders, anchors of claims by key, items that wait for claims.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import chain

from msgspec.structs import replace

from services.claims import store
from services.claims.domain.claim import APPLIED_MAX
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decision import OrderClaims
from services.claims.domain.ids import Uuid, claim_id, digest
from services.claims.domain.order_copy import OrderCopy
from services.claims.domain.references import (
    CLAIM,
    ORDER,
    anchor_key,
    anchor_keys,
    claim_key,
    ids_in,
    known_id,
    order_key,
)
from services.claims.intake import Intake, Task, UnreadItem, traced, waiting_task
from services.claims.loaded import Loaded
from services.claims.messages.decode import ReceivedOrder
from services.claims.messages.order_document import decode_order
from services.claims.messages.snapshots import SnapshotClaim
from services.claims.parking_keys import event_candidate, event_keys, task_keys, unread_keys
from services.claims.store import StoredOrder
from services.runtime import older_items
from services.runtime.batch.items import ItemRef
from services.runtime.messages.records import Malformed
from services.runtime.parking.gate import ParkingGate
from services.runtime.postgres.connections import Connection
from services.runtime.rejections import Rejection
from services.runtime.retry import Contended
from services.runtime.waiting import store as waiting
from services.runtime.waiting.store import Waiting

OpenGate = Callable[[Callable[[], Collection[str]]], Awaitable[ParkingGate]]


async def load(connection: Connection, intake: Intake, open_gate: OpenGate) -> Loaded:
    """Lock and read all rows of a batch, in the sequence that the module describes.

    The gate is opened before the orders are locked, because the statement that locks the orders
    also writes the received versions. That is early enough: earlier records of the same partition
    are committed (by the fence), and between partitions no order is promised.

    Raises:
        Contended: a claim was opened between two reads; the batch must be run again.
    """
    loaded = Loaded(list(intake.tasks), {}, unread=list(intake.unread))
    resolved = await _lock_anchors(connection, intake, loaded)
    await _find_owners(connection, intake, loaded)
    loaded.gate = await open_gate(lambda: _all_keys(intake, loaded))
    _pass_events(intake, loaded.gate)
    renewed = await _lock_orders(connection, intake, loaded)
    appeared = {key for key, orders in resolved.items() if not renewed.isdisjoint(orders)}
    appeared |= {order_key(order) for order in renewed}
    await _wake(connection, intake, loaded, appeared | intake.expired_keys)
    await _read_states(connection, intake, loaded)
    await _lock_claims(connection, intake, loaded)
    await _find_older(connection, loaded)
    return loaded


async def _lock_anchors(
    connection: Connection, intake: Intake, loaded: Loaded
) -> dict[str, list[Uuid]]:
    """Lock the anchors of orders; returns those that the batch's events resolve, with orders."""
    resolved: dict[str, list[Uuid]] = {}
    for each in intake.received:
        for key in anchor_keys(each.order):
            orders = resolved.setdefault(key, [])
            if each.order.order_id not in orders:
                orders.append(each.order.order_id)
    wanted = {
        anchor_key(task.command.order)
        for task in intake.tasks
        if isinstance(task.command, OpenClaim) and known_id(task.command.order) is None
    }
    wanted |= {key for key in intake.expired_keys if not key.startswith((ORDER, CLAIM))}
    await store.save_anchors(connection, {**dict.fromkeys(wanted, ()), **resolved})
    loaded.anchors = await store.read_anchors(connection, wanted)
    return resolved


async def _find_owners(connection: Connection, intake: Intake, loaded: Loaded) -> None:
    changes = [t.command for t in intake.tasks if not isinstance(t.command, OpenClaim)]
    asked = {command.claim_id for command in changes} | ids_in(intake.expired_keys, CLAIM)
    loaded.owners = await store.find_claims(connection, asked)


def _all_keys(intake: Intake, loaded: Loaded) -> set[str]:
    """Every parking key of the items of the batch, and of those that it may wake."""
    found = set(intake.expired_keys)
    found.update(*map(event_keys, intake.events), *map(unread_keys, intake.unread))
    for task in intake.tasks:
        found |= task_keys(task, loaded.orders_of(task))
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
    for ref in intake.empty_events:
        gate.end(ref, "applied")


async def _lock_orders(connection: Connection, intake: Intake, loaded: Loaded) -> set[Uuid]:
    """Insert, lock and update the orders; returns those of which the batch has a newer version."""
    newest = intake.newest_received()
    touched = {order for task in intake.tasks for order in loaded.orders_of(task)}
    touched |= {*loaded.owners.values(), *chain.from_iterable(loaded.anchors.values())}
    touched |= ids_in(intake.expired_keys, ORDER)
    # Saved first, so that the newest versions keep these lines where their own were cut. Rare.
    await store.save_orders(connection, [_row(each) for each in intake.newest_with_lines()])
    complete_at = intake.claims_complete_at()
    rows = [_row(received, complete_at.get(order)) for order, received in newest.items()]
    rows += [StoredOrder(order) for order in touched - newest.keys()]
    loaded.locked = touched | newest.keys()
    return await store.save_orders(connection, rows) & newest.keys()


def _row(received: ReceivedOrder, claims_complete_at: datetime | None = None) -> StoredOrder:
    order = received.order
    return StoredOrder(
        order.order_id,
        order.shop,
        order.version,
        received.document,
        received.lines_cut,
        claims_complete_at=claims_complete_at,
    )


async def _wake(connection: Connection, intake: Intake, loaded: Loaded, keys: set[str]) -> None:
    """Lock the items that wait for the keys and put them before the batch's own tasks."""
    known = {claim_key(claim) for claim in loaded.owners}
    keys = {key for key in keys if not key.startswith(CLAIM) or key in known}
    if not keys:
        return
    rows = await waiting.lock(connection, keys)
    loaded.anchors |= await store.read_anchors(
        connection, {row.waits_for for row in rows if not row.waits_for.startswith((ORDER, CLAIM))}
    )
    woken = _waiting_tasks(rows, intake, loaded)
    await _lock_bearers(connection, woken, loaded)
    loaded.tasks[:0] = woken


async def _lock_bearers(connection: Connection, woken: Collection[Task], loaded: Loaded) -> None:
    """Lock the other orders of shared names for which items waited: only during a rebuild.

    That is later than the sequence says, so a deadlock is possible; the batch is then run again.
    """
    bearers = {order for task in woken for order in loaded.orders_of(task)} - loaded.locked
    await store.save_orders(connection, [StoredOrder(order) for order in bearers])
    loaded.locked |= bearers


async def _lock_claims(connection: Connection, intake: Intake, loaded: Loaded) -> None:
    """Lock the keys of claims that may be opened, are in snapshots, or are missing."""
    in_snapshots = {claim_key(claim) for claim in loaded.snapshot_claims}
    opened = _opened_keys(loaded) | in_snapshots
    missing = _missing_claims(intake, loaded)
    keys = opened | {claim_key(claim) for claim in missing}
    loaded.claim_keys = keys
    # Saved without an order: a resolved anchor is not locked, and these must be locked every time.
    await store.save_anchors(connection, dict.fromkeys(keys, ()))
    if await store.find_claims(connection, missing):
        raise Contended("a claim was opened while its update was read")
    if keys:
        rows = await waiting.lock(connection, opened | (intake.expired_keys & keys))
        for task in _waiting_tasks(rows, intake, loaded):
            loaded.waiting_for_claims.setdefault(task.waits_for or "", []).append(task)
    for key in sorted(in_snapshots, reverse=True):
        loaded.tasks[:0] = loaded.waiting_for_claims.pop(key, ())


def _opened_keys(loaded: Loaded) -> set[str]:
    """The keys of the claims that the tasks may open: their orders are known and were seen."""
    return {
        claim_key(claim_id(order, task.command.item_id))
        for task in loaded.tasks
        if isinstance(task.command, OpenClaim)
        and (order := loaded.order_of(task))
        and (state := loaded.states.get(order))
        and state.order.is_seen
    }


def _missing_claims(intake: Intake, loaded: Loaded) -> set[Uuid]:
    """The claims that tasks change, or wait for too long, and that do not exist yet."""
    commands = (task.command for task in loaded.tasks)
    changed = {command.claim_id for command in commands if not isinstance(command, OpenClaim)}
    return (changed | ids_in(intake.expired_keys, CLAIM)) - loaded.owners.keys()


async def _read_states(connection: Connection, intake: Intake, loaded: Loaded) -> None:
    snapshots = intake.snapshot_claims()
    orders = {order for task in loaded.tasks for order in loaded.orders_of(task)}
    orders |= snapshots.keys()
    if not orders:
        return
    stored = await store.read_orders(connection, orders)
    claims = await store.read_claims(connection, orders)
    loaded.is_rebuilt = any(row.is_rebuilt for row in stored)
    for row in stored:
        loaded.documents[row.order_id] = row.document or b"{}"
        loaded.states[row.order_id] = OrderClaims(
            order=_order_copy(row),
            claims=claims.get(row.order_id, {}),
            sequence=row.sequence,
        )
    for order, in_snapshot in snapshots.items():
        _add_snapshot_claims(loaded, order, in_snapshot)


async def _find_older(connection: Connection, loaded: Loaded) -> None:
    """Add the older items that the batch brings again, once all its tasks are known."""
    for order, found in (await older_items.find(connection, to_recall(loaded))).items():
        loaded.states[order] = replace(loaded.states[order], older=frozenset(found))


def to_recall(loaded: Loaded) -> set[older_items.OlderItem]:
    """The items of the batch, each with its order if items may be stored apart for that.

    That is where a claim has as many items as are stored with it, or the tables were rebuilt.
    """
    full = {
        order
        for order, state in loaded.states.items()
        if loaded.is_rebuilt
        or any(len(claim.applied) >= APPLIED_MAX for claim in state.claims.values())
    }
    if not full:
        return set()
    return {
        (order, digest(task.command.item_id))
        for task in chain(loaded.tasks, *loaded.waiting_for_claims.values())
        for order in loaded.orders_of(task)
        if order in full
    }


def _add_snapshot_claims(loaded: Loaded, order: Uuid, in_snapshot: Sequence[SnapshotClaim]) -> None:
    """Add claims of a snapshot that are newer than the last known claim event of the order.

    Not while the order's copy is incomplete: a snapshot from before a rebuild may hold claims as
    they were before their last change, and nothing must be decided on those.
    """
    state = loaded.states[order]
    newer = {e.claim.claim_id: e.claim for e in in_snapshot if e.sequence > state.sequence}
    if not newer or not state.order.is_seen:
        return
    sequence = in_snapshot[-1].sequence
    loaded.snapshot_claims |= newer
    loaded.sequences[order] = sequence
    loaded.owners |= dict.fromkeys(newer, order)
    claims = {**state.claims, **newer}
    loaded.states[order] = replace(state, claims=claims, sequence=sequence)


def _order_copy(row: StoredOrder) -> OrderCopy:
    """The stored order; one that was not seen while its copy is incomplete (`is_whole`)."""
    if row.document is None or row.shop is None or not row.is_whole:
        return OrderCopy(order_id=row.order_id)
    return decode_order(row.document, row.order_id, row.shop, row.version)


def _waiting_tasks(rows: Sequence[Waiting], intake: Intake, loaded: Loaded) -> Collection[Task]:
    """The tasks of waiting rows; rows that cannot be decided go to `refused` or `unread`."""
    tasks = []
    for row in rows:
        ref = ItemRef(row.original.coordinates, row.index)
        if failure := intake.known_failures.get(ref):
            loaded.unread.append(UnreadItem(row.original, row.index, failure, row.waits_for))
            loaded.ended.append(row.item_id)
            continue
        try:
            tasks.append(traced(waiting_task(row), intake.trace))
        except Malformed as error:
            intake.refused.append(Rejection.of_malformed(row.original, error))
            loaded.ended.append(row.item_id)
    return tasks
