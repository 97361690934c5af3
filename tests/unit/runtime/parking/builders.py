"""Items for tests of the queue: named by letters, as `x1` on the names A and B."""

from dataclasses import replace
from datetime import UTC, datetime

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    Failure,
    ItemRef,
    Kind,
    Parked,
    ParkingCandidate,
    QueuePosition,
)
from services.runtime.messages.records import Coordinates, Original

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BUG = Failure(Kind.DECISION, "a bug")


def a_slot(offset, index=0):
    """An item by its record's offset."""
    return ItemRef(Coordinates("orders.commands", 0, offset), index)


def an_entrant(slot, names):
    """The item with these letters as its names."""
    original = Original(slot.at, b"key", (), b"value", NOW)
    return ParkingCandidate(original, slot.index, None, "order.upsert", frozenset(names))


def a_row(place, slot, names, kind=Kind.DECISION):
    """The item as it stands in the queue."""
    entrant = an_entrant(slot, names)
    where = place if isinstance(place, QueuePosition) else QueuePosition(place, 0)
    failure = replace(BUG, kind=kind)
    return Parked(
        where, entrant.original, slot.index, None, None, failure, entrant.names, NOW, 1, NOW, NOW
    )


def a_batch(**more):
    """A batch of these tests: its records play no part."""
    return Batch((), NOW, **more)
