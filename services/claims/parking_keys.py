"""Parking keys of the claims service: what its items are about, for the queue of parked items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from unicodedata import normalize
from uuid import UUID

from schemas.topics import CLAIMS_COMMANDS
from services.claims.domain.commands import OpenClaim
from services.claims.domain.ids import Uuid, claim_id, order_id
from services.claims.domain.references import (
    ORDER,
    ORDER_NAME,
    anchor_key,
    anchor_keys,
    claim_key,
    known_id,
    order_key,
)
from services.claims.intake import OrderEvent, Task, UnreadItem
from services.runtime.batch.items import ParkingCandidate
from services.runtime.messages.records import Original
from services.runtime.parking.keys import parking_keys


def task_candidate(task: Task, orders: Collection[Uuid]) -> ParkingCandidate:
    """A command, with its keys; `orders` are those that it may be about, as far as is known."""
    identity, type_ = task.command.item_id, task.envelope.type
    return ParkingCandidate(task.original, 0, identity, type_, task_keys(task, orders))


def event_candidate(event: OrderEvent) -> ParkingCandidate:
    """An event of an order, with its keys; its order name may be that of other orders."""
    keys = event_keys(event)
    names = frozenset(key for key in keys if key.startswith(ORDER_NAME))
    return replace(ParkingCandidate.of_record(event.original, 0, keys - names), shared=names)


def unread_candidate(unread: UnreadItem) -> ParkingCandidate:
    """An item that is parked without being read, with its keys."""
    return ParkingCandidate.of_record(unread.original, unread.index, unread_keys(unread))


def task_keys(task: Task, orders: Collection[Uuid]) -> frozenset[str]:
    """The keys of a command: of its orders, of its claim, and of what it waited for."""
    command = task.command
    waited_for = {task.waits_for} if task.waits_for else set()
    if isinstance(command, OpenClaim):
        if known_id(command.order) is None:
            waited_for.add(anchor_key(command.order))
        waited_for |= {claim_key(claim_id(order, command.item_id)) for order in orders}
    else:
        waited_for.add(claim_key(command.claim_id))
    return _keys(orders, waited_for)


def event_keys(event: OrderEvent) -> frozenset[str]:
    """The keys of an event: of its order, and of its external id and name."""
    order = event.received.order
    return _keys([order.order_id], anchor_keys(order))


def unread_keys(unread: UnreadItem) -> frozenset[str]:
    """The keys that the record's own key gives, and that of what the item waited for."""
    orders = {order} if (order := _keyed_order(unread.original)) else set()
    waited_for = {unread.waits_for} if unread.waits_for else set()
    orders |= {key.removeprefix(ORDER) for key in waited_for if key.startswith(ORDER)}
    return _keys(orders, waited_for)


def _keys(orders: Collection[Uuid], waited_for: Collection[str]) -> frozenset[str]:
    return parking_keys(orders, {*map(order_key, orders), *waited_for})


def _keyed_order(original: Original) -> Uuid | None:
    """The order that the key of a record names; None: it names none."""
    try:
        key = (original.key or b"").decode()
        if original.coordinates.topic == CLAIMS_COMMANDS:
            shop, _, number = normalize("NFC", key).partition("/")
            return order_id(shop, number) if shop and number else None
        return str(UUID(key))
    except ValueError:  # Also raised for what is not UTF-8.
        return None
