"""What the claims service parks, under all the names it goes by."""

from __future__ import annotations

from uuid import UUID

from schemas.topics import CLAIMS_COMMANDS
from services.claims.domain.commands import OpenClaim
from services.claims.domain.ids import Uuid, claim_id, order_id
from services.claims.domain.references import (
    ORDER,
    anchor_name,
    anchors_of,
    claim_name,
    known_id,
    order_name,
)
from services.claims.intake import Task, Telling, Unread
from services.runtime.batch import items
from services.runtime.batch.items import ParkingCandidate
from services.runtime.messages.records import Original, readable_envelope


def names_of(task: Task, order: Uuid | None) -> frozenset[str]:
    """The order a task is about, where it is known, and what the task calls it and its claim."""
    command = task.command
    found = {task.waits_for} if task.waits_for else set()
    if isinstance(command, OpenClaim):
        if known_id(command.order) is None:
            found.add(anchor_name(command.order))
        if order:
            found.add(claim_name(claim_id(order, command.item_id)))
    else:
        found.add(claim_name(command.claim_id))
    return frozenset(found.union(_order_names(order)))


def entrant_of(task: Task, order: Uuid | None) -> ParkingCandidate:
    """A command."""
    identity, type_ = task.command.item_id, task.envelope.type
    return ParkingCandidate(task.original, 0, identity, type_, names_of(task, order))


def telling_names(telling: Telling) -> frozenset[str]:
    """The order an event is about, and what else it is called."""
    order = telling.news.order
    return frozenset([*_order_names(order.order_id), *anchors_of(order)])


def telling_entrant(telling: Telling) -> ParkingCandidate:
    """An event of an order."""
    type_ = readable_envelope(telling.original).type
    return ParkingCandidate(telling.original, 0, None, type_, telling_names(telling))


def unread_names(unread: Unread) -> frozenset[str]:
    """What the record's key tells, and what the item has waited for."""
    found = set(_order_names(_keyed_order(unread.original)))
    if unread.waits_for:
        found.add(unread.waits_for)
        if unread.waits_for.startswith(ORDER):
            found.update(_order_names(unread.waits_for.removeprefix(ORDER)))
    return frozenset(found)


def unread_entrant(unread: Unread) -> ParkingCandidate:
    """What is parked without being read."""
    type_ = readable_envelope(unread.original).type
    return ParkingCandidate(unread.original, unread.index, None, type_, unread_names(unread))


def _order_names(order: Uuid | None) -> tuple[str, ...]:
    return (items.order_name(order), order_name(order)) if order else ()


def _keyed_order(original: Original) -> Uuid | None:
    try:
        key = (original.key or b"").decode()
        if original.coordinates.topic == CLAIMS_COMMANDS:
            shop, _, number = key.partition("/")
            return order_id(shop, number) if shop and number else None
        return str(UUID(key))
    except ValueError:  # Also what is not UTF-8.
        return None
