"""Replays: runs those of the shards that a sender holds, a step at a time.

A step is one transaction on the sender's connection, between two of its own: the groups of a shard
are written by one process, in one coroutine. A step is not begun while much waits for the
destination, so that a replay of any size adds little to the tables at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from asyncpg import Connection

from services.deliveries.messages.encode import destination_event
from services.deliveries.names import SERVICE
from services.deliveries.replaying import stages, stored
from services.deliveries.replaying.stages import ENDED, KEPT, START, TOPICS
from services.deliveries.replaying.stored import Replay, WaitingReplay
from services.deliveries.replaying.topic_scan import Batch, TopicScan
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.retry import forget_rows, is_transient
from services.runtime.running import WorkerContext

BACKLOG_MAX = 2_000
"""No step is begun while so many events wait for the destination."""
LOOK_SECONDS = 1.0
STEP_SECONDS = 0.1
RETRY_SECONDS = 5.0
SCAN_IDLE_SECONDS = 10.0
"""A scan of which no batch could be taken for so long leaves the topics to other replays."""
FORGOTTEN_ROWS = 100
KEPT_DAYS = 90
"""What ended is shown for so long."""

log = structlog.get_logger(__name__)


class Replays:
    """One replay of a destination at a time, in turns; one of them may read topics."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._outbox = Outbox(context.settings.outbox_shards)
        self._waiting: deque[WaitingReplay] = deque()
        self._looked_at = self._stepped_at = self._failed_at = float("-inf")
        self._taken_at = 0.0
        self._scan: TopicScan | None = None

    async def run(self, connection: Connection, shards: Collection[int]) -> dict[int, int]:
        """Do a step if one is due; returns shards of destinations that may have got groups."""
        now = time.monotonic()
        if now - self._stepped_at < STEP_SECONDS:
            return {}
        self._stepped_at = now
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._waiting = deque(await stored.find_waiting(connection, shards))
            await self._end_scan_of_others()
        if not self._waiting:
            return {}
        chosen = self._waiting[0]
        self._waiting.rotate(-1)
        return await self._step(connection, chosen) if chosen.shard in shards else {}

    async def close(self) -> None:
        """End the scan of topics; it goes on where its last batch was stored."""
        if self._scan:
            await self._scan.close()
        self._scan = None
        self._waiting.clear()
        self._looked_at = float("-inf")

    async def _end_scan_of_others(self) -> None:
        if self._scan and self._scan.replay_id not in {each.id for each in self._waiting}:
            await self._scan.close()
            self._scan = None

    async def _step(self, connection: Connection, chosen: WaitingReplay) -> dict[int, int]:
        now = self._context.clock.now()
        try:
            async with connection.transaction():
                replay = await stored.lock(connection, chosen.id)
                if replay is None or not await self._advance(connection, replay, now):
                    return {}
                await self._save(connection, replay, now)
        except Exception as error:
            if is_transient(error):
                raise
            forget_rows(error)
            log.exception("replay_failed", service=SERVICE, replay=chosen.id)
            await self._give_up(connection, chosen, now, type(error).__name__)
            return {}
        self._after(replay)
        return {replay.destination: replay.shard} if replay.added else {}

    def _after(self, replay: Replay) -> None:
        if replay.stage == ENDED:
            self._looked_at = float("-inf")  # The next one of the destination may begin.
            self._context.wake_relay()

    async def _advance(self, connection: Connection, replay: Replay, now: datetime) -> bool:
        """Do the next step of a replay; returns whether there was something to do."""
        if replay.target is None:
            replay.stage, replay.detail = ENDED, "the destination was removed"
            return True
        if replay.stage == START and replay.selection.only_failed:
            # However much waits: it may be what the replay is to try.
            await stages.begin(connection, replay, self._context.settings, now)
            await stages.retry_waiting(connection, replay, now)
            return True
        waiting = await connection.fetchval(
            stored.SQL["count_backlog"], replay.destination, BACKLOG_MAX
        )
        if waiting >= BACKLOG_MAX:
            await self._end_idle_scan(replay)
            return False
        return await self._add(connection, replay, now)

    async def _add(self, connection: Connection, replay: Replay, now: datetime) -> bool:
        """Do a step that may add events; returns whether there was something to do."""
        if replay.stage == START:
            await stages.begin(connection, replay, self._context.settings, now)
        elif replay.stage == TOPICS:
            batch = await self._next_batch(replay)
            if batch is None:
                return False
            await stages.add_read(connection, replay, batch, now)
        elif replay.stage == KEPT:
            await stages.add_kept(connection, replay, now)
        return True

    async def _next_batch(self, replay: Replay) -> Batch | None:
        """What was read from the topics, if it is this replay's turn."""
        if self._scan is None:
            if replay.cursor and time.monotonic() - self._failed_at >= RETRY_SECONDS:
                settings, selection = self._context.settings, replay.selection
                self._taken_at = time.monotonic()
                self._scan = TopicScan(settings, replay.id, replay.shop, selection, replay.cursor)
            return None
        if self._scan.replay_id != replay.id:
            return None
        try:
            batch = self._scan.take()
        except Exception as error:  # noqa: BLE001 - Kafka may be away; it is read again later
            log.warning("replay_scan_interrupted", service=SERVICE, error=repr(error))
            self._scan, self._failed_at = None, time.monotonic()
            return None
        if batch:
            self._taken_at = time.monotonic()
        if batch and batch.is_last:
            await self._scan.close()
            self._scan = None
        return batch

    async def _end_idle_scan(self, replay: Replay) -> None:
        """End the scan of a replay that has to wait; it goes on where its last batch was stored."""
        is_idle = time.monotonic() - self._taken_at >= SCAN_IDLE_SECONDS
        if self._scan and self._scan.replay_id == replay.id and is_idle:
            await self._scan.close()
            self._scan = None

    # What is stored.

    async def _save(self, connection: Connection, replay: Replay, now: datetime) -> None:
        has_ended = replay.stage == ENDED
        await stored.save(connection, replay, now if has_ended else None)
        if has_ended:
            before = now - timedelta(days=KEPT_DAYS)
            await connection.execute(stored.SQL["forget_replays"], before, FORGOTTEN_ROWS)
        if has_ended and replay.shop:
            await self._outbox.append(connection, [_event(replay, now)])

    async def _give_up(
        self, connection: Connection, chosen: WaitingReplay, now: datetime, error: str
    ) -> None:
        async with connection.transaction():
            replay = await stored.lock(connection, chosen.id)
            if replay is None:
                return
            replay.stage = ENDED
            replay.detail = f"ended early by an error in the service: {error}"
            await self._save(connection, replay, now)
        self._after(replay)


def _event(replay: Replay, now: datetime) -> Outgoing:
    total = replay.kept + replay.topics
    counted = f"{total} events: {replay.kept} kept, {replay.topics} from the topics"
    if replay.states:
        counted += f" ({replay.states} of them states of orders)"
    return destination_event(
        "replayed",
        (replay.shop, replay.name),
        cause=f"ended/{replay.id}",
        now=now,
        reason="ended",
        detail=f"{counted}; {replay.detail}" if replay.detail else counted,
        replay={
            "replay_id": replay.id,
            "kept": replay.kept,
            "topics": replay.topics,
            "states": replay.states,
        },
    )
