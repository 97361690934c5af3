"""Republish campaigns: publish the present campaigns, discounts and tests as snapshots.

An operator's act for subscribers of `campaigns.events` that start or lost their state. Each page is
one transaction that holds the shop's lock, so that snapshots are in order with the events of the
shop. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from services.orders import campaign_books
from services.orders.campaign_books import BookCache, Wanted, lock_books
from services.orders.domain.campaigns.snapshot import snapshot_of
from services.orders.domain.model.campaigns import EntryName
from services.orders.messages.campaign_events import campaign_record
from services.orders.operations.republish import until_published
from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox.outbox import Outbox
from services.runtime.postgres.connections import Connection


class CampaignRepublisher:
    """Publishes snapshots of campaigns, and never far ahead of the relay."""

    def __init__(
        self, settings: Settings, connection: Connection, now: Callable[[], datetime]
    ) -> None:
        self._outbox = Outbox(settings.outbox_shards)
        self._connection = connection
        self._now = now

    async def run(self, shop: str | None, act: Act) -> AsyncIterator[int]:
        """Publish those of a shop, or of all; yields how many after each committed page.

        The act is written to the audit in the transaction of the first page.
        """
        published, acts = 0, [act]
        async for each in self._shops(shop):
            after: EntryName | None = None
            while True:
                await until_published(self._connection)
                count, after = await self._publish(each, after, acts)
                if after is None:
                    break
                published, acts = published + count, []
                yield published

    async def count(self, shop: str | None) -> int:
        """How many there are of a shop, or of all."""
        found = 0
        async for each in self._shops(shop):
            after: EntryName | None = None
            while page := await campaign_books.read_entries(self._connection, each, after):
                found, after = found + len(page), page[-1].name
        return found

    async def _shops(self, shop: str | None) -> AsyncIterator[str]:
        if shop is not None:
            yield shop
            return
        last = ""
        while found := await campaign_books.find_shops(self._connection, last):
            for last in found:
                yield last

    async def _publish(
        self, shop: str, after: EntryName | None, acts: Sequence[Act]
    ) -> tuple[int, EntryName | None]:
        """Publish the next page of a shop; returns its size and its last entry, None at the end."""
        async with self._connection.transaction():
            wanted = Wanted({shop}, lambda _: set())
            locked = await lock_books(self._connection, BookCache(), wanted)
            page = await campaign_books.read_entries(self._connection, shop, after)
            if not page:
                return 0, None
            sequence, now = locked.books[shop].sequence, self._now()
            events = (snapshot_of(entry, sequence, now) for entry in page)
            records = [campaign_record(event) for event in events if event is not None]
            await self._outbox.append(self._connection, records)
            await audit.write(self._connection, acts)
            return len(records), page[-1].name
