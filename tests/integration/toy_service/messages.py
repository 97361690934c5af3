"""Messages of the contract to items, and decisions to events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.envelope import CloudEvent
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, ItemRef, ParkingCandidate
from services.runtime.messages.headers import headers_by_place
from services.runtime.messages.json_codec import encode_json
from services.runtime.messages.records import (
    Malformed,
    Original,
    item_id,
    named_uuid,
    read_message,
    validate,
)
from services.runtime.outbox.outbox import Outgoing
from services.runtime.rejections import Rejection

from .contract import CHANGED, STOCK_EVENTS, Change

SOURCE = "orderflow/stock"


@dataclass(frozen=True, slots=True)
class Item:
    """One command: a record holds one, with index 0."""

    original: Original
    envelope: CloudEvent
    change: Change

    @property
    def ref(self) -> ItemRef:
        """The reference by which the runtime knows the item."""
        return ItemRef(self.original.coordinates, 0)

    @property
    def keys(self) -> frozenset[str]:
        """The parking keys: items that share one are decided in order."""
        return frozenset({f"sku:{self.change.sku}"})

    def candidate(self) -> ParkingCandidate:
        """The item as it is parked."""
        return ParkingCandidate(self.original, 0, None, self.envelope.type, self.keys)


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that is not read, because reading it ended a process before."""

    original: Original
    failure: Failure

    @property
    def ref(self) -> ItemRef:
        """The reference by which the runtime knows the record as a whole."""
        return ItemRef(self.original.coordinates, WHOLE)

    def candidate(self) -> ParkingCandidate:
        """The record as it is parked: under its key, which is the article by contract."""
        key = (self.original.key or b"").decode("utf-8", "replace")
        return ParkingCandidate(self.original, WHOLE, None, None, frozenset({f"sku:{key}"}))


Found = Item | Rejection | Unread


def read(original: Original) -> Item | Rejection:
    """The item of a record, or its rejection when the record breaks the contract."""
    try:
        message = read_message(original)
        return Item(original, message.envelope, validate(Change, message.body))
    except Malformed as error:
        return Rejection.of_malformed(original, error)


def read_batch(batch: Batch) -> Iterator[Found]:
    """Parked items that are retried, then the records. What an operator ended is a rejection."""
    for row in batch.retried:
        if end := batch.dismissed.get(row.position):
            yield Rejection.of_dismissed(row, end)
        else:
            yield _read_unless_failing(row.original, batch)
    for record in batch.records:
        yield _read_unless_failing(record, batch)


def _read_unless_failing(original: Original, batch: Batch) -> Found:
    failure = batch.known_failures.get(ItemRef(original.coordinates, WHOLE))
    return Unread(original, failure) if failure else read(original)


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:
    """The rejections of a message without a decision.

    Raises:
        LookupError: the message holds no item `index`.
    """
    if index not in (0, WHOLE):
        raise LookupError(f"the message holds no item {index}")
    found = read(original)
    return [found] if isinstance(found, Rejection) else []


def changed_event(item: Item, level: int, now: datetime) -> Outgoing:
    """The event of an applied change. Its id follows from the item: a replay gives the same."""
    sku, cause = item.change.sku, item_id(item.original, item.envelope, 0)
    headers = headers_by_place(
        id=str(named_uuid(f"stock/{cause}")),
        source=SOURCE,
        type=CHANGED,
        time=now.isoformat(),
        traceparent=item.envelope.traceparent,
        causation_id=str(cause),
    )
    value = encode_json({"sku": sku, "level": level})
    return Outgoing(STOCK_EVENTS, sku.encode(), value, headers, shard_by=sku)
