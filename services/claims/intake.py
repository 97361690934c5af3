"""What a batch brings: news of orders, commands to decide, and what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schemas.topics import CLAIMS_COMMANDS
from services.claims.domain.commands import Command, OpenClaim
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import newest
from services.claims.messages.decode import OrderNews, read_command, read_news
from services.claims.messages.snapshots import ToldClaim
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import (
    WHOLE,
    Dismissal,
    Failure,
    ItemFailed,
    ItemRef,
    Kind,
    Parked,
)
from services.runtime.config.allowed_sources import (
    ANY_SOURCE,
    SOURCE_NOT_ALLOWED,
    SOURCE_POINTER,
    AllowedSources,
)
from services.runtime.messages.records import (
    Envelope,
    FieldError,
    Malformed,
    Original,
    readable_envelope,
)
from services.runtime.rejections import Rejection
from services.runtime.waiting.store import Waiting


@dataclass(frozen=True, slots=True)
class Task:
    """One command item to decide: from the batch, or one that waited until now."""

    original: Original
    envelope: Envelope
    command: Command
    waits_for: str | None = None
    """What it has waited for; None for an item of the batch."""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """One record's news of an order."""

    original: Original
    news: OrderNews


@dataclass(frozen=True, slots=True)
class Unread:
    """A record or a waiting item that is known to fail, and is parked without being read."""

    original: Original
    index: int
    failure: Failure
    waits_for: str | None = None


@dataclass(slots=True)
class Intake:
    """What is to be done, in the order it came."""

    tellings: list[Telling] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    revisited: set[str] = field(default_factory=set)
    """Names whose waiting items are looked at again although nothing is new: they may be late."""
    unread: list[Unread] = field(default_factory=list)
    doomed: Mapping[ItemRef, Failure] = field(default_factory=dict)
    without_news: list[ItemRef] = field(default_factory=list)
    """Records that were read and ask for nothing."""

    @property
    def news(self) -> list[OrderNews]:
        """What the records tell of orders."""
        return [telling.news for telling in self.tellings]

    def newest(self) -> dict[Uuid, OrderNews]:
        """The newest news of each order."""
        return _newest(self.news)

    def told_claims(self) -> dict[Uuid, list[ToldClaim]]:
        """What snapshots tell of the claims of each order, oldest first."""
        found: dict[Uuid, list[ToldClaim]] = {}
        for news in self.news:
            if news.claims:
                found.setdefault(news.order.order_id, []).extend(news.claims)
        return {order: sorted(told, key=_sequence) for order, told in found.items()}

    def all_claims_told_at(self) -> dict[Uuid, datetime]:
        """When the newest event was decided that leaves out no claim of its order."""
        found: dict[Uuid, datetime] = {}
        for news in self.news:
            at, order = news.all_claims_told_at, news.order.order_id
            if at is not None:
                found[order] = max(at, found.get(order, at))
        return found

    def before_the_cut(self) -> list[OrderNews]:
        """Of orders whose newest news were cut: the newest that still had their lines."""
        cut = {order for order, news in self.newest().items() if news.lines_cut}
        whole = [n for n in self.news if n.order.order_id in cut and not n.lines_cut]
        return list(_newest(whole).values())


def _sequence(told: ToldClaim) -> int:
    return told.sequence


def _newest(told: Sequence[OrderNews]) -> dict[Uuid, OrderNews]:
    versions = newest(news.order for news in told)
    return {
        news.order.order_id: news for news in told if news.order is versions[news.order.order_id]
    }


def read(batch: Batch, senders: AllowedSources = ANY_SOURCE) -> Intake:
    """Sort what a batch brings; malformed records, and commands of senders who may not speak for
    their shop, are set aside for their senders.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    inbox = Intake(doomed=batch.doomed)
    for row in batch.retried:
        if row.place in batch.dismissed:
            inbox.refused.append(_dismissal(row, batch.dismissed[row.place]))
        else:
            _read(inbox, row.original, row.index, senders)
    for record in batch.records:
        _read(inbox, record, WHOLE, senders)
    return inbox


def _read(inbox: Intake, record: Original, index: int, senders: AllowedSources) -> None:
    slot = ItemRef(record.coordinates, index)
    if slot in inbox.doomed:
        inbox.unread.append(Unread(record, index, inbox.doomed[slot]))
        return
    try:
        # An item that was read before was let in then; what is whole never was.
        _put(inbox, record, senders if index == WHOLE else ANY_SOURCE)
    except Malformed as error:
        inbox.refused.append(refusal(record, error))
    except Exception as error:
        raise ItemFailed(slot, Kind.READING) from error


def _dismissal(row: Parked, end: Dismissal) -> Rejection:
    envelope = readable_envelope(row.original)
    return Rejection(row.original, 0, envelope, end.reason, end.detail)


def refusal(original: Original, error: Malformed) -> Rejection:
    """A message that cannot be read, as its sender is told."""
    envelope = readable_envelope(original)
    return Rejection(original, 0, envelope, error.reason, error.detail, error.errors)


def waited(row: Waiting) -> Task:
    """A waiting item, to be decided again.

    Raises:
        Malformed: it was readable when it came, but not to this version of the contract.
        ItemFailed: it cannot be read for a reason that is not its sender's.
    """
    try:
        envelope, command = read_command(row.original)
    except Malformed:
        raise
    except Exception as error:
        raise ItemFailed(ItemRef(row.original.coordinates, row.index), Kind.READING) from error
    return Task(row.original, envelope, command, row.waits_for, row.expires_at)


def _put(inbox: Intake, record: Original, senders: AllowedSources) -> None:
    if record.coordinates.topic == CLAIMS_COMMANDS:
        envelope, command = read_command(record)
        _admit(envelope, command, senders)
        inbox.tasks.append(Task(record, envelope, command))
        return
    news = read_news(record)
    if news:
        inbox.tellings.append(Telling(record, news))
    else:
        inbox.without_news.append(ItemRef(record.coordinates, 0))


def _admit(envelope: Envelope, command: Command, senders: AllowedSources) -> None:
    """Before anything is locked, so that a stranger's command touches nothing."""
    shop = command.order.shop if isinstance(command, OpenClaim) else command.shop
    detail = senders.refusal(shop, envelope.source)
    if detail:
        raise Malformed(SOURCE_NOT_ALLOWED, [FieldError(SOURCE_POINTER, detail)])


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:  # noqa: ARG001
    """What the service would refuse of a message before it decides; a message is one item."""
    return read(Batch((original,), now)).refused
