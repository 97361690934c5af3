"""The relay: committed outbox rows to Kafka, in order, deleted once acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from asyncpg import Connection

from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.delivery import Delivery
from services.runtime.outbox.leases import SILENCE_SECONDS, ShardLeases, old_relays
from services.runtime.outbox.record_sender import Refused
from services.runtime.outbox.rows import OutboxRow
from services.runtime.outbox.segments import OutboxSegments
from services.runtime.outbox.shard_count import share
from services.runtime.outbox.shard_publisher import ShardPublisher
from services.runtime.outbox.unpacking import unpack_rows
from services.runtime.postgres.queries import load
from services.runtime.retry import backoff_seconds

SQL = load(Path(__file__).parent / "outbox.sql")
BALANCE_SECONDS = 1.0
CANCEL_AGAIN_SECONDS = 10.0  # Ending in good order takes a lane less.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublisherFactory:
    """How a relay reaches its servers: connections by purpose, and a way of publishing a shard.

    `together` publishes any number of shards with one producer. Without it each shard has a
    producer of its own, as exactly-once publication needs. `alone` publishes one shard.
    """

    connect: Callable[[str], Awaitable[Connection]]
    together: Callable[[Connection], Delivery] | None
    alone: Callable[[Connection, int], Delivery]


class Relay:
    """Publishes the shards it holds; any number of relays share one outbox.

    Leases are held by a connection of their own, which is heard of every second: the server ends
    one that fell silent, and with it the leases of a process that was stopped (trap 7). Shards
    go together in one lane, or each in a lane of its own; so does a shard whose next record Kafka
    refuses, that the others may go on.
    """

    def __init__(
        self,
        *,
        service: str,
        shards: int,
        poll_seconds: float,
        ways: PublisherFactory,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._shards = shards
        self._poll_seconds = poll_seconds
        self._ways = ways
        self._metrics = metrics
        self._now = now
        self._parts = OutboxSegments()
        self._together: ShardPublisher | None = None
        self._alone: dict[int, ShardPublisher] = {}
        self._tasks: dict[ShardPublisher, asyncio.Task[None]] = {}
        self._trouble = "starting"
        self._woken = asyncio.Event()
        self._is_draining = False

    @property
    def healthy(self) -> bool:
        """Whether everything committed is published, or about to be."""
        return not self.trouble

    @property
    def trouble(self) -> str:
        """What keeps rows from being published; empty when nothing does."""
        if self._trouble:
            return self._trouble
        lanes = list(self._tasks)
        refused = [refusal for lane in lanes for refusal in lane.refusals]
        if refused:
            what = "Kafka refuses: " if all(each.topic for each in refused) else "Not published: "
            return what + "; ".join(map(str, refused))
        return next((lane.trouble for lane in lanes if not lane.is_well), "")

    def wake(self) -> None:
        """Called after a commit in this process: there may be something to publish."""
        if self._together:
            self._together.wake()
        self._woken.set()

    def drain(self) -> None:
        """Publish what the held shards still have, then let `run` return."""
        self._is_draining = True
        for lane in self._tasks:
            lane.drain()
        self._woken.set()

    async def run(self) -> None:
        """Publish until drained; lost servers are waited for, for as long as it takes."""
        attempt = 0
        while True:
            try:
                await self._session()
                return
            except Exception as error:  # noqa: BLE001 - unpublished rows stay, so try for ever
                attempt = attempt + 1 if self._trouble else 0
                self._trouble = f"{type(error).__name__}: {error}"
                self._interrupted(error, attempt)
                if self._is_draining:
                    return
                await asyncio.sleep(backoff_seconds(attempt))

    async def _session(self) -> None:
        """The life of one connection for leases."""
        connection = await self._ways.connect("relay")
        connection.add_termination_listener(lambda _: self._woken.set())
        try:
            leases = ShardLeases(connection, self._service, self._shards)
            await share(connection, self._service, self._shards)
            await leases.join(SILENCE_SECONDS)
            if self._ways.together:
                self._together = self._start_lane(self._ways.together, self._poll_seconds)
            await self._keep(connection, leases)
        finally:
            await self._end_lanes()
            connection.terminate()
            self._metrics.relay_shards.labels(self._service).set(0)

    async def _keep(self, connection: Connection, leases: ShardLeases) -> None:
        """Hold a fair share of the shards, give each to a lane, and wake lanes of one shard."""
        loop = asyncio.get_running_loop()
        balanced_at = -BALANCE_SECONDS
        while not self._has_drained():
            self._woken.clear()
            if loop.time() - balanced_at >= BALANCE_SECONDS or connection.is_closed():
                await self._balance(leases)
                balanced_at = loop.time()
                if await old_relays(connection, self._service):
                    theirs = frozenset(range(self._shards)) - leases.held
                    await unpack_rows(connection, theirs)
                if 0 in leases.held:  # One relay of a service is enough.
                    await self._parts.tidy(connection)
            if not self._ways.together and self._alone:
                for row in await connection.fetch(SQL["find_pending"], sorted(self._alone)):
                    self._alone[row["shard"]].wake()
            pause = BALANCE_SECONDS if self._ways.together else self._poll_seconds
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)

    def _has_drained(self) -> bool:
        return self._is_draining and all(task.done() for task in self._tasks.values())

    async def _balance(self, leases: ShardLeases) -> None:
        """Shards that others shall have are let go when the round they are in has ended."""
        surplus = await leases.find_surplus()
        for lane in [lane for lane, task in self._tasks.items() if task.done()]:
            self._tasks.pop(lane).result()  # A lane ends by itself only when all is well.
            self._alone = {shard: other for shard, other in self._alone.items() if other != lane}
        self._place(leases.held - surplus)
        busy = frozenset[int]().union(*(lane.shards | lane.busy for lane in self._tasks))
        for shard in surplus - busy:
            await leases.release(shard)
        if not self._is_draining:
            await leases.take_free()
            self._place(leases.held - surplus)
        self._trouble = ""
        self._metrics.relay_shards.labels(self._service).set(len(leases.held))
        refused = sum(bool(lane.refusals) for lane in self._tasks)
        self._metrics.relay_refused_shards.labels(self._service).set(refused)

    def _place(self, shards: frozenset[int]) -> None:
        for shard, lane in self._alone.items():
            if shard not in shards:
                lane.let_go()
        if self._together:
            self._together.shards = shards - set(self._alone)
            return
        for shard in shards - set(self._alone):
            self._start_alone(shard, ends_when_idle=False)

    # Lanes.

    def _start_alone(self, shard: int, *, ends_when_idle: bool) -> ShardPublisher:
        lane = self._start_lane(
            lambda connection: self._ways.alone(connection, shard),
            None,
            shards={shard},
            ends_when_idle=ends_when_idle,
        )
        self._alone[shard] = lane
        return lane

    def _start_lane(
        self,
        open_publishing: Callable[[Connection], Delivery],
        poll_seconds: float | None,
        *,
        shards: Sequence[int] | set[int] = (),
        ends_when_idle: bool = False,
    ) -> ShardPublisher:
        lane = ShardPublisher(
            shards,
            connect=lambda: self._ways.connect("relay.lane"),
            open_publishing=open_publishing,
            published=self._measure,
            interrupted=self._interrupted,
            refused=self._refused,
            poll_seconds=poll_seconds,
            ends_when_idle=ends_when_idle,
        )
        if self._is_draining:
            lane.drain()
        task = asyncio.create_task(lane.run(), name=f"{self._service}.lane")
        task.add_done_callback(lambda _: self._woken.set())
        self._tasks[lane] = task
        return lane

    async def _end_lanes(self) -> None:
        """Cancel them until they have ended: where a cancellation is swallowed under way, one is
        not enough, and a relay that waited for it would publish nothing any more.
        """
        left = set(self._tasks.values())
        while left:
            for task in left:
                task.cancel()
            ended, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
            for task in ended:
                if not task.cancelled():
                    task.exception()  # Heard of where the lane failed.
        self._together, self._alone, self._tasks = None, {}, {}

    def _refused(self, lane: ShardPublisher, error: Refused) -> None:
        """A shard that stands still is set apart, where the others need not wait for it."""
        log.error("relay_refused", service=self._service, refusals=list(map(str, error.refusals)))
        if lane is not self._together:
            return
        for refusal in error.refusals:
            lane.shards -= {refusal.shard}
            if refusal.shard not in self._alone:
                apart = self._start_alone(refusal.shard, ends_when_idle=True)
                apart.step_carefully([refusal])

    def _interrupted(self, error: BaseException, attempt: int) -> None:
        self._metrics.transient_retries_total.labels(self._service).inc()
        log.warning("relay_interrupted", service=self._service, error=repr(error), attempt=attempt)

    def _measure(self, rows: Sequence[OutboxRow]) -> None:
        now = self._now()
        latency = self._metrics.event_latency_seconds.labels(self._service)
        for row in rows:
            if row.caused_at:
                latency.observe((now - row.caused_at).total_seconds())
            for topic, count in Counter(row.topics).items():
                self._metrics.relay_published_total.labels(self._service, topic).inc(count)
