"""Apply Kafka records in batches, each in one Postgres transaction with its fence and positions.

FastStream hands over the records of a poll, of several partitions. The service's `apply` reads,
decides and writes; this module owns the transaction and the retries; `partitions/assignment.py`
knows where each partition is read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog
from aiokafka import TopicPartition

from services.runtime.batch.batch import ApplyBatch, Batch, Prepare
from services.runtime.batch.bisection import NoItemFails, bisect, item_faults_after
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemRef
from services.runtime.clock import Clock
from services.runtime.consumer.chunking import (
    BatchLimits,
    Weigh,
    by_partition,
    chunks,
    split_batch,
)
from services.runtime.consumer.poll import PollMonitor
from services.runtime.consumer.poll_traces import PollTraces
from services.runtime.messages.records import ConsumedRecord, Original, original_of
from services.runtime.observability.health import CheckResult
from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import (
    CircuitBreakerTripped,
    Levels,
    counts_by_partition,
)
from services.runtime.partitions.crash_guard import ATTEMPTS_MAX
from services.runtime.postgres.connections import Connection, Pool, transaction
from services.runtime.retry import NotTried, backoff_seconds, is_contention, is_transient

CONTENTIONS_MAX = 50  # That often in a row another transaction cannot be the cause.

log = structlog.get_logger(__name__)


class BatchConsumer:
    """Applies the records that a FastStream batch subscriber polls, exactly once in effect."""

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
        committed: Iterable[Callable[[], None]],
        prepare: Prepare | None = None,
        traces: PollTraces | None = None,
    ) -> None:
        """Each of `committed` is called after each commit: the relay has something to read.

        `traces` is None where traces are off.
        """
        self._service = service
        self._topic_prefix = topic_prefix
        self._pool = pool
        self._apply = apply
        self._prepare = prepare
        self._weigh = weigh
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._committed = committed
        self.assignment = assignment
        self._positions = assignment.positions
        self.poll_monitor = PollMonitor()
        self.trouble = ""
        """Why the current batch is being retried; empty where none is."""
        self._known_failures: dict[ItemRef, Failure] = {}
        self.traces = traces

    def check(self) -> CheckResult:
        """Whether batches are applied, and why not."""
        if self.trouble:
            return False, f"a batch is being retried: {self.trouble}"
        trouble = self.poll_monitor.trouble
        return not trouble, f"polls fail: {trouble}" if trouble else "nothing is retried"

    # One poll.

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Apply the records of one poll; returns when each partition is done or stopped."""
        with self.poll_monitor.applying():
            rest = await self.assignment.verify_log(records)
            alone, together = self.assignment.states.split_guarded(rest)
            stale = {
                partition
                for partition, guarded in by_partition(alone).items()
                if not await self._apply_one_by_one(partition, guarded)
            }
            if stale:
                together = [
                    r for r in together if TopicPartition(r.topic, r.partition) not in stale
                ]
            for chunk in chunks(together, self._weigh, self._limits):
                await self._apply_with_retries(chunk)

    async def _apply_one_by_one(
        self, partition: TopicPartition, records: Sequence[ConsumedRecord]
    ) -> bool:
        """Apply records of one partition one by one, up to the first that is stale.

        A stale record is not at the position: the partition is sought, and the rest of its poll is
        read again. Returns whether all records were applied.
        """
        before = None
        for record in records:
            state = self.assignment.states.get(partition)
            if state and before and state.next_offset == before.offset + 1:
                state.offset_after_gap = record.offset  # One poll: the log has nothing in between.
            if not await self._apply_guarded(record):
                return False
            before = record
        return True

    async def _apply_guarded(self, record: ConsumedRecord) -> bool:
        """Apply one record by itself, after the attempt was recorded; False where it is stale.

        A record that has killed too many processes is parked unread.
        """
        partition = TopicPartition(record.topic, record.partition)
        item = ItemRef(self._original(record).coordinates, WHOLE)
        state = self.assignment.states.get(partition)
        if state and state.continues(record.offset):
            attempts = await self.assignment.record_attempt(partition, record.offset)
            if attempts > ATTEMPTS_MAX:
                failure = Failure(FailureKind.CRASH, f"its process died {attempts} times at it")
                self._known_failures[item] = failure
        await self._apply_with_retries([record])
        self._known_failures.pop(item, None)
        state = self.assignment.states.get(partition)
        is_applied = state is not None and state.next_offset == record.offset + 1
        if state:
            state.crash_guard.end_attempt(is_applied=is_applied)
        return is_applied

    async def _apply_with_retries(self, records: Sequence[ConsumedRecord]) -> None:
        """Apply a batch; retry transient errors in order, and split a batch that fails for good."""
        attempt = contentions = 0
        while True:
            try:
                await self._apply_once(records, Batch((), self._clock.now()))
                self.trouble = ""
                return
            except Exception as error:  # noqa: BLE001 - retried, parked, or its partition stops
                self.poll_monitor.fetch_ahead()  # Fetches bring the lag; a retry may take long.
                contentions = contentions + 1 if is_contention(error) else 0
                is_lasting = not is_transient(error) or contentions > CONTENTIONS_MAX
                if is_lasting and await self._split(records, error):
                    self.trouble = ""
                    return
                # The text of a bug's error may quote a message; the parked item has it.
                text = repr(error) if is_transient(error) else type(error).__name__
                self.trouble = "" if is_contention(error) else text
                self._metrics.transient_retries_total.labels(self._service).inc()
                log.warning("batch_retried", error=text, attempt=attempt)
                await asyncio.sleep(0 if contentions == 1 else backoff_seconds(attempt))
                attempt += 1

    async def _split(self, records: Sequence[ConsumedRecord], error: Exception) -> bool:
        """Apply the partitions of a failing batch by themselves, then halves of their records, then
        a record without the items that fail. Returns False where the batch is to be retried.
        """
        log.warning("batch_split", records=len(records), error=type(error).__name__)
        if isinstance(error, CircuitBreakerTripped):
            batches: Sequence[Sequence[ConsumedRecord]] = list(by_partition(records).values())
            if len(batches) == 1:
                await self.assignment.stops.stop(error.partition, error)
                return True
        else:
            batches = split_batch(records)
        for batch in batches:
            await self._apply_with_retries(batch)
        return bool(batches) or await self._bisect(records[0], error)

    async def _bisect(self, record: ConsumedRecord, error: Exception) -> bool:
        """Apply one record without the items that fail; parked unread where no item is at fault.

        Returns False where the record is to be retried.
        """

        async def work(batch: Batch) -> None:
            await self._apply_once([record], batch)

        try:
            try:
                await bisect(work, Batch((), self._clock.now()), item_faults_after(error))
            except NoItemFails:
                whole = ItemRef(self._original(record).coordinates, WHOLE)
                failures = {whole: Failure.of(FailureKind.WRITE, error)}
                await work(Batch((), self._clock.now(), known_failures=failures))
        except Exception as last:  # noqa: BLE001 - retried, or its partition stops loudly
            if is_transient(last):
                return False
            partition = TopicPartition(record.topic, record.partition)
            await self.assignment.stops.stop(partition, last)
        return True

    async def _apply_once(self, records: Sequence[ConsumedRecord], batch: Batch) -> None:
        """Apply the records in one transaction, and seek to the stored positions of partitions that
        are not where the records begin.

        `batch.now` is not used: `_apply_fenced` reads the clock again after the positions are
        locked, because the transaction may have waited for the locks.

        Raises:
            NotTried: `batch` is a trial, and a partition was not applied.
        """
        partitions = by_partition(records)
        states, stops = self.assignment.states, self.assignment.stops
        ready = {
            p: r for p, r in partitions.items() if p in states and states[p].may_apply(r[0].offset)
        }
        elsewhere = [p for p in partitions if p not in ready and p not in stops]
        if ready:
            if self._prepare and not batch.is_trial:
                await self._prepare(self._originals(ready))
            if self.traces is None or batch.is_trial:
                elsewhere += await self._transact(ready, batch)
            else:
                with self.traces.trace(ready, batch) as trace:
                    elsewhere += await self._transact(ready, replace(batch, trace=trace))
        if elsewhere:
            self._metrics.fence_refusals_total.labels(self._service).inc()
            log.info("partitions_reseeked", partitions=[str(p) for p in elsewhere])
            self.poll_monitor.fetch_ahead()  # To look past a gap it is polled.
            await self.assignment.reseek({p: partitions[p][0].offset for p in elsewhere})
        if batch.is_trial and (elsewhere or not ready):
            raise NotTried("the partition was sought again, or stopped, before the trial")

    async def _transact(
        self, ready: dict[TopicPartition, list[ConsumedRecord]], batch: Batch
    ) -> list[TopicPartition]:
        """Apply the records in one transaction; returns the partitions of which nothing was
        written, because their stored position is another one.
        """
        started = time.perf_counter()
        async with self._pool.acquire() as connection:
            async with transaction(connection, is_trial=batch.is_trial):
                elsewhere = await self._positions.lock(connection, sorted(ready))
                fenced = {p: r for p, r in ready.items() if p not in elsewhere}
                levels = await self._apply_fenced(connection, fenced, batch) if fenced else {}
                self.poll_monitor.fetch_ahead()  # What has come is fetched beside the commit.
                applied = time.perf_counter()
            committed_seconds = time.perf_counter() - applied
            if not batch.is_trial:  # The relay need not wait until the connection is given back.
                for each in self._committed:
                    each()
        if batch.is_trial:
            return elsewhere
        self._metrics.batch_stage_seconds.labels(self._service, "commit").observe(committed_seconds)
        self.assignment.states.record_commit({p: r[-1] for p, r in fenced.items()}, levels)
        if fenced:
            self._observe(fenced, time.perf_counter() - started)
        return elsewhere

    async def _apply_fenced(
        self,
        connection: Connection,
        fenced: dict[TopicPartition, list[ConsumedRecord]],
        batch: Batch,
    ) -> Levels:
        """Apply the records and store the positions; returns the circuit breakers' levels after it.

        Raises:
            CircuitBreakerTripped: the transaction must be rolled back.
        """
        step = self._positions.step({p: r[-1] for p, r in fenced.items()})
        full = Batch(
            self._originals(fenced),
            self._clock.now(),
            known_failures={**self._known_failures, **batch.known_failures},
            is_trial=batch.is_trial,
            stop_after=batch.stop_after,
            report=batch.report,
            step=None if batch.is_trial else step,
            trace=batch.trace,
        )
        if batch.trace is not None:
            batch.trace.lap("fence")
        await self._apply(connection, full)
        if batch.is_trial:
            return {}
        await self._positions.save(connection, step)
        counts = counts_by_partition(batch.report, fenced, self._topic_prefix)
        return self.assignment.states.check_breakers(counts)

    def _originals(
        self, partitions: dict[TopicPartition, list[ConsumedRecord]]
    ) -> tuple[Original, ...]:
        return tuple(self._original(record) for each in partitions.values() for record in each)

    def _original(self, record: ConsumedRecord) -> Original:
        return original_of(record, record.topic.removeprefix(self._topic_prefix))

    def _observe(self, fenced: dict[TopicPartition, list[ConsumedRecord]], seconds: float) -> None:
        self._metrics.batch_stage_seconds.labels(self._service, "whole").observe(seconds)
        self._metrics.batch_records.labels(self._service).observe(sum(map(len, fenced.values())))
