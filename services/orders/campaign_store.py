"""Writes campaigns, discounts and tests of shops, and which orders to review after a change."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec
from asyncpg import Connection

from services.orders.campaign_books import columns_of
from services.orders.domain.campaigns.attribute import has_contact
from services.orders.domain.campaigns.book import next_change_at
from services.orders.domain.campaigns.choose import fulfilled_at_of
from services.orders.domain.model.campaigns import Book, Entry, Review
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.runtime import older_items
from services.runtime.older_items import OlderItem
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "campaigns.sql")

_DOCUMENT = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch changed of campaigns, against `before`, the books that it had locked."""

    before: Mapping[str, Book]
    books: Mapping[str, Book]
    entries: Collection[Entry]
    reviews: Sequence[Review]
    older: Collection[OlderItem]
    """Items whose versions are not kept any more, by the id of the entry."""
    causation_ids: Mapping[str, str]
    """By shop: the command that changed its book last."""


async def save(connection: Connection, changes: Changes, now: datetime) -> None:
    """Write changed books and entries, and ask for reviews: at most five statements.

    The first command of a shop also asks for a review of all orders that are stored: until then
    nothing about campaigns is stored of them.
    """
    books = [_book_row(book) for book in changes.books.values()]
    await connection.execute(SQL["save_books"], *columns_of(books, 4))
    if changes.entries:
        rows = [_entry_row(entry, now) for entry in changes.entries]
        await connection.execute(SQL["save_entries"], *columns_of(rows, 6))
    await older_items.save(connection, changes.older)
    await _ask_for_reviews(connection, changes)


def _book_row(book: Book) -> tuple[object, ...]:
    document = _DOCUMENT.encode(Book(shop=book.shop, entries=book.entries))
    return book.shop, _digest_of(document), document, book.sequence


def _digest_of(document: bytes) -> int:
    return int.from_bytes(blake2b(document, digest_size=8).digest(), signed=True)


def _entry_row(entry: Entry, now: datetime) -> tuple[object, ...]:
    document = _DOCUMENT.encode(entry)
    return (*entry.name, entry.code, document, next_change_at(entry, now))


# Reviews.


class _Asked(NamedTuple):
    """A row of a review; `since` None stands for all stored orders."""

    shop: str
    since: datetime | None
    only_contacts: bool
    causation_id: str

    @classmethod
    def of_all(cls, shop: str, causation_id: str) -> _Asked:
        """A review of all stored orders of a shop."""
        return cls(shop, since=None, only_contacts=False, causation_id=causation_id)


async def _ask_for_reviews(connection: Connection, changes: Changes) -> None:
    """Ask for reviews; one that has not begun takes in the next of its kind."""
    first = changes.books.keys() - changes.before.keys()
    rows = [_Asked.of_all(shop, changes.causation_ids[shop]) for shop in sorted(first)]
    asked = _widest(each for each in changes.reviews if each.shop not in first)
    if asked:
        merged = await connection.fetch(SQL["merge_reviews"], *columns_of(asked, 4))
        taken_in = {(row["shop"], row["only_contacts"]) for row in merged}
        rows += [each for each in asked if (each.shop, each.only_contacts) not in taken_in]
    if rows:
        await connection.execute(SQL["add_reviews"], *columns_of(rows, 4))


def _widest(reviews: Iterable[Review]) -> list[_Asked]:
    """One review of each kind for each shop: since the earliest time, by the last command."""
    asked: dict[tuple[str, bool], _Asked] = {}
    for each in reviews:
        kind = (each.shop, each.only_contacts)
        held = asked.get(kind)
        since = min(each.since, held.since) if held and held.since else each.since
        asked[kind] = _Asked(each.shop, since, each.only_contacts, each.causation_id)
    return list(asked.values())


class OrderTime(NamedTuple):
    """When campaigns matter for an order, and whether it has a contact."""

    order_id: Uuid
    shop: str
    at: datetime
    has_contact: bool


def changed_times(
    books: Container[str], before: Mapping[Uuid, Order | None], after: Mapping[Uuid, Order]
) -> list[OrderTime]:
    """The times that a batch changed, of orders of shops with a book; all of new orders."""
    found = []
    for order_id, order in after.items():
        if order.shop in books:
            stored, now = before.get(order_id), time_of(order)
            if stored is None or time_of(stored) != now:
                found.append(now)
    return found


def time_of(order: Order) -> OrderTime:
    """When campaigns matter for an order, and whether it has a contact."""
    at = max(filter(None, (order.placed_at, fulfilled_at_of(order))))
    return OrderTime(order.order_id, order.shop, at, has_contact(order))


async def save_order_times(connection: Connection, times: Collection[OrderTime]) -> None:
    """Write the times of orders whose rows are locked, in one statement; none without times."""
    if times:
        await connection.execute(SQL["save_order_times"], *columns_of(times, 4))
