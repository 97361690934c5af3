"""What a batch holds: events and activities that were read, refused records, known failures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.topics import PORTAL_ACTIVITY
from services.analytics.domain.facts import EventFacts
from services.analytics.messages.activity import ReceivedActivity, read_activity, without_visitor
from services.analytics.messages.decode import read_facts
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
from services.runtime.messages.repair import ItemWarning
from services.runtime.rejections import Rejection


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event that was read; `facts` is None where its order was cut for size."""

    original: Original
    facts: EventFacts | None


@dataclass(frozen=True, slots=True)
class ReadActivity:
    """One activity of a page that was read."""

    original: Original
    received: ReceivedActivity


@dataclass(slots=True)
class Intake:
    """The records of a batch by what is to be done with them."""

    events: list[ReadEvent] = field(default_factory=list)
    activities: list[ReadActivity] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    unread: list[UnreadItem] = field(default_factory=list)


def read_batch(batch: Batch, senders: AllowedSources = ANY_SOURCE) -> Intake:
    """Sort the records of a batch.

    Malformed records, and activities of sources that may not write for the shop, are refused.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    intake = Intake()
    for row in batch.retried:
        if row.position in batch.dismissed:
            dismissal = batch.dismissed[row.position]
            refusal = Rejection.of_dismissed(row, dismissal)
            intake.refused.append(replace(refusal, original=_as_kept(row.original)))
        else:
            # The sender of an item that was read before was checked then.
            checked = senders if row.index == WHOLE else ANY_SOURCE
            _read(
                intake, batch, ItemRef(row.original.coordinates, row.index), row.original, checked
            )
    for record in batch.records:
        _read(intake, batch, ItemRef(record.coordinates, WHOLE), record, senders)
    if batch.trace is not None:
        _trace(intake, batch.trace)
    return intake


def _trace(intake: Intake, trace: BatchTrace) -> None:
    """Give spans to the items that are traced."""
    for event in intake.events:
        trace.note(event.original)
    for activity in intake.activities:
        trace.note(activity.original)
    intake.refused = rejections.traced(intake.refused, trace)


def _read(
    intake: Intake, batch: Batch, ref: ItemRef, record: Original, senders: AllowedSources
) -> None:
    if ref in batch.known_failures:
        intake.unread.append(UnreadItem(record, ref.index, batch.known_failures[ref]))
        return
    try:
        _put(intake, record, senders)
    except Malformed as error:
        intake.refused.append(Rejection.of_malformed(_as_kept(record), error))
    except Exception as error:
        raise ItemFailed(ref, FailureKind.READING) from error


def _as_kept(original: Original) -> Original:
    """A refused record as it is kept and published: of an activity without its visitor."""
    is_activity = original.coordinates.topic == PORTAL_ACTIVITY
    return without_visitor(original) if is_activity else original


def _put(intake: Intake, record: Original, senders: AllowedSources) -> None:
    if record.coordinates.topic != PORTAL_ACTIVITY:
        intake.events.append(ReadEvent(record, read_facts(record)))
        return
    received = read_activity(record)
    detail = senders.refusal(received.shop, received.envelope.source)
    if detail:
        raise Malformed(SOURCE_NOT_ALLOWED, [FieldError(SOURCE_POINTER, detail)])
    intake.activities.append(ReadActivity(record, received))


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:  # noqa: ARG001
    """The rejections of a message without a decision; a message is one item."""
    return read_batch(Batch((original,), now)).refused


def warnings(original: Original, now: datetime) -> list[ItemWarning]:
    """What is repaired or left out of an activity that can be read."""
    activities = read_batch(Batch((original,), now)).activities
    return [ItemWarning(0, each) for read in activities for each in read.received.warnings]
