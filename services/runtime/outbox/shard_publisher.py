"""Publishes shards of the outbox with one database connection and one producer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asyncpg import Connection

from services.runtime.observability.metrics import Metrics
from services.runtime.observability.tracing import Tracing
from services.runtime.outbox.delivery import Delivery
from services.runtime.outbox.publication_trace import PublicationTrace
from services.runtime.outbox.record_sender import RecordRejected, RecordRejection, unreadable_row
from services.runtime.outbox.rows import OutboxRow, read_rows
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")
ROWS_A_SHARD = 64
BYTES_A_SHARD = 1024 * 1024  # Of records unpacked, in memory for one round.
# A round that is not acknowledged within this time fails, and the next producer repeats it: a
# producer that knew a topic before it was deleted requests its metadata without end.
ROUND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Drained:
    """The publisher has ended: its shards are empty and it was asked to end, or it has none."""


@dataclass(frozen=True, slots=True)
class RejectedByKafka:
    """Kafka rejects the next record of the shards named in `rejections`, one of each shard."""

    rejections: Sequence[RecordRejection]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The connection or the producer failed; `has_published` says whether a round succeeded."""

    error: BaseException
    has_published: bool


@dataclass(frozen=True, slots=True)
class PublicationMetrics:
    """Counts the published records of a service, and measures how long after their cause."""

    service: str
    metrics: Metrics
    now: Callable[[], datetime]
    tracing: Tracing | None = None

    def trace(self) -> PublicationTrace | None:
        """The trace of a round that begins; None where traces are off."""
        return None if self.tracing is None else PublicationTrace(self.tracing)

    def count(self, rows: Sequence[OutboxRow], trace: PublicationTrace | None = None) -> None:
        """Count the records of rows that were just published."""
        now = self.now()
        latency = self.metrics.event_latency_seconds.labels(self.service)
        for row in rows:
            if row.caused_at:
                seconds = (now - row.caused_at).total_seconds()
                latency.observe(seconds, None if trace is None else trace.exemplar(row))
            for topic, count in Counter(row.topics).items():
                self.metrics.relay_published_total.labels(self.service, topic).inc(count)


