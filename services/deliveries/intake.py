"""What a batch holds: events to match, commands to decide, and items that cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import structs

from schemas.topics import DELIVERIES_COMMANDS
from services.deliveries.messages.decode import (
    ReceivedCommand,
    ReceivedEvent,
    read_command,
    read_event,
)
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import WHOLE, FailureKind, ItemFailed, ItemRef, UnreadItem
from services.runtime.config.allowed_sources import (
    ANY_SOURCE,
    SOURCE_NOT_ALLOWED,
    SOURCE_POINTER,
    AllowedSources,
)
from services.runtime.messages.records import FieldError, Malformed, Original
from services.runtime.rejections import Rejection


@dataclass(frozen=True, slots=True)
class EventItem:
    """One event that was read."""

    original: Original
    received: ReceivedEvent


@dataclass(frozen=True, slots=True)
class CommandItem:
    """One command that was read."""

    original: Original
    received: ReceivedCommand


@dataclass(slots=True)
class Intake:
    """The items of a batch by what is to be done with them, each list in the order they came."""

    events: list[EventItem] = field(default_factory=list)
    commands: list[CommandItem] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    unread: list[UnreadItem] = field(default_factory=list)


def read_batch(batch: Batch, senders: AllowedSources = ANY_SOURCE) -> Intake:
    """Sort the items of a batch.

    Malformed records, and commands of sources that may not write for the shop, are refused.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    intake = Intake()
    for row in batch.retried:
        if row.position in batch.dismissed:
            intake.refused.append(Rejection.of_dismissed(row, batch.dismissed[row.position]))
        else:
            # The sender of an item that was read before was checked then.
            _read(
                intake,
                batch,
                row.original,
                row.index,
                senders if row.index == WHOLE else ANY_SOURCE,
            )
    for record in batch.records:
        _read(intake, batch, record, WHOLE, senders)
    if batch.trace is not None:
        _trace(intake, batch.trace)
    return intake


def _trace(intake: Intake, trace: BatchTrace) -> None:
    """Give spans to the items that are traced."""
    intake.commands = [_traced(each, trace) for each in intake.commands]
    for event in intake.events:
        trace.note(event.original, type_=event.received.type)
    intake.refused = rejections.traced(intake.refused, trace)


def _traced(item: CommandItem, trace: BatchTrace) -> CommandItem:
    read = item.received
    envelope = trace.adopt(item.original, 0, read.envelope, type_=read.type)
    return CommandItem(item.original, structs.replace(read, envelope=envelope))


def urls_in(records: Sequence[Original]) -> set[str]:
    """The URLs that commands of these records hold.

    What cannot be read is passed over: `read_batch` reads it again, and refuses or parks it.
    """
    urls = set()
    for record in records:
        if record.coordinates.topic == DELIVERIES_COMMANDS:
            with contextlib.suppress(Exception):
                target = read_command(record).target
                urls |= {target.webhook_url} if target and target.webhook_url else set()
    return urls


def _read(
    intake: Intake, batch: Batch, record: Original, index: int, senders: AllowedSources
) -> None:
    ref = ItemRef(record.coordinates, index)
    if ref in batch.known_failures:
        intake.unread.append(UnreadItem(record, index, batch.known_failures[ref]))
        return
    try:
        if record.coordinates.topic == DELIVERIES_COMMANDS:
            read = read_command(record)
            _check_source(read, senders)
            intake.commands.append(CommandItem(record, read))
        else:
            intake.events.append(EventItem(record, read_event(record)))
    except Malformed as error:
        intake.refused.append(Rejection.of_malformed(record, error))
    except Exception as error:
        raise ItemFailed(ref, FailureKind.READING) from error


def _check_source(command: ReceivedCommand, senders: AllowedSources) -> None:
    detail = senders.refusal(command.shop, command.envelope.source)
    if detail:
        raise Malformed(SOURCE_NOT_ALLOWED, [FieldError(SOURCE_POINTER, detail)])


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:  # noqa: ARG001
    """The rejections of a message without a decision; a message is one item."""
    return read_batch(Batch((original,), now)).refused
