"""Consume batches: fence, apply and step on in one Postgres transaction per batch.

FastStream hands over raw records of several partitions; the service's `apply` reads, decides and
writes; this module owns the transaction and retries; `placing.py` knows where to read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from aiokafka import TopicPartition

from services.runtime.batch.batch import ApplyBatch, Batch
from services.runtime.batch.bisection import NoItemFails, bisect, item_faults_after
from services.runtime.batch.items import WHOLE, Failure, ItemRef, Kind
from services.runtime.clock import Clock
from services.runtime.consumer.chunking import (
    BatchLimits,
    Weigh,
    by_partition,
    chunks,
    parts_of,
)
from services.runtime.consumer.poll import PollMonitor
from services.runtime.messages.records import ConsumedRecord, Original, original_of
from services.runtime.observability.health import CheckResult
from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import FuseTripped, Levels, shares
from services.runtime.partitions.crash_guard import TRIES_MAX
from services.runtime.postgres.connections import Connection, Pool, transaction
from services.runtime.retry import NotTried, backoff_seconds, is_contention, is_transient

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
        self.polls = PollMonitor()
        # Why the batch in hand is tried again; empty when none is.
        self.trouble = ""
        self._doomed: dict[ItemRef, Failure] = {}

    def told(self) -> CheckResult:
        """Whether batches go through, and what keeps them."""
        if self.trouble:
            return False, f"a batch is being retried: {self.trouble}"
        trouble = self.polls.trouble
        return not trouble, f"polls fail: {trouble}" if trouble else "nothing is retried"

    # One poll.

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Apply one poll's records, in batches; returns when each partition is done or stopped."""
        with self.polls.applying():
            rest = await self.assignment.hear(records)
            alone, together = self.assignment.careful.split(rest)
            for record in alone:
                await self._apply_alone(record)
            for chunk in chunks(together, self._weigh, self._limits):
                await self._apply_patiently(chunk)

    async def _apply_alone(self, record: ConsumedRecord) -> None:
        """Careful mode: it is noted that the record is tried, before it is.

        One that has killed its process again and again is parked unread.
        """
        partition = TopicPartition(record.topic, record.partition)
        slot = ItemRef(self._original(record).coordinates, WHOLE)
        if self._positions.continues(partition, record.offset):
            tries = await self.assignment.note_alone(partition, record.offset)
            if tries > TRIES_MAX:
                self._doomed[slot] = Failure(Kind.CRASH, f"its process died {tries} times at it")
        await self._apply_patiently([record])
        self._doomed.pop(slot, None)
        self.assignment.careful.done(partition)

    async def _apply_patiently(self, records: Sequence[ConsumedRecord]) -> None:
        """Retry what heals by itself, in order; find the item that does not."""
        attempt = contentions = 0
        while True:
            try:
                await self._apply_once(records, self._batch())
                self.trouble = ""
                return
            except Exception as error:  # noqa: BLE001 - retried, parked, or its partition stops
                self.polls.fetch_ahead()  # Lag is what fetches tell, and a retry may take long.
                contentions = contentions + 1 if is_contention(error) else 0
                is_lasting = not is_transient(error) or contentions > CONTENTIONS_MAX
                if is_lasting and await self._part(records, error):
                    self.trouble = ""
                    return
                # What a bug raises may quote a message; the parked item has its text.
                told = repr(error) if is_transient(error) else type(error).__name__
                self.trouble = "" if is_contention(error) else told
                self._metrics.transient_retries_total.labels(self._service).inc()
                log.warning("batch_retried", error=told, attempt=attempt)
                await asyncio.sleep(0 if contentions == 1 else backoff_seconds(attempt))
                attempt += 1

    async def _part(self, records: Sequence[ConsumedRecord], error: Exception) -> bool:
        """What fails for good must hold nothing else: apply partitions alone, then halves of
        their records, then a record without the items that fail. False where to try once more.
        """
        log.warning("batch_parted", records=len(records), error=type(error).__name__)
        if isinstance(error, FuseTripped):
            parts: Sequence[Sequence[ConsumedRecord]] = list(by_partition(records).values())
            if len(parts) == 1:
                await self.assignment.stops.stop(error.partition, error)
                return True
        else:
            parts = parts_of(records)
        for part in parts:
            await self._apply_patiently(part)
        return bool(parts) or await self._bisect(records[0], error)

    async def _bisect(self, record: ConsumedRecord, error: Exception) -> bool:
        """Apply one record without the items that fail; parked unread where no item is at fault.

        Returns False where the record is to be retried.
        """

        async def work(batch: Batch) -> None:
            await self._apply_once([record], batch)

        try:
            try:
                await bisect(work, self._batch(), item_faults_after(error))
            except NoItemFails:
                whole = ItemRef(self._original(record).coordinates, WHOLE)
                failures = {whole: Failure.of(Kind.WRITE, error)}
                await work(replace(self._batch(), doomed=failures))
        except Exception as last:  # noqa: BLE001 - retried, or its partition stops loudly
            if is_transient(last):
                return False
            partition = TopicPartition(record.topic, record.partition)
            await self.assignment.stops.stop(partition, last)
        return True

    def _batch(self) -> Batch:
        """A batch without records: `_apply_fenced` adds those that pass the fence."""
        return Batch((), self._clock.now())

    async def _apply_once(self, records: Sequence[ConsumedRecord], batch: Batch) -> None:
        partitions = by_partition(records)
        ready = {p: r for p, r in partitions.items() if self._is_ready(p, r[0].offset)}
        lost = [p for p in partitions if p not in ready and p not in self.assignment.stops]
        if ready:
            lost += await self._transact(ready, batch)
        if lost:
            self._metrics.fence_refusals_total.labels(self._service).inc()
            log.info("partitions_sought_again", partitions=[str(p) for p in lost])
            self.polls.fetch_ahead()  # To look past a gap it is polled.
            await self.assignment.place_again({p: partitions[p][0].offset for p in lost})
        if batch.is_trial and (lost or not ready):
            raise NotTried("its partition was placed anew, or stopped, before it was tried")

    def _is_ready(self, partition: TopicPartition, offset: int) -> bool:
        is_next = self._positions.continues(partition, offset)
        return is_next and not self.assignment.careful.forbids(partition)

    async def _transact(
        self, ready: dict[TopicPartition, list[ConsumedRecord]], batch: Batch
    ) -> list[TopicPartition]:
        """The one transaction. Returns the partitions that stand elsewhere; they wrote nothing."""
        started = time.perf_counter()
        async with self._pool.acquire() as connection:
            async with transaction(connection, is_trial=batch.is_trial):
                elsewhere = await self._positions.lock(connection, sorted(ready))
                fenced = {p: r for p, r in ready.items() if p not in elsewhere}
                levels = await self._apply_fenced(connection, fenced, batch) if fenced else {}
                self.polls.fetch_ahead()  # What has come is fetched while this is committed.
                applied = time.perf_counter()
            committed_seconds = time.perf_counter() - applied
            if not batch.is_trial:  # The relay need not wait until the connection is tidied up.
                self._committed()
        if batch.is_trial:
            return elsewhere
        self._metrics.batch_stage_seconds.labels(self._service, "commit").observe(committed_seconds)
        self._positions.advance({p: r[-1].offset + 1 for p, r in fenced.items()})
        self.assignment.fuses.keep(levels)
        if fenced:
            self._after_commit(fenced, time.perf_counter() - started)
        return elsewhere

    async def _apply_fenced(
        self,
        connection: Connection,
        fenced: dict[TopicPartition, list[ConsumedRecord]],
        batch: Batch,
    ) -> Levels:
        """Apply, step on, and say what the fuses make of it; a fuse that trips undoes it all."""
        step = self._positions.step({p: r[-1] for p, r in fenced.items()})
        full = Batch(
            tuple(self._original(record) for part in fenced.values() for record in part),
            batch.now,
            doomed={**self._doomed, **batch.doomed},
            heard_max=batch.heard_max,
            report=batch.report,
            step=None if batch.is_trial else step,
        )
        await self._apply(connection, full)
        if batch.is_trial:
            return {}
        await self._positions.save(connection, step)
        return self.assignment.fuses.check(shares(batch.report, fenced, self._topic_prefix))

    def _original(self, record: ConsumedRecord) -> Original:
        return original_of(record, record.topic.removeprefix(self._topic_prefix))

    def _after_commit(
        self, fenced: dict[TopicPartition, list[ConsumedRecord]], seconds: float
    ) -> None:
        self._metrics.batch_stage_seconds.labels(self._service, "whole").observe(seconds)
        self._metrics.batch_records.labels(self._service).observe(sum(map(len, fenced.values())))
        for partition, records in fenced.items():
            last = records[-1]
            self.assignment.gauges.applied(partition, last.offset + 1, last.timestamp)
