"""What a batch holds: events of orders, commands to decide, and items that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schemas.envelope import CloudEvent
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
    ANYBODY,
    SOURCE_NOT_ALLOWED,
    SOURCE_POINTER,
    AllowedSources,
)
from services.runtime.messages.records import (
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
    envelope: CloudEvent
    command: Command
    waits_for: str | None = None
    """The key it has waited for; None for an item of the batch."""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One event of an order, read."""

    original: Original
    news: OrderNews


@dataclass(frozen=True, slots=True)
class UnreadItem:
    """A record or a waiting item that is known to fail; it is parked without being read."""

    original: Original
    index: int
    failure: Failure
    waits_for: str | None = None


@dataclass(slots=True)
class Intake:
    """The items of a batch by what is to be done with them, each list in the order they came."""

    events: list[OrderEvent] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    revisited: set[str] = field(default_factory=set)
    """Keys whose waiting items are decided again without news: their time may be over."""
    unread: list[UnreadItem] = field(default_factory=list)
    known_failures: Mapping[ItemRef, Failure] = field(default_factory=dict)
    without_news: list[ItemRef] = field(default_factory=list)
    """Records that were read and say nothing that this service keeps."""

    @property
    def news(self) -> list[OrderNews]:
        """What the events say of orders."""
        return [event.news for event in self.events]

    def newest(self) -> dict[Uuid, OrderNews]:
        """The newest news of each order."""
        return _newest(self.news)

    def snapshot_claims(self) -> dict[Uuid, list[ToldClaim]]:
        """The claims in snapshots, by order, oldest first."""
        found: dict[Uuid, list[ToldClaim]] = {}
        for news in self.news:
            if news.claims:
                found.setdefault(news.order.order_id, []).extend(news.claims)
        return {order: sorted(claims, key=_sequence) for order, claims in found.items()}

    def all_claims_told_at(self) -> dict[Uuid, datetime]:
        """By order: when the newest event was decided that leaves out no claim of the order."""
        found: dict[Uuid, datetime] = {}
        for news in self.news:
            at, order = news.all_claims_told_at, news.order.order_id
            if at is not None:
                found[order] = max(at, found.get(order, at))
        return found

    def before_the_cut(self) -> list[OrderNews]:
        """For orders whose newest news have no lines: the newest news that have them."""
        cut = {order for order, news in self.newest().items() if news.lines_cut}
        whole = [n for n in self.news if n.order.order_id in cut and not n.lines_cut]
        return list(_newest(whole).values())


def _sequence(claim: ToldClaim) -> int:
    return claim.sequence


def _newest(events: Sequence[OrderNews]) -> dict[Uuid, OrderNews]:
    versions = newest(news.order for news in events)
    return {
        news.order.order_id: news for news in events if news.order is versions[news.order.order_id]
    }


def read(batch: Batch, senders: AllowedSources = ANYBODY) -> Intake:
    """Sort the items of a batch. Refused: malformed records, and commands of senders who may not
    write for the shop.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    intake = Intake(known_failures=batch.known_failures)
    for row in batch.retried:
        if row.position in batch.dismissed:
            intake.refused.append(_dismissal(row, batch.dismissed[row.position]))
        else:
            _read(intake, row.original, row.index, senders)
    for record in batch.records:
        _read(intake, record, WHOLE, senders)
    return intake


def _read(intake: Intake, record: Original, index: int, senders: AllowedSources) -> None:
    ref = ItemRef(record.coordinates, index)
    if ref in intake.known_failures:
        intake.unread.append(UnreadItem(record, index, intake.known_failures[ref]))
        return
    try:
        # The sender of an item that was read before was checked then; a whole record's was not.
        _put(intake, record, senders if index == WHOLE else ANYBODY)
    except Malformed as error:
        intake.refused.append(refusal(record, error))
    except Exception as error:
        raise ItemFailed(ref, Kind.READING) from error


def _dismissal(row: Parked, end: Dismissal) -> Rejection:
    envelope = readable_envelope(row.original)
    return Rejection(row.original, 0, envelope, end.reason, end.detail)


def refusal(original: Original, error: Malformed) -> Rejection:
    """The refusal of a message that cannot be read."""
    envelope = readable_envelope(original)
    return Rejection(original, 0, envelope, error.reason, error.detail, error.errors)


def waited(row: Waiting) -> Task:
    """The task of a waiting row, to be decided again.

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


def _put(intake: Intake, record: Original, senders: AllowedSources) -> None:
    if record.coordinates.topic == CLAIMS_COMMANDS:
        envelope, command = read_command(record)
        _admit(envelope, command, senders)
        intake.tasks.append(Task(record, envelope, command))
        return
    news = read_news(record)
    if news:
        intake.events.append(OrderEvent(record, news))
    else:
        intake.without_news.append(ItemRef(record.coordinates, 0))


def _admit(envelope: CloudEvent, command: Command, senders: AllowedSources) -> None:
    """Check the sender before anything is locked, so that a refused command touches nothing.

    Raises:
        Malformed: the sender may not write for the shop.
    """
    shop = command.order.shop if isinstance(command, OpenClaim) else command.shop
    detail = senders.refusal(shop, envelope.source)
    if detail:
        raise Malformed(SOURCE_NOT_ALLOWED, [FieldError(SOURCE_POINTER, detail)])
