"""What a batch holds: events that were read, refused records, and records known to fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from services.analytics.domain.facts import ClaimNews, News
from services.analytics.messages import read_news
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    WHOLE,
    Failure,
    ItemFailed,
    ItemRef,
    Kind,
    ParkingCandidate,
)
from services.runtime.messages.records import Malformed, Original, readable_envelope
from services.runtime.parking.keys import parking_keys
from services.runtime.rejections import Rejection


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event that was read; `news` is None where it says nothing that is kept."""

    original: Original
    news: News | None


@dataclass(frozen=True, slots=True)
class UnreadEvent:
    """A record that is known to fail; it is parked without being read."""

    original: Original
    index: int
    failure: Failure


@dataclass(slots=True)
class Intake:
    """The records of a batch by what is to be done with them."""

    events: list[ReadEvent] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    unread: list[UnreadEvent] = field(default_factory=list)

    def parking_keys(self) -> set[str]:
        """The parking keys of every order that the records are about."""
        return set().union(*map(event_keys, self.events), *map(unread_keys, self.unread))


def read_batch(batch: Batch) -> Intake:
    """Sort the records of a batch.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    intake = Intake()
    for row in batch.retried:
        if row.position in batch.dismissed:
            end = batch.dismissed[row.position]
            envelope = readable_envelope(row.original)
            intake.refused.append(Rejection(row.original, 0, envelope, end.reason, end.detail))
        else:
            _read(intake, batch, row.original, row.index)
    for record in batch.records:
        _read(intake, batch, record, WHOLE)
    return intake


def event_candidate(event: ReadEvent) -> ParkingCandidate:
    """An event that was read, with the key of its order."""
    type_ = readable_envelope(event.original).type
    return ParkingCandidate(event.original, 0, None, type_, event_keys(event))


def unread_candidate(unread: UnreadEvent) -> ParkingCandidate:
    """A record that is parked unread, with the key of the order that the record's key names."""
    type_ = readable_envelope(unread.original).type
    return ParkingCandidate(unread.original, unread.index, None, type_, unread_keys(unread))


def event_keys(event: ReadEvent) -> frozenset[str]:
    """The parking key of the order that an event is about; none where nothing of it is kept."""
    news = event.news
    if news is None:
        return frozenset()
    about = news.claim if isinstance(news, ClaimNews) else news.order
    return parking_keys([about.order_id])


def unread_keys(unread: UnreadEvent) -> frozenset[str]:
    """The parking key of the order that the key of a record names; none where it names none."""
    try:
        return parking_keys([UUID((unread.original.key or b"").decode())])
    except ValueError:  # Also raised for what is not UTF-8.
        return frozenset()


def _read(intake: Intake, batch: Batch, record: Original, index: int) -> None:
    ref = ItemRef(record.coordinates, index)
    if ref in batch.known_failures:
        intake.unread.append(UnreadEvent(record, index, batch.known_failures[ref]))
        return
    try:
        intake.events.append(ReadEvent(record, read_news(record)))
    except Malformed as error:
        envelope = readable_envelope(record)
        refusal = Rejection(record, 0, envelope, error.reason, error.detail, error.errors)
        intake.refused.append(refusal)
    except Exception as error:
        raise ItemFailed(ref, Kind.READING) from error
