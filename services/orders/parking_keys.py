"""An item of the orders service as the queue of parked items sees it: under all its names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from services.orders.domain.model.commands import names
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.parcel import Parcel, normalise_number
from services.orders.domain.model.references import (
    Reference,
    ReferenceKind,
    canonical,
    number_key,
    reference_key,
    uuid_key,
)
from services.orders.messages.decode import (
    CLAIM_EVENTS,
    TRACKING,
    Asked,
    Entry,
    Unread,
    alone,
)
from services.orders.store import direct_id
from services.runtime.batch.items import ParkingCandidate, order_name
from services.runtime.waiting.store import Waiting


def entrant_of(
    asked: Asked, known: Mapping[Reference, Uuid], parcels: Mapping[str, Parcel]
) -> ParkingCandidate:
    """An item that can be read, with the orders that its names stand for by now."""
    item, said = asked.item, names(asked.command)
    references = [canonical(reference) for reference in said.references]
    found = names_of(references, said.numbers, known, parcels)
    cut = partial(alone, asked)
    return ParkingCandidate(item.original, item.index, item.item_id, item.envelope.type, found, cut)


def waiting_entrant(row: Waiting, entry: Entry) -> ParkingCandidate:
    """An item that waited, under the name it waited for."""
    envelope = entry.item.envelope if isinstance(entry, Asked) else entry.envelope
    names = frozenset({row.waits_for})
    return ParkingCandidate(row.original, row.index, row.item_id, envelope.type, names)


def names_of(
    references: Collection[Reference],
    numbers: Collection[str],
    known: Mapping[Reference, Uuid],
    parcels: Mapping[str, Parcel],
) -> frozenset[str]:
    """Every order that the references and numbers may be about, and they themselves."""
    orders = {direct_id(reference) or known.get(reference) for reference in references}
    orders |= {
        owner.order_id
        for number in numbers
        if number in parcels
        for owner in parcels[number].owners
    }
    found = {order_name(order) for order in orders if order}
    return frozenset(found.union(keys_of(references), map(number_key, numbers)))


def keys_of(references: Collection[Reference]) -> list[str]:
    """What items may wait for by these references; an order's number gives away its uuid too."""
    keys = {reference_key(each): None for each in references}
    for each in references:
        if id_ := direct_id(each):
            keys[uuid_key(each.shop, id_)] = None
    return list(keys)


@dataclass(frozen=True, slots=True)
class Hint:
    """What an item that cannot be read seems to be about."""

    references: tuple[Reference, ...] = ()
    numbers: tuple[str, ...] = ()


def hint_of(unread: Unread) -> Hint:
    """What the record's key tells, or the item's own id."""
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
    first, _, second = key.partition("/")
    if not first or not second:
        return Hint()
    if topic == TRACKING:
        return Hint(numbers=(normalise_number(second),))
    return Hint((Reference(first, ReferenceKind.ORDER_NUMBER, second),))
