"""Index of a book: its campaigns and tests by what orders look for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.orders.domain.model.campaigns import (
    AbTestContent,
    Book,
    CampaignContent,
    DiscountContent,
    Entry,
    Kind,
)

VERSIONS_MAX = 20_000
"""Of how many versions books are kept together with their index; the last one always is."""


class Index:
    """The campaigns and tests of a book, by segment, id, name and discount at any time."""

    __slots__ = (
        "began",
        "by_discount",
        "by_id",
        "by_name",
        "campaigns",
        "known_since",
        "size",
        "tests",
    )

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.began: datetime | None = None
        """Since when the shop has a campaign or a test."""
        self.size = 1
        """How many versions it has, and one."""
        self.known_since: dict[tuple[Kind, str], datetime] = {}
        """By kind and id, of entries with versions that are not kept any more."""
        self.campaigns: dict[str | None, list[Entry]] = {}
        self.tests: dict[str | None, list[Entry]] = {}
        self.by_id: dict[str, Entry] = {}
        self.by_name: dict[str, list[Entry]] = {}
        """By name without regard to case."""
        self.by_discount: dict[str, list[Entry]] = {}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        contents = list(_contents(entry))
        self.size += len(entry.versions)
        if entry.known_since is not None:
            self.known_since[entry.kind, entry.entry_id] = entry.known_since
        began = next((v.effective_at for v in entry.versions if v.content is not None), None)
        if began is not None and (self.began is None or began < self.began):
            self.began = began
        by_segment = self.campaigns if entry.kind is Kind.CAMPAIGN else self.tests
        for segment in dict.fromkeys(content.segment for content in contents):
            by_segment.setdefault(segment, []).append(entry)
        if entry.kind is not Kind.CAMPAIGN:
            return
        self.by_id[entry.entry_id] = entry
        campaigns = [each for each in contents if isinstance(each, CampaignContent)]
        for name in dict.fromkeys(content.name.casefold() for content in campaigns):
            self.by_name.setdefault(name, []).append(entry)
        for discount_id in dict.fromkeys(content.discount_id for content in campaigns):
            if discount_id is not None:
                self.by_discount.setdefault(discount_id, []).append(entry)


def _contents(entry: Entry) -> Iterator[CampaignContent | AbTestContent]:
    for version in entry.versions:
        if version.content is not None and not isinstance(version.content, DiscountContent):
            yield version.content


def index_of(book: Book) -> Index:
    """The index of a book; kept for the shops that were asked for last, while they are small."""
    known = _KNOWN.get(book.shop)
    if known is not None and known[0] is book.entries:
        return known[1]
    index = Index(book.entries)
    if index.size + sum(each.size for _, each in _KNOWN.values()) > VERSIONS_MAX:
        _KNOWN.clear()
    _KNOWN[book.shop] = (book.entries, index)
    return index


_KNOWN: dict[str, tuple[tuple[Entry, ...], Index]] = {}
