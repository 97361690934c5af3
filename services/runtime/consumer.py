"""Consume batches: fence, apply and step on in one Postgres transaction per batch.

FastStream hands over raw records of several partitions; the service's `apply` reads, decides and
writes; this module owns the transaction and retries; `placing.py` knows where to read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog
from aiokafka import TopicPartition

from services.runtime.batches import ApplyBatch, Batch
from services.runtime.clock import Clock
from services.runtime.placing import Assignment
from services.runtime.polls import BatchLimits, Weigh, by_partition, chunks
from services.runtime.postgres import Connection, Pool
from services.runtime.records import ConsumedRecord, original_of
from services.runtime.retrying import (
    backoff_seconds,
    is_contention,
    is_transient,
)
from services.runtime.telemetry import Metrics

CONTENTIONS_MAX = 50  # That often in a row another transaction cannot be the cause.

__all__ = ["ApplyBatch", "Batch", "BatchConsumer"]

log = structlog.get_logger(__name__)


class BatchConsumer:
    """Applies what a FastStream batch subscriber polls, exactly once in its effects."""

    def __init__(
        self,
        *,
        service: str,
        assignment: Assignment,
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
        self.assignment = assignment
        self._positions = assignment.positions
        self.is_retrying = False

    # One poll.

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Apply one poll's records, in batches; returns when each partition is done or stopped."""
        rest = await self.assignment.hear(records)
        alone, together = self.assignment.careful.split(rest)
        for record in alone:
            await self._apply_alone(record)
        for chunk in chunks(together, self._weigh, self._limits):
            await self._apply_patiently(chunk)

    async def _apply_alone(self, record: ConsumedRecord) -> None:
        """Careful mode: it is noted that the record is tried, before it is."""
        partition = TopicPartition(record.topic, record.partition)
        if self._positions.continues(partition, record.offset):
            await self.assignment.note_alone(partition, record.offset)
        await self._apply_patiently([record])
        self.assignment.careful.done(partition)

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
            await self.assignment.stops.stop(next(iter(partitions)), error)
            return
        for alone in partitions.values():
            await self._apply_patiently(alone)

    async def _apply_once(self, records: Sequence[ConsumedRecord]) -> None:
        partitions = by_partition(records)
        ready = {p: r for p, r in partitions.items() if self._positions.continues(p, r[0].offset)}
        lost = [p for p in partitions if p not in ready and p not in self.assignment.stops]
        if ready:
            lost += await self._transact(ready)
        if lost:
            self._metrics.fence_refusals_total.labels(self._service).inc()
            log.info("partitions_sought_again", partitions=[str(p) for p in lost])
            await self.assignment.place_again({p: partitions[p][0].offset for p in lost})

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
        await self._positions.save(connection, {p: r[-1] for p, r in fenced.items()})

    def _after_commit(
        self, fenced: dict[TopicPartition, list[ConsumedRecord]], seconds: float
    ) -> None:
        self._committed()
        self._metrics.batch_stage_seconds.labels(self._service, "whole").observe(seconds)
        self._metrics.batch_records.labels(self._service).observe(sum(map(len, fenced.values())))
        for partition, records in fenced.items():
            last = records[-1]
            self.assignment.gauges.applied(partition, last.offset + 1, last.timestamp)
