"""The relay: publishes committed outbox rows in order and deletes the acknowledged ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from asyncpg import Connection

from services.runtime.observability.metrics import Metrics
from services.runtime.observability.tracing import Tracing
from services.runtime.outbox import shard_count
from services.runtime.outbox.delivery import Delivery
from services.runtime.outbox.leases import SILENCE_SECONDS, ShardLeases, count_old_relays
from services.runtime.outbox.record_sender import RecordRejection
from services.runtime.outbox.rows import unpack_rows
from services.runtime.outbox.segments import OutboxSegments
from services.runtime.outbox.shard_publisher import (
    Drained,
    Interrupted,
    PublicationMetrics,
    RejectedByKafka,
    ShardPublisher,
)
from services.runtime.outbox.wiring import PublisherFactory
from services.runtime.postgres.queries import load
from services.runtime.retry import backoff_seconds

SQL = load(Path(__file__).parent / "outbox.sql")
BALANCE_SECONDS = 1.0
# A rejected record is sent again after growing pauses, at most this long.
REJECTED_MAX_SECONDS = 60.0
CANCEL_AGAIN_SECONDS = 10.0  # A publisher that ends as it should takes less.

log = structlog.get_logger(__name__)


class Relay:
    """Publishes the shards it holds leases of; the relays of all replicas share one outbox.

    A separate connection holds the leases and sends a statement every second. Postgres ends it
    after SILENCE_SECONDS without one, so a stopped process loses its leases.

    In at-least-once mode one publisher serves all shards, except shards whose next record Kafka
    rejects: each of these gets its own publisher, so that the others go on. In exactly-once mode
    every shard has its own. Publishers return how they ended; the relay decides what follows.
    """

    def __init__(
        self,
        *,
        service: str,
        shards: int,
        poll_seconds: float,
        factory: PublisherFactory,
        metrics: Metrics,
        now: Callable[[], datetime],
        tracing: Tracing | None = None,
    ) -> None:
        self._service = service
        self._shards = shards
        self._poll_seconds = poll_seconds
        self._factory = factory
        self._metrics = metrics
        self._publication = PublicationMetrics(service, metrics, now, tracing)
        self._segments = OutboxSegments()
        self._shared: ShardPublisher | None = None
        self._single: dict[int, ShardPublisher] = {}
        self._tasks: dict[ShardPublisher, asyncio.Task[None]] = {}
        self._trouble = "starting"
        self._woken = asyncio.Event()
        self._is_draining = False

    @property
    def healthy(self) -> bool:
        """Whether everything committed is published or about to be."""
        return not self.trouble

    @property
    def trouble(self) -> str:
        """Why rows are not published; empty if they are."""
        if self._trouble:
            return self._trouble
        publishers = list(self._tasks)
        rejected = [rejection for publisher in publishers for rejection in publisher.rejections]
        if rejected:
            what = "Kafka refuses: " if all(each.topic for each in rejected) else "Not published: "
            return what + "; ".join(map(str, rejected))
        return next((each.trouble for each in publishers if each.trouble), "")

    def wake(self) -> None:
        """Look for rows now; called after each commit of this process."""
        if self._shared:
            self._shared.wake()
        self._woken.set()

    def drain(self) -> None:
        """Publish the rows that the held shards still have, then let `run` return."""
        self._is_draining = True
        for publisher in self._tasks:
            publisher.drain()
        self._woken.set()

    async def run(self) -> None:
        """Publish until drained; lost servers are waited for without limit."""
        attempt = 0
        while True:
            try:
                await self._session()
                return
            except Exception as error:  # noqa: BLE001 - unpublished rows stay, so retry for ever
                attempt = attempt + 1 if self._trouble else 0
                self._trouble = f"{type(error).__name__}: {error}"
                self._log_interruption(error, attempt)
                if self._is_draining:
                    return
                await asyncio.sleep(backoff_seconds(attempt))

    async def _session(self) -> None:
        """Open the connection of the leases and publish for as long as it lives."""
        connection = await self._factory.connect("relay")
        connection.add_termination_listener(lambda _: self._woken.set())
        try:
            leases = ShardLeases(connection, self._service, self._shards)
            await shard_count.hold(connection, self._service, self._shards)
            await leases.join(SILENCE_SECONDS)
            if self._factory.shared_delivery:
                self._shared = self._start(
                    self._factory.shared_delivery, poll_seconds=self._poll_seconds
                )
            await self._hold_leases(connection, leases)
        finally:
            await self._stop_publishers()
            connection.terminate()
            self._metrics.relay_shards.labels(self._service).set(0)

    async def _hold_leases(self, connection: Connection, leases: ShardLeases) -> None:
        """Hold a fair share of the shards, assign them, and wake publishers of single shards."""
        loop = asyncio.get_running_loop()
        balanced_at = -BALANCE_SECONDS
        while not self._has_drained():
            self._woken.clear()
            if loop.time() - balanced_at >= BALANCE_SECONDS or connection.is_closed():
                await self._balance(leases)
                balanced_at = loop.time()
                if await count_old_relays(connection, self._service):
                    theirs = frozenset(range(self._shards)) - leases.held
                    await unpack_rows(connection, theirs)
                if 0 in leases.held:  # One relay of a service is enough.
                    await self._segments.truncate_empty(connection)
            if not self._factory.shared_delivery and self._single:
                for row in await connection.fetch(SQL["find_pending"], sorted(self._single)):
                    self._single[row["shard"]].wake()
            pause = BALANCE_SECONDS if self._factory.shared_delivery else self._poll_seconds
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)

    def _has_drained(self) -> bool:
        return self._is_draining and all(task.done() for task in self._tasks.values())

    async def _balance(self, leases: ShardLeases) -> None:
        """Take free shards and release surplus ones, each after the round it is in."""
        surplus = await leases.find_surplus()
        for publisher in [each for each, task in self._tasks.items() if task.done()]:
            self._tasks.pop(publisher).result()  # It ends itself only when all is well.
            self._single = {n: each for n, each in self._single.items() if each != publisher}
        self._assign(leases.held - surplus)
        busy = frozenset[int]().union(*(each.shards | each.busy for each in self._tasks))
        for shard in surplus - busy:
            await leases.release(shard)
        if not self._is_draining:
            await leases.take_free()
            self._assign(leases.held - surplus)
        self._trouble = ""
        self._metrics.relay_shards.labels(self._service).set(len(leases.held))
        rejected = sum(bool(each.rejections) for each in self._tasks)
        self._metrics.relay_refused_shards.labels(self._service).set(rejected)

    def _assign(self, shards: frozenset[int]) -> None:
        """Give each of the shards to a publisher; publishers of other shards end."""
        for shard, publisher in self._single.items():
            if shard not in shards:
                publisher.release()
        if self._shared:
            self._shared.shards = shards - set(self._single)
            return
        for shard in shards - set(self._single):
            self._start_single(shard, ends_when_empty=False)

    # Publishers: started, supervised, stopped.

    def _start_single(self, shard: int, *, ends_when_empty: bool) -> ShardPublisher:
        publisher = self._start(
            lambda connection: self._factory.shard_delivery(connection, shard),
            shards=(shard,),
            ends_when_empty=ends_when_empty,
        )
        self._single[shard] = publisher
        return publisher

    def _start(
        self,
        open_delivery: Callable[[Connection], Delivery],
        *,
        shards: Collection[int] = (),
        poll_seconds: float | None = None,
        ends_when_empty: bool = False,
    ) -> ShardPublisher:
        publisher = ShardPublisher(
            shards,
            connect=lambda: self._factory.connect("relay.publisher"),
            open_delivery=open_delivery,
            metrics=self._publication,
            poll_seconds=poll_seconds,
            ends_when_empty=ends_when_empty,
        )
        if self._is_draining:
            publisher.drain()
        task = asyncio.create_task(self._supervise(publisher), name=f"{self._service}.publisher")
        task.add_done_callback(lambda _: self._woken.set())
        self._tasks[publisher] = task
        return publisher

    async def _supervise(self, publisher: ShardPublisher) -> None:
        """Run a publisher until it is drained; after a failure decide how its shards go on."""
        attempt = 0
        while not isinstance(result := await publisher.run(), Drained):
            if isinstance(result, Interrupted):
                attempt = 0 if result.has_published else attempt + 1
                self._log_interruption(result.error, attempt)
                pause = backoff_seconds(attempt)
            else:
                attempt = self._handle_rejected(publisher, result, attempt)
                pause = min(REJECTED_MAX_SECONDS, 2.0**attempt) if attempt else 0.0
            if publisher.is_done:
                return
            await publisher.pause(pause)

    def _handle_rejected(
        self, publisher: ShardPublisher, result: RejectedByKafka, attempt: int
    ) -> int:
        """Carve rejected shards out of the shared publisher, else retry them record by record.

        Returns how often the same record was sent in vain; 0 when it is not known exactly yet.
        """
        found = result.rejections
        log.error("relay_refused", service=self._service, refusals=list(map(str, found)))
        if publisher is self._shared:
            self._carve_out(publisher, found)
            return 0
        is_same = [each.row for each in publisher.rejections] == [each.row for each in found]
        publisher.isolate(found)
        return attempt + 1 if is_same else 0

    def _carve_out(self, shared: ShardPublisher, rejections: Sequence[RecordRejection]) -> None:
        """Give each rejected shard its own publisher, so that the other shards go on.

        It ends when its shard is empty, and the shard returns to the shared publisher. The shared
        producer is closed already: `run` has returned, so nothing of the shard is being sent.
        """
        for rejection in rejections:
            shared.shards -= {rejection.shard}
            if rejection.shard not in self._single:
                single = self._start_single(rejection.shard, ends_when_empty=True)
                single.isolate([rejection])

    async def _stop_publishers(self) -> None:
        """Cancel the publishers' tasks, again and again until they have ended.

        A library may swallow one cancellation; a relay that waited for such a task would publish
        nothing any more.
        """
        left = set(self._tasks.values())
        while left:
            for task in left:
                task.cancel()
            ended, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
            for task in ended:
                if not task.cancelled():
                    task.exception()  # Retrieved, or asyncio would log that it never was.
        self._shared, self._single, self._tasks = None, {}, {}

    def _log_interruption(self, error: BaseException, attempt: int) -> None:
        self._metrics.transient_retries_total.labels(self._service).inc()
        log.warning("relay_interrupted", service=self._service, error=repr(error), attempt=attempt)
