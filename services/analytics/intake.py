"""What a batch holds: events that were read, refused records, and records known to fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.analytics.domain.facts import EventFacts
from services.analytics.messages.decode import read_facts
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, FailureKind, ItemFailed, ItemRef, UnreadItem
from services.runtime.messages.records import Malformed, Original
from services.runtime.rejections import Rejection


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event that was read; `facts` is None where its order was cut for size."""

    original: Original
    facts: EventFacts | None


@dataclass(slots=True)
class Intake:
    """The records of a batch by what is to be done with them."""

    events: list[ReadEvent] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    unread: list[UnreadItem] = field(default_factory=list)


def read_batch(batch: Batch) -> Intake:
    """Sort the records of a batch.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    intake = Intake()
    for row in batch.retried:
        if row.position in batch.dismissed:
            intake.refused.append(Rejection.of_dismissed(row, batch.dismissed[row.position]))
        else:
            _read(intake, batch, row.original, row.index)
    for record in batch.records:
        _read(intake, batch, record, WHOLE)
    return intake


def _read(intake: Intake, batch: Batch, record: Original, index: int) -> None:
    ref = ItemRef(record.coordinates, index)
    if ref in batch.known_failures:
        intake.unread.append(UnreadItem(record, index, batch.known_failures[ref]))
        return
    try:
        intake.events.append(ReadEvent(record, read_facts(record)))
    except Malformed as error:
        intake.refused.append(Rejection.of_malformed(record, error))
    except Exception as error:
        raise ItemFailed(ref, FailureKind.READING) from error


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:  # noqa: ARG001
    """The rejections of a message without a decision; a message is one item."""
    return read_batch(Batch((original,), now)).refused
