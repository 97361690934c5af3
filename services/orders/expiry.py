"""Expiry: items that waited too long are refused, each with what did not come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from asyncpg import Connection

from services.orders import store
from services.orders.domain.model.commands import Command, names
from services.orders.domain.model.decision import Decision, Outcome
from services.orders.domain.model.order import Order
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import Reference, canonical, number_key
from services.orders.domain.model.shared_names import meant_by
from services.orders.intake import traced
from services.orders.messages import encode
from services.orders.messages.decode import (
    CLAIM_EVENTS,
    COMMANDS,
    TRACKING,
    is_of_many,
    read_item,
)
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem
from services.orders.outcomes import count_and_log, note_ends, refused_outcomes, rejection_of
from services.orders.parking_keys import waiting_candidate
from services.orders.unit_of_work import Decided
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import ItemRef
from services.runtime.messages.records import FieldError, Item, item_of
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.parking.gate import ParkingGate
from services.runtime.parking.queue import Queue
from services.runtime.postgres.queries import load
from services.runtime.rejections import Rejection
from services.runtime.waiting import store as waiting
from services.runtime.waiting.store import Waiting

SWEEP_ITEMS = 500
SQL = load(Path(__file__).parent / "sql" / "sweep.sql")


class Expiry:
    """Refuses what waited too long in business time; holds only what is the same for all sweeps."""

    def __init__(self, metrics: Metrics, outbox: Outbox, queue: Queue) -> None:
        self._metrics = metrics
        self._outbox = outbox
        self._queue = queue

    async def refuse(self, connection: Connection, batch: Batch) -> int:
        """Refuse the items that waited too long, in the caller's transaction; returns how many."""
        rows = await waiting.lock_expired(connection, batch.now, SWEEP_ITEMS)
        if not rows:
            return 0
        gate = ParkingGate(batch)
        entries = [read_item(row.original, row.index, batch.now) for row in rows]
        if batch.trace is not None:
            entries = traced(batch.trace, entries, are_waiting=True)
        waits = list(zip(rows, entries, strict=True))
        orders = await _orders_of(connection, waits)
        expired: list[Decided] = []
        unread: list[Rejection] = []
        for row, entry in waits:
            ref = ItemRef(row.original.coordinates, row.index)
            with gate.turn(ref, partial(waiting_candidate, row, entry)) as turn:
                if turn.blocked:
                    continue
                if isinstance(entry, DecodedItem):
                    expired.append(expire(row, entry, orders))
                else:
                    unread.append(unread_expiry(row, entry))
                turn.done("rejected")
        await waiting.remove(connection, [row.item_id for row in rows])
        numbers = [
            row.waits_for.removeprefix(number_key(""))
            for row in rows
            if row.original.coordinates.topic == TRACKING
        ]
        await connection.execute(SQL["delete_unowned_parcels"], numbers)
        source, now = encode.SOURCE, batch.now
        refusals = [*unread, *filter(None, map(rejection_of, expired))]
        records = await rejections.save(connection, refusals, source=source, now=now)
        outcomes = [*expired_outcomes(expired, orders, now), *refused_outcomes(unread, now)]
        await self._outbox.append(connection, [*outcomes, *records])
        await self._queue.save(connection, batch, gate)
        if not batch.is_trial:
            count_and_log(self._metrics, expired, unread)
        if batch.trace is not None:
            note_ends(batch.trace, expired, unread)
        return len(rows)


async def _orders_of(
    connection: Connection, waits: Sequence[tuple[Waiting, Entry]]
) -> dict[Reference, Order]:
    """The orders of commands that wait for a parcel of an order: these orders are known."""
    named = {
        canonical(reference)
        for row, entry in waits
        if isinstance(entry, DecodedItem) and row.waits_for.startswith(number_key(""))
        for reference in names(entry.command).references
    }
    if not named:
        return {}
    found = await store.named_orders(connection, named)
    meant = {name: meant_by(name.value, orders) for name, orders in found.items()}
    return {name: orders[0] for name, orders in meant.items() if len(orders) == 1}


def expire(row: Waiting, asked: DecodedItem, orders: Mapping[Reference, Order]) -> Decided:
    """The rejection, as a decision, of an item that has waited too long.

    It names what the item waited for: an order, a parcel of an order in `orders` (by canonical
    reference), or an order that has a tracking number.
    """
    command = asked.command
    reason, pointer = _awaited(row)
    order = next((o for name in _references(command) if (o := orders.get(name))), None)
    decision = Decision(
        outcome=Outcome.REJECTED,
        reason=reason,
        detail=_expiry_detail(row, reason, command, order),
        pointer=pointer,
        order_id=order.order_id if order else None,
        warnings=command.warnings,
    )
    return Decided(asked, decision)


def expired_outcomes(
    expired: Sequence[Decided], orders: Mapping[Reference, Order], now: datetime
) -> Iterator[Outgoing]:
    """Outcome records of commands that have waited too long."""
    by_id = {order.order_id: order for order in orders.values()}
    for asked, decision in ((each.asked, each.decision) for each in expired):
        if asked.item.original.coordinates.topic == COMMANDS:
            order = by_id.get(decision.order_id or "")
            yield encode.outcome_record(asked.item, asked.command, decision, order, now)


def unread_expiry(row: Waiting, entry: Rejection | UndecodedItem) -> Rejection:
    """The rejection of an item that has waited too long and cannot be read any more."""
    item = _unread(entry)
    reason, pointer = _awaited(row)
    detail = _expiry_detail(row, reason, None, None)
    return Rejection(
        row.original,
        row.index,
        item.envelope,
        reason.value,
        detail,
        (FieldError(f"/items/{row.index}{pointer}" if is_of_many(item) else pointer, detail),),
        is_of_many(item),
    )


def _awaited(row: Waiting) -> tuple[Reason, str]:
    """The reason of an item that waited for nothing, and the member that names what was absent."""
    topic = row.original.coordinates.topic
    if row.waits_for.startswith(number_key("")):
        is_tracking = topic == TRACKING
        reason = Reason.NUMBER_NOT_OWNED if is_tracking else Reason.SHIPMENT_NOT_FOUND
        return reason, "/tracking_number"
    return Reason.ORDER_NOT_FOUND, "/order_id" if topic == CLAIM_EVENTS else "/id"


def _expiry_detail(
    row: Waiting, reason: Reason, command: Command | None, order: Order | None
) -> str:
    until = row.expires_at.isoformat()
    number = getattr(command, "tracking_number", row.waits_for.removeprefix(number_key("")))
    if reason is Reason.NUMBER_NOT_OWNED:
        return f"No order had tracking number {number!r} by {until}."
    if reason is Reason.SHIPMENT_NOT_FOUND:
        named = f"Order {order.order_number!r}" if order else "The order"
        return (
            f"{named} had no parcel with tracking number {number!r} by {until}; name one of its "
            "shipment ids or tracking numbers, or attach the number first."
        )
    named = row.waits_for
    if command is not None:
        reference = _references(command)[0]
        named = f"{reference.kind} {reference.value!r}"
    return f"No order with {named} was there by {until}; send the order first, then this again."


def _references(command: Command) -> list[Reference]:
    return [canonical(reference) for reference in names(command).references]


def _unread(refusal: Rejection | UndecodedItem) -> Item:
    return item_of(refusal.original, refusal.index, refusal.envelope, None)
