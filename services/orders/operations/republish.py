"""Republish: publish the present state of chosen orders as `order.snapshot` events and states.

An operator's act, in batches of one transaction each: the rows of the orders are locked as for a
decision, and the snapshots go through the outbox, so that they are in order with the events of
each order. No order changes. Where `orders.state` is written, each state goes there as well; on
that topic alone, if so wanted: its readers need it, and those of events do not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.orders import store
from services.orders.domain.events.snapshot import snapshot_of
from services.orders.domain.model.order import Order
from services.orders.messages import snapshot as context
from services.orders.messages.encode import event_record
from services.orders.messages.states import state_record
from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "republish.sql")
ORDERS_A_BATCH = 50
ORDERS_A_LOOK = 5_000
BACKLOG_ROWS = 200
LOOK_AGAIN_SECONDS = 0.05
FIRST = str(UUID(int=0))
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunPosition:
    """A position in a run: the last order published and, in a run by time, its time of change."""

    order_id: str = FIRST
    changed_at: datetime = BEGINNING

    def __str__(self) -> str:
        return f"{self.changed_at.isoformat()}/{self.order_id}"

    @classmethod
    def read(cls, text: str) -> RunPosition:
        """The inverse of `str`.

        Raises:
            ValueError: the text is no position.
        """
        changed_at, _, order_id = text.rpartition("/")
        return cls(str(UUID(order_id)), datetime.fromisoformat(changed_at))


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders: those named, else those of a shop, changed in [since, until), or all."""

    order_ids: tuple[str, ...] = ()
    shop: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    async def find(
        self, connection: Connection, after: RunPosition, limit: int
    ) -> list[RunPosition]:
        """The next orders after a position, none at the end."""
        statement, arguments = self._ask(after, limit)
        rows = await connection.fetch(SQL[statement], *arguments)
        return [RunPosition(str(row["order_id"]), row["changed_at"]) for row in rows]

    def _ask(self, after: RunPosition, limit: int) -> tuple[str, tuple[object, ...]]:
        if self.order_ids:
            return "find_chosen", (list(self.order_ids), after.order_id, limit)
        if self.since or self.until:
            since, until = self.since or BEGINNING, self.until or END
            place = (after.changed_at, after.order_id)
            return "find_changed", (since, until, self.shop, *place, limit)
        if self.shop is not None:
            return "find_of_shop", (self.shop, after.order_id, limit)
        return "find_all", (after.order_id, limit)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has published so far; `truncated` snapshots were cut to fit a message."""

    place: RunPosition
    orders: int = 0
    truncated: int = 0


class Republisher:
    """Publishes snapshots, at most `rate` a second, and never far ahead of the relay."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        *,
        rate: float,
        now: Callable[[], datetime],
        backlog_rows: int = BACKLOG_ROWS,
        state_only: bool = False,
    ) -> None:
        self._outbox = Outbox(settings.outbox_shards)
        self._event_bytes_max = settings.max_event_bytes
        self._connection = connection
        self._rate = rate
        self._now = now
        self._backlog_rows = backlog_rows
        self._writes_state = settings.orders_state
        self._writes_events = not state_only

    async def run(
        self, selection: OrderFilter, after: RunPosition, act: Act
    ) -> AsyncIterator[Progress]:
        """Publish all chosen orders after a position; yields after each committed batch.

        The act is written to the audit in the transaction of the first batch.
        """
        progress, started = Progress(after), time.monotonic()
        while found := await selection.find(self._connection, progress.place, ORDERS_A_LOOK):
            for start in range(0, len(found), self._batch_size()):
                places = found[start : start + self._batch_size()]
                await until_published(self._connection, self._backlog_rows)
                acts = [] if progress.orders else [act]
                progress = await self._publish(places, acts, progress)
                yield progress
                ahead = progress.orders / self._rate - (time.monotonic() - started)
                await asyncio.sleep(max(0.0, ahead))

    def _batch_size(self) -> int:
        return max(1, min(ORDERS_A_BATCH, round(self._rate)))

    async def _publish(
        self, places: Sequence[RunPosition], acts: Sequence[Act], before: Progress
    ) -> Progress:
        now = self._now()
        async with self._connection.transaction():
            locked = await store.lock_orders(self._connection, [p.order_id for p in places])
            orders = [order for order in locked.values() if order is not None]
            snapshots = [
                context.encode(o, self._event_bytes_max, whole_claims=True) for o in orders
            ]
            records = [
                record
                for order, snapshot in zip(orders, snapshots, strict=True)
                for record in self._records(order, snapshot, now)
            ]
            await self._outbox.append(self._connection, records)
            await audit.write(self._connection, acts)
        return replace(
            before,
            place=places[-1],
            orders=before.orders + len(orders),
            truncated=before.truncated + sum(each.is_truncated for each in snapshots),
        )

    def _records(
        self, order: Order, snapshot: context.Context, now: datetime
    ) -> Iterator[Outgoing]:
        if self._writes_events:
            yield event_record(snapshot_of(order, now), snapshot, None)
        if self._writes_state:
            yield state_record(order, snapshot, now)


async def until_published(connection: Connection, backlog_rows: int = BACKLOG_ROWS) -> None:
    """Wait while many rows are unpublished: new events must not queue behind an operator's."""
    while await _backlog(connection, backlog_rows) >= backlog_rows:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _backlog(connection: Connection, at_most: int) -> int:
    found: int = await connection.fetchval(SQL["count_backlog"], at_most)
    return found
