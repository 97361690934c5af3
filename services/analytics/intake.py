"""What a batch brings: news, what is refused for its sender, and what is parked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
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
    order_name,
)
from services.runtime.messages.records import Malformed, Original, readable_envelope
from services.runtime.rejections import Rejection


@dataclass(frozen=True, slots=True)
class Telling:
    """One record and what it says; None: nothing that is kept."""

    original: Original
    news: News | None


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that is known to fail, and is parked without being read."""

    original: Original
    index: int
    failure: Failure


@dataclass(slots=True)
class Arrived:
    """A batch's records, sorted."""

    tellings: list[Telling] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def names(self) -> set[str]:
        """Every order that they are about."""
        named = [*map(names_of, self.tellings), *map(key_names, self.unread)]
        return set().union(*named)


def read_batch(batch: Batch) -> Arrived:
    """Sort what a batch brings.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    arrived = Arrived()
    for row in batch.retried:
        if row.place in batch.dismissed:
            end = batch.dismissed[row.place]
            envelope = readable_envelope(row.original)
            arrived.refused.append(Rejection(row.original, 0, envelope, end.reason, end.detail))
        else:
            _read(arrived, batch, row.original, row.index)
    for record in batch.records:
        _read(arrived, batch, record, WHOLE)
    return arrived


def entrant_of(telling: Telling) -> ParkingCandidate:
    """An event as the queue of parked items sees it."""
    type_ = readable_envelope(telling.original).type
    return ParkingCandidate(telling.original, 0, None, type_, names_of(telling))


def unread_entrant(unread: Unread) -> ParkingCandidate:
    """A record that is parked unread, under the order that its key names."""
    type_ = readable_envelope(unread.original).type
    return ParkingCandidate(unread.original, unread.index, None, type_, key_names(unread))


def names_of(telling: Telling) -> frozenset[str]:
    """The order an event is about."""
    news = telling.news
    if news is None:
        return frozenset()
    about = news.claim if isinstance(news, ClaimNews) else news.order
    return frozenset({order_name(about.order_id)})


def key_names(unread: Unread) -> frozenset[str]:
    """The order that the key of a record names."""
    try:
        return frozenset({order_name(UUID((unread.original.key or b"").decode()))})
    except ValueError:  # Also what is not UTF-8.
        return frozenset()


def _read(arrived: Arrived, batch: Batch, record: Original, index: int) -> None:
    slot = ItemRef(record.coordinates, index)
    if slot in batch.doomed:
        arrived.unread.append(Unread(record, index, batch.doomed[slot]))
        return
    try:
        arrived.tellings.append(Telling(record, read_news(record)))
    except Malformed as error:
        envelope = readable_envelope(record)
        refusal = Rejection(record, 0, envelope, error.reason, error.detail, error.errors)
        arrived.refused.append(refusal)
    except Exception as error:
        raise ItemFailed(slot, Kind.READING) from error


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:  # noqa: ARG001
    """What the service would refuse of a message before it decides; a message is one item."""
    return read_batch(Batch((original,), now)).refused
