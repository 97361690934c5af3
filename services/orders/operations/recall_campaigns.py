"""Recall of campaigns: the last number that each shop has on `campaigns.events`.

After a restore the commands of campaigns are decided again and their events published again, with
the same ids. They get numbers above all that were published, so that no number is there twice with
another content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from schemas.topics import CAMPAIGNS_EVENTS
from services.orders import campaign_store
from services.orders.campaign_books import BookCache, Wanted, lock_books
from services.orders.campaign_store import Changes
from services.orders.domain.model.campaigns import Book
from services.orders.domain.value import replace
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_reader import read_to_end
from services.runtime.postgres.connections import Connection

CAUSE = "orderflow/recall"


async def recall_campaigns(
    settings: Settings, connection: Connection, since: datetime | None, now: datetime
) -> int:
    """Raise the numbers of shops to those that were published; returns of how many shops.

    Stored in the caller's transaction. A shop whose book is lost gets an empty one, and a review of
    its stored orders, as with its first command.
    """
    last: dict[str, int] = {}
    async for records in read_to_end(settings, [CAMPAIGNS_EVENTS], since):
        for event in (json.loads(record.value) for record in records if record.value):
            shop = event["shop_slug"]
            last[shop] = max(event["sequence"], last.get(shop, 0))
    locked = await lock_books(connection, BookCache(), Wanted(last, lambda _: set()))
    behind = _behind(locked.books, last)
    if behind:
        causes = dict.fromkeys(behind, CAUSE)
        changes = Changes(locked.books, behind, (), (), (), causes)
        await campaign_store.save(connection, changes, now)
    return len(behind)


def _behind(books: Mapping[str, Book], last: Mapping[str, int]) -> dict[str, Book]:
    """The books with lower numbers than were published, with these numbers."""
    held = {shop: books.get(shop, Book(shop=shop)) for shop in last}
    return {
        shop: replace(book, sequence=last[shop])
        for shop, book in held.items()
        if book.sequence < last[shop]
    }
