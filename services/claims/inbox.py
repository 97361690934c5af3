"""What a batch brings: news of orders, commands to decide, and what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from schemas.topics import CLAIMS_COMMANDS
from services.claims.domain.commands import Command
from services.claims.domain.order_copy import newest
from services.claims.messages import OrderNews, read_command, read_news
from services.runtime.records import Envelope, Malformed, Original, readable_envelope
from services.runtime.rejections import Rejection
from services.runtime.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Task:
    """One command item to decide: from the batch, or one that waited until now."""

    original: Original
    envelope: Envelope
    command: Command
    waits_for: str | None = None
    """What it has waited for; None for an item of the batch."""
    expires_at: datetime | None = None


@dataclass(slots=True)
class Inbox:
    """What is to be done, in the order it came."""

    news: list[OrderNews] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    revisited: set[str] = field(default_factory=set)
    """Names whose waiting items are looked at again although nothing is new: they may be late."""

    def newest(self) -> dict[UUID, OrderNews]:
        """The newest news of each order."""
        return _newest(self.news)

    def before_the_cut(self) -> list[OrderNews]:
        """Of orders whose newest news were cut: the newest that still had their lines."""
        cut = {order for order, news in self.newest().items() if news.lines_cut}
        whole = [n for n in self.news if n.order.order_id in cut and not n.lines_cut]
        return list(_newest(whole).values())


def _newest(told: Sequence[OrderNews]) -> dict[UUID, OrderNews]:
    versions = newest(news.order for news in told)
    return {
        news.order.order_id: news for news in told if news.order is versions[news.order.order_id]
    }


def read(records: Sequence[Original]) -> Inbox:
    """Sort a batch's records; malformed ones are set aside for their senders."""
    inbox = Inbox()
    for record in records:
        try:
            _put(inbox, record)
        except Malformed as error:
            inbox.refused.append(refusal(record, error))
    return inbox


def refusal(original: Original, error: Malformed) -> Rejection:
    """A message that cannot be read, as its sender is told."""
    envelope = readable_envelope(original)
    return Rejection(original, 0, envelope, error.reason, error.detail, error.errors)


def waited(row: Waiting) -> Task:
    """A waiting item, to be decided again.

    Raises:
        Malformed: it was readable when it came, but not to this version of the contract.
    """
    envelope, command = read_command(row.original)
    return Task(row.original, envelope, command, row.waits_for, row.expires_at)


def _put(inbox: Inbox, record: Original) -> None:
    if record.coordinates.topic == CLAIMS_COMMANDS:
        envelope, command = read_command(record)
        inbox.tasks.append(Task(record, envelope, command))
        return
    news = read_news(record)
    if news:
        inbox.news.append(news)
