"""A lane: shards of the outbox published by one connection and one producer, round after round."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

import structlog
from asyncpg import Connection

from services.runtime.outbox.delivery import Delivery
from services.runtime.outbox.record_sender import Refusal, Refused, unreadable
from services.runtime.outbox.rows import OutboxRow, read_rows
from services.runtime.postgres.queries import load
from services.runtime.retry import backoff_seconds

SQL = load(Path(__file__).parent / "outbox.sql")
ROWS_A_SHARD = 64
BYTES_A_SHARD = 1024 * 1024  # Unpacked: what the records take in memory, for a round.
# A round that Kafka has not acknowledged by then is begun anew by another producer: a topic that
# was deleted under us is asked for without end by one that has known it.
ROUND_SECONDS = 60.0
# A record that Kafka refuses is tried again after growing pauses, up to this.
REFUSED_MAX_SECONDS = 60.0

log = structlog.get_logger(__name__)


class ShardPublisher:
    """Publishes its shards in id order for as long as `run` runs; failures are tried again.

    `shards` may be changed at any time and holds from the next round; `busy` are those of the
    round under way. A lane whose shards Kafka refuses calls `refused`; where that takes shards
    away the lane goes on with the rest, else it stands at the refused record and names it.
    """

    def __init__(
        self,
        shards: Collection[int],
        *,
        connect: Callable[[], Awaitable[Connection]],
        open_publishing: Callable[[Connection], Delivery],
        published: Callable[[Sequence[OutboxRow]], None],
        interrupted: Callable[[BaseException, int], None],
        refused: Callable[[ShardPublisher, Refused], None],
        poll_seconds: float | None,
        ends_when_idle: bool = False,
    ) -> None:
        self.shards = frozenset(shards)
        self.busy: frozenset[int] = frozenset()
        self.is_well = False
        self.trouble = "starting"
        self.refusals: tuple[Refusal, ...] = ()
        self._connect = connect
        self._open_publishing = open_publishing
        self._published = published
        self._interrupted = interrupted
        self._refused = refused
        self._poll_seconds = poll_seconds
        self._ends_when_idle = ends_when_idle
        self._careful_to = 0
        self._is_draining = False
        self._progressed = False
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()

    def wake(self) -> None:
        """There may be something to publish."""
        self._woken.set()

    def drain(self) -> None:
        """Publish what there is, then end; end at once where publishing fails."""
        self._is_draining = True
        self._woken.set()
        self._hurried.set()

    def let_go(self) -> None:
        """End after the round under way: another relay shall have the shards."""
        self.shards = frozenset()
        self._woken.set()
        self._hurried.set()

    def step_carefully(self, refusals: Sequence[Refusal]) -> None:
        """Publish row by row and record by record up to the rows refused, to tell which it is."""
        self._careful_to = max(refusal.row for refusal in refusals)

    async def run(self) -> None:
        """Publish until drained, or without shards; lost servers are waited for.

        Unpublished rows stay, so it tries for ever.
        """
        attempt = 0
        while True:
            try:
                await self._live()
                return
            except Refused as error:
                attempt = self._note_refusal(error, attempt)
                pause = 0.0 if not attempt else min(REFUSED_MAX_SECONDS, 2.0**attempt)
            except (Exception, asyncio.CancelledError) as error:
                if _is_cancelled():
                    raise
                self.is_well, self.trouble = False, f"{type(error).__name__}: {error}"
                attempt = 0 if self._progressed else attempt + 1
                self._interrupted(error, attempt)
                pause = backoff_seconds(attempt)
            finally:
                self.busy = frozenset()
            if self._is_draining or not (self.shards or self._poll_seconds):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), pause)

    def _note_refusal(self, error: Refused, attempt: int) -> int:
        """The number of tries at one record in vain; 0 when it is only now known, or not ours."""
        before = self.refusals
        self._refused(self, error)
        mine = tuple(each for each in error.refusals if each.shard in self.shards)
        self.refusals = mine if self._careful_to else ()
        if mine:
            self.step_carefully(mine)
        is_known = bool(before) and [r.row for r in before] == [r.row for r in mine]
        return attempt + 1 if is_known else 0

    async def _live(self) -> None:
        """One connection's and one producer's life."""
        self._progressed = False
        connection = await self._connect()
        try:
            await connection.fetchrow(SQL["plan_by_index"])
            publishing = self._open_publishing(connection)
            try:
                async with asyncio.timeout(ROUND_SECONDS):
                    await publishing.start()
                await self._publish_until_drained(connection, publishing)
            finally:
                with contextlib.suppress(Exception):  # A broken producer may fail to close.
                    await publishing.abort()
        finally:
            connection.terminate()

    async def _publish_until_drained(self, connection: Connection, publishing: Delivery) -> None:
        while self.shards or self._poll_seconds:
            self._woken.clear()
            self.busy = self.shards
            has_more = await self._publish_once(connection, publishing)
            self.busy = frozenset()
            self.is_well, self._progressed = True, True
            if has_more:
                continue
            self.refusals = ()
            if self._ends:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._poll_seconds)

    @property
    def _ends(self) -> bool:
        """Whether it is over once nothing is left to read."""
        return self._is_draining or self._ends_when_idle

    async def _publish_once(self, connection: Connection, publishing: Delivery) -> bool:
        """Publish one round; whether to look for another at once.

        The rows end here: a round has megabytes, and the next one would be read beside them.
        """
        most = 1 if self._careful_to else ROWS_A_SHARD
        rows = await self._read(connection, most)
        if not rows:
            return False
        async with asyncio.timeout(ROUND_SECONDS):
            await publishing.publish(rows, one_by_one=bool(self._careful_to))
        if rows[0].id >= self._careful_to:
            self._careful_to, self.refusals = 0, ()
        self._published(rows)
        return self._ends or _has_more(rows)

    async def _read(self, connection: Connection, most: int) -> Sequence[OutboxRow]:
        """The next rows of each shard. Raises Refused for those that cannot be read."""
        found = await connection.fetch(SQL["read_outbox"], sorted(self.busy), most, BYTES_A_SHARD)
        rows, failed = read_rows(found)
        if failed:
            first = {row["shard"]: (row, error) for row, error in reversed(failed)}
            raise Refused([unreadable(row["shard"], row["id"], e) for row, e in first.values()])
        return rows


def _has_more(rows: Sequence[OutboxRow]) -> bool:
    """Whether a shard had more than was read. What came since wakes the lane, or is polled for."""
    return len({row.shard for row in rows}) > sum(row.is_last for row in rows)


def _is_cancelled() -> bool:
    """Whether somebody cancelled this task. aiokafka also raises the error of tasks of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
