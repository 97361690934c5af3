"""The entries of a batch: the items of its records, and the parked items that are retried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from msgspec import structs

from schemas.repair import RepairCode
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.reasons import CommandRefused
from services.orders.domain.rules.check_number import check_numbers
from services.orders.messages.decode import (
    COMMANDS,
    is_of_many,
    pointer_of,
    read,
    read_item,
)
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import WHOLE, ItemRef, Parked
from services.runtime.config.allowed_sources import (
    SOURCE_NOT_ALLOWED,
    SOURCE_POINTER,
    AllowedSources,
)
from services.runtime.messages.records import FieldError, Original, item_of, readable_envelope
from services.runtime.messages.repair import ItemWarning, RepairWarning
from services.runtime.rejections import Rejection


def read_records(batch: Batch, senders: AllowedSources) -> Iterator[Entry]:
    """The items of the batch's records; a record that is known to fail as a whole is not read."""
    for record in batch.records:
        failure = batch.known_failures and batch.known_failures.get(
            ItemRef(record.coordinates, WHOLE)
        )
        if failure:
            yield UndecodedItem(record, WHOLE, readable_envelope(record), failure)
        else:
            yield from _check_senders(read(record, batch.now), senders)


def read_retried(batch: Batch, senders: AllowedSources) -> Iterator[Entry]:
    """The parked items of the batch, in queue order; those that an operator ends are refusals."""
    for row in batch.retried:
        failure = batch.known_failures and batch.known_failures.get(row.ref)
        if row.position in batch.dismissed:
            yield _dismissal(batch, row)
        elif failure:
            yield UndecodedItem(row.original, row.index, readable_envelope(row.original), failure)
        elif row.index == WHOLE:  # Never read before, so its sender was never checked.
            yield from _check_senders(read(row.original, batch.now), senders)
        else:
            yield read_item(row.original, row.index, batch.now)


def traced(
    trace: BatchTrace, entries: Iterable[Entry], *, are_waiting: bool = False
) -> list[Entry]:
    """The entries; those of items that are traced go on with the spans of the items."""
    found, skips = list(entries), trace.skips
    for number, entry in enumerate(found):
        item = entry.item if isinstance(entry, DecodedItem) else entry
        if not skips(item.original, item.envelope.traceparent):
            found[number] = _traced(trace, entry, is_waiting=are_waiting)
    return found


def _traced(trace: BatchTrace, entry: Entry, *, is_waiting: bool) -> Entry:
    if isinstance(entry, DecodedItem):
        item = entry.item
        envelope = trace.adopt(
            item.original,
            item.index,
            item.envelope,
            type_=item.envelope.type,
            is_waiting=is_waiting,
        )
        return DecodedItem(structs.replace(item, envelope=envelope), entry.command)
    envelope = trace.adopt(entry.original, entry.index, entry.envelope, is_waiting=is_waiting)
    return replace(entry, envelope=envelope)


def _check_senders(entries: Iterable[Entry], senders: AllowedSources) -> Iterable[Entry]:
    """The entries, with a refusal for each command whose sender may not write for the shop.

    Senders are checked before anything is locked, so that a refused command touches nothing. An
    item that was accepted once is not checked again.
    """
    return [_check_sender(entry, senders) for entry in entries] if senders.by_shop else entries


def _check_sender(entry: Entry, senders: AllowedSources) -> Entry:
    if not isinstance(entry, DecodedItem) or isinstance(entry.command, ReportTracking):
        return entry
    item = entry.item
    if item.original.coordinates.topic != COMMANDS:
        return entry
    detail = senders.refusal(entry.command.shop, item.envelope.source)
    if detail is None:
        return entry
    errors = (FieldError(SOURCE_POINTER, detail),)
    return Rejection(
        item.original,
        item.index,
        item.envelope,
        SOURCE_NOT_ALLOWED,
        detail,
        errors,
        is_of_many(item),
    )


def _dismissal(batch: Batch, row: Parked) -> Rejection:
    end = batch.dismissed[row.position]
    envelope = readable_envelope(row.original)
    item = item_of(row.original, max(0, row.index), envelope, None)
    is_one_of_many = row.index != WHOLE and is_of_many(item)
    return Rejection(
        row.original, item.index, envelope, end.reason, end.detail, of_many=is_one_of_many
    )


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:
    """What the service would refuse of item `index` (WHOLE: of every item), whatever is stored.

    Raises:
        LookupError: the message holds no such item.
    """
    entries = read(original, now, None if index == WHOLE else index)
    if not entries:
        raise LookupError(f"the message holds no item {index}")
    return [refused for entry in entries if (refused := _refused(entry))]


def _refused(entry: Entry) -> Rejection | None:
    """The refusal of an item that cannot be read, or has what no decision takes."""
    if not isinstance(entry, DecodedItem):
        return entry if isinstance(entry, Rejection) else None
    item = entry.item
    try:
        check_numbers(entry.command)
    except CommandRefused as refused:
        errors = (FieldError(pointer_of(item) + (refused.pointer or ""), refused.detail),)
        return Rejection(
            item.original,
            item.index,
            item.envelope,
            refused.reason.value,
            refused.detail,
            errors,
            is_of_many(item),
        )
    return None


def warnings(original: Original, now: datetime) -> list[ItemWarning]:
    """The warnings of each item that can be read, before the service decides."""
    return [
        ItemWarning(
            entry.item.index,
            RepairWarning(RepairCode(each.code), each.pointer, each.detail),
        )
        for entry in read(original, now)
        if isinstance(entry, DecodedItem)
        for each in entry.command.warnings
    ]
