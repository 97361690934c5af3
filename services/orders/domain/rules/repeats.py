"""Repeats: an item that was applied to an order once changes nothing when it comes again.

An order names the items applied to it in `Order.applied`. Stored with it are the newest 64; the
others are stored apart, which concerns only orders that were sent more (docs/decisions/0125). A
batch reads those of the others that it brings again (`to_recall`, `with_recalled`), keeps all items
that it applies, and stores apart what is no longer of the newest 64 (`older_than_stored`). So each
decision sees whether its item was applied before, however many were applied since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from services.orders.domain.model.commands import Command, CommandItem, RecordClaim, names
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.references import Reference, direct_id
from services.orders.domain.model.shared_names import Bearers
from services.orders.domain.value import replace

REMEMBERED = 64
"""How many applied items are stored with an order itself."""

OlderItem: TypeAlias = tuple[Uuid, int]
"""An order, and the digest of an item that was applied to it."""


def is_repeat(order: Order, item: CommandItem) -> bool:
    """Whether the item was applied to the order before, or changed nothing of it."""
    return item.item_digest in order.applied


def remember(order: Order, item: CommandItem) -> Order:
    """The order with the item remembered as applied."""
    return replace(order, applied=(*order.applied, item.item_digest))


def to_recall(
    orders: Mapping[Uuid, Order | None],
    references: Mapping[Reference, Uuid | None],
    shared: Mapping[Reference, Bearers],
    commands: Iterable[Command],
    limit: int = REMEMBERED,
) -> set[OlderItem]:
    """The older items to look for: each command with the orders it names that have any.

    The arguments are as stored. An order with fewer than `limit` items has no older ones.
    """
    # A slice, because every order of every batch pays for this.
    full = {id_ for id_, order in orders.items() if order and order.applied[limit - 1 :]}
    if not full:
        return set()
    return {
        (id_, command.item_digest)
        for command in commands
        if not isinstance(command, RecordClaim)  # Known by its number.
        for reference in names(command).references
        for id_ in (direct_id(reference) or references.get(reference), *shared.get(reference, ()))
        if id_ in full
    }


def with_recalled(order: Order, found: Collection[int]) -> Order:
    """The order with older items that were found, so that their repeats are known."""
    return replace(order, applied=(*found, *order.applied))


def older_than_stored(
    order: Order, recalled: Collection[int], limit: int = REMEMBERED
) -> tuple[int, ...]:
    """The digests to store apart: all but the newest `limit`, and but those recalled from there."""
    return tuple(each for each in order.applied[:-limit] if each not in recalled)