class ShardPublisher:
    """Publishes its shards in id order, in rounds, until `run` returns why it ended.

    The caller decides what follows, and may call `run` again: each call has a new connection and a
    new producer. `shards` may be set at any time and is used from the next round on; `busy` are
    the shards of the current round. Without `poll_seconds` the publisher only looks for rows when
    it is woken, and ends when it has no shards. With `ends_when_empty` it ends when no rows are
    left.
    """

    def __init__(
        self,
        shards: Collection[int],
        *,
        connect: Callable[[], Awaitable[Connection]],
        open_delivery: Callable[[Connection], Delivery],
        metrics: PublicationMetrics,
        poll_seconds: float | None,
        ends_when_empty: bool = False,
    ) -> None:
        self.shards = frozenset(shards)
        self.busy: frozenset[int] = frozenset()
        self.trouble = "starting"
        """Why the publisher does not publish; empty while rounds succeed."""
        self.rejections: tuple[RecordRejection, ...] = ()
        """The records that Kafka rejected the last time, once they are known exactly."""
        self._connect = connect
        self._open_delivery = open_delivery
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._ends_when_empty = ends_when_empty
        self._one_by_one_to = 0
        self._is_draining = False
        self._has_published = False
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()

    def wake(self) -> None:
        """Look for rows now: there may be some."""
        self._woken.set()

    def drain(self) -> None:
        """Publish the rows that are there, then end; end at once if publishing fails."""
        self._is_draining = True
        self._woken.set()
        self._hurried.set()

    def release(self) -> None:
        """End after the current round: another relay gets the shards."""
        self.shards = frozenset()
        self._woken.set()
        self._hurried.set()

    def isolate(self, rejections: Sequence[RecordRejection]) -> None:
        """Publish record by record up to the rejected rows, to find the record that is rejected.

        Records that are sent in one request fail together, so `rejections` of an ordinary round
        may name a record before the one at fault.
        """
        found = tuple(each for each in rejections if each.shard in self.shards)
        self.rejections = found if self._one_by_one_to else ()
        if found:
            self._one_by_one_to = max(each.row for each in found)

    @property
    def is_done(self) -> bool:
        """Whether the publisher shall not run again after a failure."""
        return self._is_draining or not (self.shards or self._poll_seconds)

    async def pause(self, seconds: float) -> None:
        """Wait before the next run; `drain` and `release` end the wait."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), seconds)

    async def run(self) -> Drained | RejectedByKafka | Interrupted:
        """Publish round after round; returns why it ended. Unpublished rows stay in the outbox."""
        try:
            await self._publish()
        except RecordRejected as error:
            return RejectedByKafka(error.rejections)
        except (Exception, asyncio.CancelledError) as error:
            if _is_cancelled():
                raise
            self.trouble = f"{type(error).__name__}: {error}"
            return Interrupted(error, self._has_published)
        finally:
            self.busy = frozenset()
        return Drained()

    async def _publish(self) -> None:
        """Open a connection and a producer, and publish with them until drained."""
        self._has_published = False
        connection = await self._connect()
        try:
            await connection.fetchrow(SQL["plan_by_index"])
            delivery = self._open_delivery(connection)
            try:
                async with asyncio.timeout(ROUND_SECONDS):
                    await delivery.start()
                await self._publish_until_drained(connection, delivery)
            finally:
                with contextlib.suppress(Exception):  # A broken producer may fail to close.
                    await delivery.abort()
        finally:
            connection.terminate()

    async def _publish_until_drained(self, connection: Connection, delivery: Delivery) -> None:
        while self.shards or self._poll_seconds:
            self._woken.clear()
            self.busy = self.shards
            has_more = await self._publish_once(connection, delivery)
            self.busy = frozenset()
            self.trouble, self._has_published = "", True
            if has_more:
                continue
            self.rejections = ()
            if self._ends:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._poll_seconds)

    @property
    def _ends(self) -> bool:
        """Whether the publisher ends once no rows are left."""
        return self._is_draining or self._ends_when_empty

    async def _publish_once(self, connection: Connection, delivery: Delivery) -> bool:
        """Publish one round; returns whether to look for rows again at once.

        The rows are local here, so that a round's megabytes are freed before the next is read.
        """
        most = 1 if self._one_by_one_to else ROWS_A_SHARD
        trace = self._metrics.trace()
        rows = await self._read(connection, most)
        if not rows:
            return False
        if trace is not None:
            trace.read(rows)
        async with asyncio.timeout(ROUND_SECONDS):
            await delivery.publish(rows, one_by_one=bool(self._one_by_one_to))
        if rows[0].id >= self._one_by_one_to:
            self._one_by_one_to, self.rejections = 0, ()
        self._metrics.count(rows, trace)
        if trace is not None:
            trace.published()
        return self._ends or _has_more(rows)

    async def _read(self, connection: Connection, most: int) -> Sequence[OutboxRow]:
        """Read the next rows of each busy shard, `most` of each.

        Raises:
            RecordRejected: a row cannot be read; its shard waits there.
        """
        found = await connection.fetch(SQL["read_outbox"], sorted(self.busy), most, BYTES_A_SHARD)
        rows, failed = read_rows(found)
        if failed:
            first = {row["shard"]: (row, error) for row, error in reversed(failed)}
            raise RecordRejected(
                [unreadable_row(row["shard"], row["id"], e) for row, e in first.values()]
            )
        return rows


def _has_more(rows: Sequence[OutboxRow]) -> bool:
    """Whether a shard had more rows than were read. Later ones wake the publisher or are polled."""
    return len({row.shard for row in rows}) > sum(row.is_last for row in rows)


def _is_cancelled() -> bool:
    """Whether this task was cancelled. aiokafka also raises CancelledError of its own tasks."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
