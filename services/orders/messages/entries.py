"""Entries: what a record's items are after decoding, and how one is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from msgspec import Struct

from schemas.envelope import CloudEvent
from services.orders.domain.model.commands import Command
from services.orders.domain.model.references import Reference
from services.runtime.batch.items import Failure
from services.runtime.messages.records import Item, Malformed, Message, Original
from services.runtime.rejections import Rejection


class DecodedItem(Struct, frozen=True, gc=False):
    """A decoded item with its command."""

    item: Item
    command: Command


@dataclass(frozen=True, slots=True)
class UndecodedItem:
    """An item whose decoding raised an unexpected error: a bug, so the item is parked."""

    original: Original
    index: int
    envelope: CloudEvent
    failure: Failure
    named: Reference | None = None
    """The order that the item seems to be about, where the record's key does not say it."""


Entry: TypeAlias = DecodedItem | Rejection | UndecodedItem


def refuse(
    message: Message, index: int, malformed: Malformed, *, of_many: bool = False
) -> Rejection:
    """The refusal of an item that is malformed."""
    return Rejection(
        message.original,
        index,
        message.envelope,
        malformed.reason,
        malformed.detail,
        malformed.errors,
        of_many,
    )
