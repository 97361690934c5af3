"""Locks and reads the campaigns, discounts and tests of shops; never begins or commits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_members
from pathlib import Path

import msgspec
from asyncpg import Connection, Record

from services.orders.domain.campaigns.attribute import codes_of
from services.orders.domain.campaigns.book import VERSIONS_MAX
from services.orders.domain.model.campaigns import Book, Entry, EntryName, Kind
from services.orders.domain.model.commands import (
    AdvanceCampaign,
    ChangeCampaigns,
    Command,
    ReportTracking,
    named_entries,
)
from services.orders.domain.model.ids import entry_id_of
from services.orders.domain.model.order import Order
from services.orders.domain.model.published import PublishedOfShop
from services.orders.domain.value import replace
from services.runtime import older_items
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "campaigns.sql")
CACHE_BOOKS = 256
CACHE_BYTES = 8 * 1024 * 1024
"""Of documents: decoded, a book takes several times as much."""

_BOOK = msgspec.json.Decoder(Book)
_ENTRY = msgspec.json.Decoder(Entry)

Codes = set[tuple[str, str]]
"""Shops and codes of discounts, as `Entry.code` has them."""


def codes_in(
    commands: Iterable[Command], orders: Iterable[Order | None], shops: Container[str]
) -> Codes:
    """The codes that commands and orders of some shops name."""
    said = {
        (command.shop, code)
        for command in commands
        if not isinstance(command, ReportTracking) and command.shop in shops
        for code in codes_of(command)
    }
    stored = {
        (order.shop, code)
        for order in orders
        if order is not None and order.shop in shops
        for code in codes_of(order)
    }
    return said | stored


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch needs of campaigns: books of shops, with discounts, and entries by name."""

    shops: Collection[str]
    codes: Callable[[Container[str]], Codes]
    """Makes the codes of discounts of some of the shops: only shops with a book have any."""
    changes: Sequence[ChangeCampaigns | AdvanceCampaign] = ()


@dataclass(frozen=True, slots=True)
class Locked:
    """Books of locked shops, without those that have none, and the entries that were named."""

    books: Mapping[str, Book] = field(default_factory=dict)
    entries: Mapping[EntryName, Entry] = field(default_factory=dict)
    published: Mapping[str, PublishedOfShop] = field(default_factory=dict)
    """After a restore: what was published of the shops whose campaigns a command changes."""


