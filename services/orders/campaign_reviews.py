"""Reviews: choose and credit stored orders again after a change of the campaigns of their shop.

And events of campaigns that begin or end by time. Both run beside the batches, in transactions of
their own that take their locks in the order of a batch (docs/decisions/0193).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import structlog
from asyncpg import Connection, Record

from services.orders import campaign_store, store
from services.orders.campaign_books import BookCache, Locked, Wanted, codes_in, lock_books
from services.orders.campaign_store import Changes
from services.orders.domain.decide import decide
from services.orders.domain.model.campaigns import CampaignsEvent
from services.orders.domain.model.commands import AdvanceCampaign, ReviewOrder
from services.orders.domain.model.decision import Decision, World
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.messages import encode, snapshot
from services.orders.messages.campaign_events import campaign_record
from services.orders.messages.states import Encoded, state_records
from services.runtime.background import every
from services.runtime.config.settings import Settings
from services.runtime.messages.records import named_uuid
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.postgres.queries import load
from services.runtime.running import WorkerContext

SERVICE = "orders"
PAGE_ORDERS = 200
DUE_ENTRIES = 100
BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)
FIRST_ID = str(UUID(int=0))
CAUSE_OF_TIME = "orderflow/time"
"""The cause of an event that no command caused: a campaign began or ended."""
SQL = load(Path(__file__).parent / "sql" / "campaigns.sql")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Reviewed:
    """What the orders of a page became."""

    orders: dict[Uuid, Order] = field(default_factory=dict)
    records: list[Outgoing] = field(default_factory=list)
    encoded: Encoded = field(default_factory=dict)
    failed: int = 0


class CampaignReviews:
    """Reviews orders page by page; holds only what is the same for all pages."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self.metrics = metrics
        # Exported as 0 from the start: Prometheus does not see the first increment otherwise.
        metrics.campaign_review_failures_total.labels(SERVICE)
        self._outbox = Outbox(settings.outbox_shards)
        # Not that of the batches: both read a book in the time in which the other may drop it.
        self._books = BookCache()

    async def run(self, context: WorkerContext) -> None:
        """Review and publish what is due, at the interval of the sweep, until it is cancelled."""
        seconds = context.settings.sweep_interval_seconds
        await every(seconds, "campaign_review", partial(self._once, context), service=SERVICE)

    async def measure(self, context: WorkerContext) -> None:
        """Set the gauges at the interval of the others, until it is cancelled."""
        seconds = context.settings.metrics_interval_seconds
        await every(seconds, "measuring", partial(self._measure, context), service=SERVICE)

    async def _once(self, context: WorkerContext) -> int:
        now, done = context.clock.now(), 0
        async with context.pool.acquire() as connection:
            async with connection.transaction():
                done += await self.advance(connection, now)
            done += await self.take_turn(connection, now)
        if done:
            context.wake_relay()
        return done

    async def take_turn(self, connection: Connection, now: datetime) -> int:
        """Review a page in a transaction; after one that fails it is the next review's turn."""
        try:
            async with connection.transaction():
                return await self.review(connection, now)
        except Exception:
            await connection.execute(SQL["pass_turn"])
            raise

    async def _measure(self, context: WorkerContext) -> None:
        async with context.pool.acquire() as connection:
            row = await connection.fetchrow(SQL["measure"])
        assert row is not None, "the statement has one row"
        self.metrics.campaign_reviews.labels(SERVICE).set(row["waiting"])
        self.metrics.campaign_review_age_seconds.labels(SERVICE).set(row["age_seconds"])

    # Orders.

    async def review(self, connection: Connection, now: datetime) -> int:
        """Decide the next page of the review whose turn it is in the caller's transaction.

        Returns how many reviews it worked on: 0 where none is left for this process.
        """
        review = await connection.fetchrow(SQL["take_review"])
        if review is None:
            return 0
        page = await _find_page(connection, review)
        if not page:
            await connection.execute(SQL["end_review"], review["id"])
            return 1
        stored = await store.lock_stored(connection, [each["order_id"] for each in page])
        orders = {id_: order for id_, order in stored.orders.items() if order is not None}
        wanted = Wanted({review["shop"]}, lambda shops: codes_in((), orders.values(), shops))
        locked = await lock_books(connection, self._books, wanted)
        world = World(
            orders=orders,
            parcels={},
            references={},
            published=stored.published,
            books=locked.books,
        )
        reviewed = self._decide(world, review, now)
        await self._write(connection, stored, reviewed, now)
        times = [campaign_store.time_of(reviewed.orders.get(id_, orders[id_])) for id_ in orders]
        await campaign_store.save_order_times(connection, times)
        at = page[-1]["at"] if review["since"] is not None else None
        await connection.execute(SQL["go_on"], review["id"], at, page[-1]["order_id"])
        return 1

    def _decide(self, world: World, review: Record, now: datetime) -> _Reviewed:
        """Review each order; one that fails is a bug: it is left as it is, counted and logged."""
        reviewed = _Reviewed()
        for order_id, order in world.orders.items():
            command = ReviewOrder(
                shop=order.shop,
                item_id=named_uuid(f"review/{review['id']}/{order_id}"),
                causation_id=review["causation_id"],
                order_id=order_id,
            )
            try:
                decision = decide(world, command, now)
                records = list(self._records(decision, reviewed.encoded))
            except Exception:
                reviewed.failed += 1
                named = {"order_id": order_id, "shop": order.shop}
                log.exception("order_not_reviewed", service=SERVICE, **named)
            else:
                reviewed.orders |= {each.order_id: each for each in decision.orders}
                reviewed.records += records
        return reviewed

    def _records(self, decision: Decision, encoded: Encoded) -> Iterator[Outgoing]:
        """The events of an order; its context is put into `encoded`."""
        for order in decision.orders if decision.events else ():
            context = snapshot.encode(order, self._settings.max_event_bytes)
            encoded[order.order_id] = (order, context)
        for event in decision.events:
            yield encode.event_record(event, encoded[event.order_id][1], None)

    async def _write(
        self, connection: Connection, stored: store.Stored, reviewed: _Reviewed, now: datetime
    ) -> None:
        await store.save(connection, stored, store.Changes(reviewed.orders, {}, {}, ()))
        records = list(reviewed.records)
        if self._settings.orders_state:
            before, after = stored.orders, reviewed.orders
            most = self._settings.max_event_bytes
            records += state_records(before, after, reviewed.encoded, max_bytes=most, now=now)
        await self._outbox.append(connection, records)
        if reviewed.failed:
            self.metrics.campaign_review_failures_total.labels(SERVICE).inc(reviewed.failed)

    # Campaigns that begin or end by time.

    async def advance(self, connection: Connection, now: datetime) -> int:
        """Publish what began or ended until now, in the caller's transaction; returns how many."""
        rows = await connection.fetch(SQL["find_due"], now, DUE_ENTRIES)
        if not rows:
            return 0
        due = [_advance_command(row, now) for row in rows]
        wanted = Wanted({each.shop for each in due}, lambda _: set(), due)
        locked = await lock_books(connection, self._books, wanted)
        events = await self._advance(connection, locked, due, now)
        await self._outbox.append(connection, [campaign_record(event) for event in events])
        return len(rows)

    async def _advance(
        self,
        connection: Connection,
        locked: Locked,
        due: Sequence[AdvanceCampaign],
        now: datetime,
    ) -> list[CampaignsEvent]:
        books, entries = dict(locked.books), dict(locked.entries)
        world = World(
            orders={},
            parcels={},
            references={},
            books=books,
            entries=entries,
            published_of_shops=locked.published,
        )
        events: list[CampaignsEvent] = []
        for command in due:
            decision = decide(world, command, now)
            books |= {each.shop: each for each in decision.books}
            entries |= {each.name: each for each in decision.entries}
            events += decision.campaign_events
        causes: Mapping[str, str] = dict.fromkeys(books, CAUSE_OF_TIME)
        changes = Changes(locked.books, books, list(entries.values()), (), (), causes)
        await campaign_store.save(connection, changes, now)
        return events


def _advance_command(row: Record, now: datetime) -> AdvanceCampaign:
    shop, campaign = row["shop"], row["entry_id"]
    return AdvanceCampaign(
        shop=shop,
        item_id=named_uuid(f"advance/{shop}/{campaign}/{now.isoformat()}"),
        causation_id=CAUSE_OF_TIME,
        entry_id=campaign,
    )


async def _find_page(connection: Connection, review: Record) -> Sequence[Record]:
    """The next orders of a review, none at its end."""
    after_id = review["after_id"] or FIRST_ID
    if review["since"] is None:
        page = await connection.fetch(
            SQL["find_page_of_all"], review["shop"], after_id, PAGE_ORDERS
        )
        return list(page)
    name = "find_page_of_contacts" if review["only_contacts"] else "find_page"
    after_at = review["after_at"] or BEFORE_ALL
    page = await connection.fetch(
        SQL[name], review["shop"], review["since"], after_at, after_id, PAGE_ORDERS
    )
    return list(page)
