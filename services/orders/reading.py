"""What a batch brings, as entries: records that came, and parked items that are tried again."""

from __future__ import annotations

from collections.abc import Iterator

from services.orders.messages.incoming import Entry, Unread, is_of_many, read, read_item
from services.runtime.batches import Batch
from services.runtime.parking.values import WHOLE, Parked, Slot
from services.runtime.records import Item, readable_envelope
from services.runtime.rejections import Rejection


def arrived(batch: Batch) -> Iterator[Entry]:
    """The items of the batch's records; a record that is doomed as a whole is not read."""
    for record in batch.records:
        failure = batch.doomed and batch.doomed.get(Slot(record.coordinates, WHOLE))
        if failure:
            yield Unread(record, WHOLE, readable_envelope(record), failure)
        else:
            yield from read(record, batch.now)


def tried_again(batch: Batch) -> Iterator[Entry]:
    """The parked items of the batch, in the order of the queue; dismissed ones are refusals."""
    for row in batch.retried:
        failure = batch.doomed and batch.doomed.get(row.slot)
        if row.place in batch.dismissed:
            yield _dismissal(batch, row)
        elif failure and row.index == WHOLE:
            yield Unread(row.original, WHOLE, readable_envelope(row.original), failure)
        elif row.index == WHOLE:
            yield from read(row.original, batch.now)
        else:
            yield read_item(row.original, row.index, batch.now)


def _dismissal(batch: Batch, row: Parked) -> Rejection:
    end = batch.dismissed[row.place]
    envelope = readable_envelope(row.original)
    item = Item(row.original, max(0, row.index), envelope, None)
    is_one_of_many = row.index != WHOLE and is_of_many(item)
    return Rejection(
        row.original, item.index, envelope, end.reason, end.detail, of_many=is_one_of_many
    )