class BookCache:
    """Books that a process has decoded, by shop; one whose stored digest differs is not used."""

    def __init__(self, most: int = CACHE_BOOKS, most_bytes: int = CACHE_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._books: OrderedDict[str, tuple[int, Book, int]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, shop: str) -> bool:
        """Whether a book of the shop is kept, be it the present one or not."""
        return shop in self._books

    def digest_of(self, shop: str) -> int | None:
        """The digest of the document that a shop's book was decoded from; None: not kept."""
        kept = self._books.get(shop)
        return kept[0] if kept else None

    def find(self, shop: str, digest: int) -> Book:
        """The book that was decoded from the document of this digest.

        Raises:
            KeyError: it is not kept.
        """
        kept, book, _ = self._books[shop]
        if kept != digest:
            raise KeyError(shop)
        self._books.move_to_end(shop)
        return book

    def put(self, shop: str, digest: int, book: Book, size: int) -> None:
        """Keep a book, and drop those that were used least recently where there are too many."""
        self._drop(shop)
        self._books[shop] = (digest, book, size)
        self._bytes += size
        while len(self._books) > self._most or (len(self._books) > 1 and self._is_too_large):
            self._drop(next(iter(self._books)))

    @property
    def _is_too_large(self) -> bool:
        return self._bytes > self._most_bytes

    def _drop(self, shop: str) -> None:
        if (kept := self._books.pop(shop, None)) is not None:
            self._bytes -= kept[2]


async def lock_books(connection: Connection, cache: BookCache, wanted: Wanted) -> Locked:
    """Lock shops until the end of the transaction and read their books, in one statement.

    One more statement reads discounts of shops whose books were not kept, another one recalls items
    of entries with as many versions as are kept, and with commands of campaigns one reads what was
    published of their shops before a restore.
    """
    shops, changing = list(wanted.shops), {each.shop for each in wanted.changes}
    names = dict.fromkeys(name for each in wanted.changes for name in named_entries(each))
    kept = {shop for shop in shops if shop in cache}
    (row,) = await connection.fetch(
        SQL["lock_books"],
        shops,
        [shop in changing for shop in shops],
        [cache.digest_of(shop) for shop in shops],
        *columns_of(wanted.codes(kept) if kept else (), 2),
        *columns_of(names, 3),
    )
    published = await _read_published(connection, changing)
    if row["books"] is None:
        return Locked(published=published)
    # Those that are kept first: to keep another one may drop them.
    rows = sorted(row["books"], key=lambda each: each["document"] is not None)
    books = {each["shop"]: _book(cache, each) for each in rows}
    documents = list(row["entries"] or ())
    if (unkept := books.keys() - kept) and (codes := wanted.codes(unkept)):
        found = await connection.fetch(SQL["read_discounts"], *columns_of(codes, 2))
        documents += [each["document"] for each in found]
    locked = _with_entries(books, map(_ENTRY.decode, documents), published)
    return await _recall(connection, locked, wanted.changes)


NOTHING = Locked()


def _book(cache: BookCache, row: Record) -> Book:
    shop, digest, document = row["shop"], row["digest"], row["document"]
    if document is None:
        book = cache.find(shop, digest)
    else:
        book = _BOOK.decode(document)
        cache.put(shop, digest, book, len(document))
    return replace(book, sequence=row["sequence"])


async def _read_published(
    connection: Connection, shops: Collection[str]
) -> dict[str, PublishedOfShop]:
    if not shops:
        return {}
    rows = await connection.fetch(SQL["read_published"], list(shops))
    return {
        row["shop"]: PublishedOfShop(sequence=row["sequence"], events=frozenset(row["events"]))
        for row in rows
    }


def _with_entries(
    books: dict[str, Book], found: Iterable[Entry], published: Mapping[str, PublishedOfShop]
) -> Locked:
    entries = {entry.name: entry for entry in found}
    discounts: dict[str, list[Entry]] = {}
    for name in sorted(entries):
        if name.kind is Kind.DISCOUNT:
            discounts.setdefault(name.shop, []).append(entries[name])
    books |= {shop: replace(books[shop], discounts=tuple(each)) for shop, each in discounts.items()}
    return Locked(books, entries, published)


async def _recall(
    connection: Connection, locked: Locked, changes: Iterable[ChangeCampaigns | AdvanceCampaign]
) -> Locked:
    """The books, each with those of the items whose versions are not kept any more."""
    asked: dict[tuple[str, int], str] = {}
    for command in changes:
        own = locked.entries.get(named_entries(command)[0])
        if own is not None and len(own.versions) >= VERSIONS_MAX:
            asked[entry_id_of(*own.name), command.item_digest] = own.shop
    found = await older_items.find(connection, asked)
    if not found:
        return locked
    books = dict(locked.books)
    for (owner, digest), shop in asked.items():
        if digest in found.get(owner, ()):
            books[shop] = replace(books[shop], recalled=(*books[shop].recalled, digest))
    return with_members(locked, books=books)


ENTRIES_A_LOOK = 200


async def read_entries(
    connection: Connection, shop: str, after: EntryName | None = None
) -> list[Entry]:
    """The next campaigns, discounts and tests of a shop, by kind and id; none at the end."""
    kind, entry_id = (after.kind.value, after.entry_id) if after else ("", "")
    rows = await connection.fetch(SQL["read_entries"], shop, kind, entry_id, ENTRIES_A_LOOK)
    return [_ENTRY.decode(row["document"]) for row in rows]


async def find_shops(connection: Connection, after: str = "") -> list[str]:
    """The next shops with campaigns, discounts or tests, by name; none at the end."""
    rows = await connection.fetch(SQL["find_shops"], after, ENTRIES_A_LOOK)
    return [row["shop"] for row in rows]


def columns_of(rows: Collection[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as the columns that a statement takes."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
