"""Parking keys of the orders service: what its items are about, for the queue of parked items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from unicodedata import normalize

from services.orders.domain.model.commands import (
    ChangeCampaigns,
    Command,
    PlaceOrder,
    UpsertOrder,
    names,
)
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import (
    Reference,
    ReferenceKind,
    canonical,
    direct_id,
    number_key,
    order_key,
)
from services.orders.domain.model.shared_names import SHARED_KINDS, Bearers
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.messages.decode import (
    CLAIM_EVENTS,
    COMMANDS,
    TRACKING,
    alone,
)
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem
from services.runtime.batch.items import ParkingCandidate
from services.runtime.parking.keys import parking_keys
from services.runtime.waiting.store import Waiting


class Known(Protocol):
    """What is known of the orders of a batch: a `World`, or what was read for one."""

    @property
    def references(self) -> Mapping[Reference, Uuid | None]:
        """Orders by reference."""

    @property
    def shared(self) -> Mapping[Reference, Bearers]:
        """The orders of names that several have or had."""

    @property
    def parcels(self) -> Mapping[str, Parcel]:
        """Parcels by normalised number."""


def asked_candidate(asked: DecodedItem, known: Known) -> ParkingCandidate:
    """An item that can be read, with the keys of the orders that it names."""
    item, command = asked.item, asked.command
    if isinstance(command, ChangeCampaigns):
        keys = frozenset({campaigns_key(command.shop)})
        return ParkingCandidate(item.original, item.index, item.item_id, item.envelope.type, keys)
    named = names(command)
    references = [canonical(reference) for reference in named.references]
    described = _described_names(command)
    keys = keys_of([each for each in references if each not in described], named.numbers, known)
    shared = frozenset(waiting_keys(described, ()))
    type_, cut = item.envelope.type, partial(alone, asked)
    return ParkingCandidate(item.original, item.index, item.item_id, type_, keys, cut, shared)


def campaigns_key(shop: str) -> str:
    """The parking key of a shop's campaigns: their commands keep order, and no order waits."""
    return f"campaigns/{shop}"


def campaign_keys(entries: Iterable[Entry]) -> frozenset[str]:
    """Keys of the campaigns that items change, or seem to."""
    decoded = {
        each.command.shop
        for each in entries
        if isinstance(each, DecodedItem) and isinstance(each.command, ChangeCampaigns)
    }
    unread = {
        shop
        for each in entries
        if isinstance(each, UndecodedItem) and (shop := hint_of(each).shop) is not None
    }
    return frozenset(map(campaigns_key, decoded | unread))


def _described_names(command: Command) -> list[Reference]:
    """The order names that a command only describes: other orders of the names do not matter."""
    if not isinstance(command, PlaceOrder | UpsertOrder) or command.order is None:
        return []
    return [each for each in names(command).references if each.kind in SHARED_KINDS]


def unread_candidate(unread: UndecodedItem, known: Known, *waited_for: str) -> ParkingCandidate:
    """An item that cannot be read, with the keys of what it seems to be about."""
    hint = hint_of(unread)
    keys = keys_of(hint.references, hint.numbers, known).union(waited_for)
    if hint.shop is not None:
        keys |= {campaigns_key(hint.shop)}
    return ParkingCandidate(unread.original, unread.index, None, unread.envelope.type, keys)


def waiting_candidate(row: Waiting, entry: Entry) -> ParkingCandidate:
    """An item that waited, with the key it waited for."""
    envelope = entry.item.envelope if isinstance(entry, DecodedItem) else entry.envelope
    keys = frozenset({row.waits_for})
    return ParkingCandidate(row.original, row.index, row.item_id, envelope.type, keys)


def keys_of(
    references: Collection[Reference],
    numbers: Collection[str],
    known: Known,
) -> frozenset[str]:
    """Keys of every order that the references and numbers may be about, and of what they say.

    References are canonical, numbers normalised.
    """
    orders = {direct_id(reference) or known.references.get(reference) for reference in references}
    orders |= {bearer for each in references for bearer in known.shared.get(each, ())}
    orders |= {
        owner.order_id
        for number in numbers
        if number in known.parcels
        for owner in known.parcels[number].owners
    }
    return parking_keys(filter(None, orders), waiting_keys(references, numbers))


def waiting_keys(references: Collection[Reference], numbers: Collection[str]) -> list[str]:
    """Every key that an item may wait for by these canonical references and normalised numbers.

    An order number also stands for the uuid that is computed from it.
    """
    keys = {order_key(each.shop, each.kind, each.value): None for each in references}
    for each in references:
        if id_ := direct_id(each):
            keys[order_key(each.shop, ReferenceKind.UUID, id_)] = None
    return [*keys, *map(number_key, numbers)]


@dataclass(frozen=True, slots=True)
class Hint:
    """What an item that cannot be read seems to be about; numbers are normalised."""

    references: tuple[Reference, ...] = ()
    numbers: tuple[str, ...] = ()
    shop: str | None = None
    """Whose campaigns it seems to change."""


def hint_of(unread: UndecodedItem) -> Hint:
    """The order that the item names, or else what the key of its record names."""
    if unread.named is not None:
        return Hint((canonical(unread.named),))
    try:
        key = (unread.original.key or b"").decode()
    except UnicodeDecodeError:
        return Hint()
    return Hint() if "\x00" in key else _hint(unread.original.coordinates.topic, key)


def _hint(topic: str, key: str) -> Hint:
    if topic == CLAIM_EVENTS:
        return Hint((canonical(Reference("", ReferenceKind.UUID, key)),))
    first, slash, second = normalize("NFC", key).partition("/")
    if topic == COMMANDS and first and not slash:
        return Hint(shop=first)
    if not first or not second:
        return Hint()
    if topic == TRACKING:
        return Hint(numbers=(normalise_number(second),))
    return Hint((Reference(first, ReferenceKind.ORDER_NUMBER, second),))
