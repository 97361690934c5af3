"""Consume batches: fence, apply and step on in one Postgres transaction per batch.

FastStream hands over raw records of several partitions; the service's `apply` reads, decides and
writes; this module owns the transaction, the positions, retries, and stopping a partition.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError

from services.runtime.clock import Clock
from services.runtime.gauges import PartitionGauges
from services.runtime.offsets import CommittedOffsets
from services.runtime.polls import BatchLimits, Weigh, by_partition, chunks
from services.runtime.positions import PositionOutsideTopic, Positions
from services.runtime.postgres import Connection, Pool
from services.runtime.records import ConsumedRecord, Original, original_of
from services.runtime.retrying import (
    backoff_seconds,
    forget_rows,
    is_contention,
    is_transient,
)
from services.runtime.telemetry import Metrics

CONTENTIONS_MAX = 50  # That often in a row another transaction cannot be the cause.

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one transaction, each partition's in offset order; `now` is business time.

    Their topics are the catalogue's names, without the installation's prefix.
    """

    records: tuple[Original, ...]
    now: datetime

    @property
    def caused_at(self) -> datetime:
        """When Kafka took the oldest of them."""
        return min(record.timestamp for record in self.records)


ApplyBatch = Callable[[Connection, Batch], Awaitable[None]]


class BatchConsumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Applies what a FastStream batch subscriber polls, exactly once in its effects."""

    def __init__(
        self,
        *,
        service: str,
        group: str,
        topic_prefix: str,
        pool: Pool,
        apply: ApplyBatch,
        weigh: Weigh,
        limits: BatchLimits,
        clock: Clock,
        metrics: Metrics,
        committed: Callable[[], None],
    ) -> None:
        self._service = service
        self._topic_prefix = topic_prefix
        self._pool = pool
        self._apply = apply
        self._weigh = weigh
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._committed = committed
        self._gauges = PartitionGauges(service, metrics)
        self._positions = Positions(group)
        self._committed_offsets = CommittedOffsets()
        self._placing: set[asyncio.Task[None]] = set()
        self.stopped: dict[TopicPartition, str] = {}
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.has_joined = False
        self.is_retrying = False
        self._locate: Callable[[], AIOKafkaConsumer | None] = lambda: None

    def bind(self, locate: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Say where the Kafka consumer is to be found; FastStream makes it when it starts."""
        self._locate = locate

    # Rebalances: nothing is known of a partition until it is placed again.

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Forget where we stood; the batch in hand is still held by its fence."""
        self.assigned -= revoked
        self._positions.forget(revoked)
        self._metrics.rebalances_total.labels(self._service).inc()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Place every partition at its stored position, beside the group's own work."""
        self.assigned = frozenset(assigned)
        self.has_joined = True
        self._positions.forget(assigned)
        self._positions.keep_only(assigned)
        self._committed_offsets.forget()
        self._gauges.keep_only(assigned)
        self.stopped = {p: why for p, why in self.stopped.items() if p in assigned}
        for partition in self.stopped:
            self._pause(partition)
        task = asyncio.create_task(self._place_assigned(self.assigned))
        self._placing.add(task)
        task.add_done_callback(self._placing.discard)

    def leave(self) -> None:
        """Place nothing any more: the service stops."""
        for task in self._placing:
            task.cancel()

    async def _place_assigned(self, assigned: frozenset[TopicPartition]) -> None:
        attempt = 0
        while assigned == self.assigned:
            missing = [p for p in assigned if not self._positions.is_placed(p)]
            try:
                await self._place(missing)
                return
            except Exception as error:  # noqa: BLE001 - nothing is read until this succeeds
                log.warning("placing_failed", error=repr(error))
                attempt += 1
                await asyncio.sleep(backoff_seconds(attempt))

    async def _place(self, partitions: Sequence[TopicPartition]) -> None:
        """Seek to the stored positions; a partition whose position is impossible is stopped."""
        wanted = [p for p in partitions if p in self.assigned and p not in self.stopped]
        if not wanted:
            return
        consumer = self._locate()
        if consumer is None:
            raise IllegalStateError("the Kafka consumer is not there yet")
        async with self._pool.acquire() as connection:
            outside = await self._positions.place(connection, consumer, wanted)
        for error in outside:
            self._stop_partition(error.partition, error)

    # One poll.

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Apply one poll's records, in batches; returns when each partition is done or stopped."""
        for chunk in chunks(records, self._weigh, self._limits):
            await self._apply_patiently(chunk)

    async def _apply_patiently(self, records: Sequence[ConsumedRecord]) -> None:
        """Retry what heals by itself, in order; part the partitions of what does not."""
        attempt = contentions = 0
        while True:
            try:
                await self._apply_once(records)
                self.is_retrying = False
                return
            except Exception as error:  # noqa: BLE001 - retried, or its partition stops loudly
                contentions = contentions + 1 if is_contention(error) else 0
                if not is_transient(error) or contentions > CONTENTIONS_MAX:
                    await self._part(records, error)
                    return
                self.is_retrying = not is_contention(error)
                self._metrics.transient_retries_total.labels(self._service).inc()
                log.warning("batch_retried", error=repr(error), attempt=attempt)
                await asyncio.sleep(0 if contentions == 1 else backoff_seconds(attempt))
                attempt += 1

    async def _part(self, records: Sequence[ConsumedRecord], error: Exception) -> None:
        """A bug must not hold other partitions: apply each alone, stop the one it is in."""
        partitions = by_partition(records)
        if len(partitions) == 1:
            self._stop_partition(next(iter(partitions)), error)
            return
        for alone in partitions.values():
            await self._apply_patiently(alone)

    async def _apply_once(self, records: Sequence[ConsumedRecord]) -> None:
        partitions = by_partition(records)
        ready = {p: r for p, r in partitions.items() if self._positions.continues(p, r[0].offset)}
        lost = [p for p in partitions if p not in ready and p not in self.stopped]
        if ready:
            lost += await self._transact(ready)
        if lost:
            self._metrics.fence_refusals_total.labels(self._service).inc()
            log.info("partitions_sought_again", partitions=[str(p) for p in lost])
            self._positions.forget(lost)
            await self._place(lost)
            await self._look_past_gaps({p: partitions[p][0].offset for p in lost})

    async def _look_past_gaps(self, began: dict[TopicPartition, int]) -> None:
        """Where a batch began beyond the stored position, see whether the log has a gap there."""
        consumer = self._locate()
        for partition, offset in began.items():
            position = self._positions.next_offset(partition)
            if consumer is not None and position is not None and offset > position:
                await self._positions.look_past_gap(consumer, partition)

    async def _transact(
        self, ready: dict[TopicPartition, list[ConsumedRecord]]
    ) -> list[TopicPartition]:
        """The one transaction. Returns the partitions that stand elsewhere; they wrote nothing."""
        started = time.perf_counter()
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                elsewhere = await self._positions.lock(connection, sorted(ready))
                fenced = {p: r for p, r in ready.items() if p not in elsewhere}
                if fenced:
                    await self._apply_fenced(connection, fenced)
                applied = time.perf_counter()
            committed_seconds = time.perf_counter() - applied
        self._metrics.batch_stage_seconds.labels(self._service, "commit").observe(committed_seconds)
        self._positions.advance({p: r[-1].offset + 1 for p, r in fenced.items()})
        if fenced:
            self._after_commit(fenced, time.perf_counter() - started)
        return elsewhere

    async def _apply_fenced(
        self, connection: Connection, fenced: dict[TopicPartition, list[ConsumedRecord]]
    ) -> None:
        records = tuple(
            original_of(record, partition.topic.removeprefix(self._topic_prefix))
            for partition, part in fenced.items()
            for record in part
        )
        await self._apply(connection, Batch(records, self._clock.now()))
        await self._positions.save(connection, {p: r[-1].offset + 1 for p, r in fenced.items()})

    def _after_commit(
        self, fenced: dict[TopicPartition, list[ConsumedRecord]], seconds: float
    ) -> None:
        self._committed()
        self._metrics.batch_stage_seconds.labels(self._service, "whole").observe(seconds)
        self._metrics.batch_records.labels(self._service).observe(sum(map(len, fenced.values())))
        for partition, records in fenced.items():
            last = records[-1]
            self._gauges.applied(partition, last.offset + 1, last.timestamp)

    # Stopping, loudly.

    def _stop_partition(self, partition: TopicPartition, error: Exception) -> None:
        """Read no more of the partition; readiness and metrics turn red (design 4, a bug)."""
        forget_rows(error)
        self.stopped[partition] = repr(error)
        self._positions.forget([partition])
        self._pause(partition)
        self._gauges.set_stopped(partition)
        kind = "position" if isinstance(error, PositionOutsideTopic) else "bug"
        log.error(
            "partition_stopped",
            topic=partition.topic,
            partition=partition.partition,
            kind=kind,
            error=str(error),
            exc_info=error if kind == "bug" else None,
        )

    def _pause(self, partition: TopicPartition) -> None:
        consumer = self._locate()
        try:
            if consumer is not None:
                consumer.pause(partition)
        except IllegalStateError:  # Taken from us in the meantime: its next owner will see.
            return

    # What operators see.

    def measure_lag(self, now_ms: int) -> None:
        """Set lag in messages and seconds of every assigned partition, from what polls told."""
        consumer = self._locate()
        for partition in self.assigned:
            end = consumer.highwater(partition) if consumer else None
            if end is not None:
                position = self._positions.next_offset(partition)
                self._gauges.measure(partition, end, position, now_ms)

    async def tell_kafka(self) -> None:
        """Let the offsets that lag monitors read follow our positions."""
        consumer = self._locate()
        known = {p: self._positions.next_offset(p) for p in self.assigned}
        positions = {p: offset for p, offset in known.items() if offset is not None}
        if consumer is not None:
            await self._committed_offsets.follow(consumer, positions)

    def is_placed(self) -> bool:
        """Whether every assigned partition has a known position or is stopped."""
        return all(self._positions.is_placed(p) or p in self.stopped for p in self.assigned)
