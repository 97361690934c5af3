"""Items for tests of the queue: their parking keys are letters, as in `AB`."""

from dataclasses import replace
from datetime import UTC, datetime

from schemas.envelope import CloudEvent
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    WHOLE,
    Failure,
    FailureKind,
    ItemRef,
    Parked,
    ParkingCandidate,
    QueuePosition,
)
from services.runtime.messages.records import Coordinates, Original
from services.runtime.rejections import Rejection

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BUG = Failure(FailureKind.DECISION, "a bug")
REFUSED = Failure(FailureKind.WRITE, "refused by Postgres")
FIRST, FIFTH, NINTH = (QueuePosition(n, 0) for n in (1, 5, 9))


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


ITEM, EARLIER = a_ref(2), a_ref(1)


def a_record(keys="A", kind=FailureKind.READING):
    """The record of the item, parked unread at the fifth position."""
    return a_row(FIFTH, ItemRef(ITEM.at, WHOLE), keys, kind)


def a_batch(**more):
    """A batch without records: the gate does not look at them."""
    return Batch((), NOW, **more)


def a_rejection(ref, reason="invalid_fields"):
    """A refusal of the item without a decision."""
    original = a_candidate(ref, "").original
    return Rejection(original, ref.index, CloudEvent(source="/shop"), reason, "")


def done(gate, ref=ITEM, keys="A", waker=None):
    """A turn of an item that is decided; whether it was."""
    with gate.turn(ref, lambda: a_candidate(ref, keys), waker) as turn:
        if not turn.blocked:
            turn.done("applied")
    return not turn.blocked


def fail(gate, ref=ITEM, keys="A", waker=None):
    """A turn of an item whose decision fails; whether it was begun."""
    with gate.turn(ref, lambda: a_candidate(ref, keys), waker) as turn:
        if not turn.blocked:
            turn.fail(BUG)
    return not turn.blocked
