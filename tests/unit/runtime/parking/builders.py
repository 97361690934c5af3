"""Items for tests of the queue: their parking keys are letters, as in `AB`."""

from dataclasses import replace
from datetime import UTC, datetime

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    Failure,
    FailureKind,
    ItemRef,
    Parked,
    ParkingCandidate,
    QueuePosition,
)
from services.runtime.messages.records import Coordinates, Original

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BUG = Failure(FailureKind.DECISION, "a bug")


def a_ref(offset, index=0):
    """An item by the offset of its record."""
    return ItemRef(Coordinates("orders.commands", 0, offset), index)


def a_candidate(ref, keys):
    """The item with these letters as its parking keys."""
    original = Original(ref.at, b"key", (), b"value", NOW)
    return ParkingCandidate(original, ref.index, None, "order.upsert", frozenset(keys))


def a_row(position, ref, keys, kind=FailureKind.DECISION):
    """The item as a row of the queue."""
    item = a_candidate(ref, keys)
    at = position if isinstance(position, QueuePosition) else QueuePosition(position, 0)
    failure = replace(BUG, kind=kind)
    return Parked(at, item.original, ref.index, None, None, failure, item.keys, NOW, 1, NOW, NOW)


def a_batch(**more):
    """A batch without records: the gate does not look at them."""
    return Batch((), NOW, **more)
