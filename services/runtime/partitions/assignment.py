"""The partitions that Kafka assigns to this process; each is sought to its stored position."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from services.runtime.kafka.compat.topic_ids import topic_ids
from services.runtime.messages.records import ConsumedRecord
from services.runtime.observability.health import CheckResult
from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.circuit_breaker import CircuitBreakerLimits
from services.runtime.partitions.committed_offsets import commit_positions
from services.runtime.partitions.log_identity import LogTruncated, PositionLost
from services.runtime.partitions.partition_state import AssignedPartitions, PartitionState
from services.runtime.partitions.positions import Positions, Released, SeekResult
from services.runtime.partitions.stopped import StoppedPartitions
from services.runtime.postgres.connections import Pool
from services.runtime.retry import backoff_seconds, is_transient

SEEKS_MAX = 3
SEEK_PAUSE_SECONDS = 0.5
# A rebalance waits for it. A partition that was not released is only read record by record.
RELEASE_TIMEOUT_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """The assigned partitions of a service's consumer group: positions, stops, lag."""

    def __init__(
        self,
        *,
        service: str,
        group: str,
        pool: Pool,
        metrics: Metrics,
        breaker_limits: CircuitBreakerLimits,
        guarded_records: int,
    ) -> None:
        """`guarded_records` is how many records of an abandoned partition are read one by one."""
        self.service = service
        self._pool = pool
        self._metrics = metrics
        self._seeking: set[asyncio.Task[None]] = set()
        self._locate: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self.states = AssignedPartitions(service, metrics, breaker_limits, guarded_records)
        self.positions = Positions(service, group, self.states)
        self.stops = StoppedPartitions(self.states, self.positions, pool, self.consumer)
        self.has_joined = False
        self.is_stopping = False
        self.is_joining = True
        self.is_refused_by_kafka = False  # Kafka, not Postgres, keeps us from seeking.

    def bind(self, locate: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Say how to find the Kafka consumer, which FastStream makes when it starts."""
        self._locate = locate

    def consumer(self) -> AIOKafkaConsumer | None:
        """The Kafka consumer, as soon as there is one."""
        return self._locate()

    @property
    def partitions(self) -> frozenset[TopicPartition]:
        """The partitions that this process may read now."""
        return self.states.assigned

    # Rebalances.

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Release the partitions; a batch that is being applied is still held by its fence."""
        self.is_joining = True
        states = self.states.revoke(revoked)
        await self._release(states)
        self._metrics.rebalances_total.labels(self.service).inc()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin to seek every partition to its stored position."""
        self.has_joined = True
        self.is_joining = False
        self.states.assign(assigned)
        self.stops.pause_again()
        self._begin_seeking()

    def _begin_seeking(self) -> None:
        task = asyncio.create_task(self._seek_assigned(self.partitions))
        self._seeking.add(task)
        task.add_done_callback(self._seeking.discard)

    async def release_all(self) -> None:
        """Release every partition: the service stops."""
        await self._release([self.states[partition] for partition in self.partitions])

    async def _release(self, states: Sequence[PartitionState]) -> None:
        released = [Released.of(state) for state in states]
        for state in states:
            state.crash_guard.clear()
        if not released:
            return
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_SECONDS):
                async with self._pool.acquire() as connection:
                    await self.positions.release(connection, released)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("partition_release_failed", error=repr(error))

    def stop_seeking(self) -> None:
        """Seek nothing more: the service stops."""
        self.is_stopping = True
        for task in self._seeking:
            task.cancel()

    # Seeks to stored positions.

    async def _seek_assigned(self, assigned: frozenset[TopicPartition]) -> None:
        attempt = 0
        while assigned == self.partitions:
            missing = [p for p in assigned if self.positions.next_offset(p) is None]
            try:
                await self.seek_to_stored(missing)
                self.is_refused_by_kafka = False
                return
            except Exception as error:  # noqa: BLE001 - nothing is read until this succeeds
                self.is_refused_by_kafka = isinstance(error, KafkaError)
                log.warning("placing_failed", error=repr(error))
                attempt += 1
                await asyncio.sleep(backoff_seconds(attempt))

    async def seek_to_stored(self, partitions: Sequence[TopicPartition]) -> None:
        """Seek to the stored positions; a partition whose position is impossible is stopped.

        Raises:
            IllegalStateError: there is no Kafka consumer yet.
            KafkaError, asyncpg.PostgresError, OSError: a server does not answer; try again.
        """
        wanted = [p for p in partitions if p in self.partitions and p not in self.stops]
        if not wanted:
            return
        consumer = self.consumer()
        if consumer is None:
            raise IllegalStateError("the Kafka consumer is not there yet")
        for error in await self._seek_repeatedly(consumer, wanted):
            await self.stops.stop(error.partition, error)

    async def _seek_repeatedly(
        self, consumer: AIOKafkaConsumer, wanted: Sequence[TopicPartition]
    ) -> Sequence[PositionLost]:
        """Seek; try again where a position seems impossible: just after a change of leaders a
        broker may answer with an end that is too low.
        """
        ids = await topic_ids(consumer, {p.topic for p in wanted})
        seeks = 0
        while True:
            seeks += 1
            async with self._pool.acquire() as connection:
                result = await self.positions.seek_to_stored(connection, consumer, wanted, ids)
                # Before anything else can run: what was sought is polled as soon as it can be.
                self._use(result)
            if not result.lost or seeks >= SEEKS_MAX:
                return result.lost
            await asyncio.sleep(SEEK_PAUSE_SECONDS)

    def _use(self, result: SeekResult) -> None:
        for partition in result.free:
            if state := self.states.get(partition):
                state.begin_reading()
        for partition, why in result.held.items():
            self.stops.hold(partition, why)

    async def reseek(self, began: Mapping[TopicPartition, int]) -> None:
        """Seek again where batches began elsewhere than at the position: at these offsets.

        Where a batch began beyond the stored position, look whether the log has a gap there.
        """
        for partition in began:
            if state := self.states.get(partition):
                state.clear_position()
        await self.seek_to_stored(list(began))
        consumer = self.consumer()
        for partition, offset in began.items():
            position = self.positions.next_offset(partition)
            if consumer is None or position is None:
                continue
            self.states[partition].log.expected = None
            consumer.seek(partition, position)
            if offset > position:
                await self.positions.look_past_gap(consumer, partition)

    async def resume_stopped(self) -> None:
        """Read again the stopped partitions that an operator has resumed."""
        resumed = await self.stops.end_resumed()
        for state in resumed:
            state.breaker.reset()
        if resumed:
            self._begin_seeking()

    # Batches.

    async def verify_log(self, records: Sequence[ConsumedRecord]) -> Sequence[ConsumedRecord]:
        """The records of a poll that are to be applied.

        Records applied before, to which partitions were sought, are compared and dropped; a
        partition whose record differs is stopped.
        """
        rest, differing = self.states.drop_expected(records)
        for partition in differing:
            position = self.positions.next_offset(partition)
            if position is not None:
                await self.stops.stop(partition, LogTruncated(self.service, partition, position))
        return rest

    async def record_attempt(self, partition: TopicPartition, offset: int) -> int:
        """Record an attempt at one record; returns how many are recorded, with this one.

        Returns 0 where another process reads the partition. Waits for Postgres.
        """
        attempt = 0
        while True:
            try:
                async with self._pool.acquire() as connection:
                    return await self.positions.record_attempt(connection, partition, offset) or 0
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("attempt_not_recorded", error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))
                attempt += 1

    # What operators see.

    def measure_lag(self, now_ms: int) -> None:
        """Set the lag gauges of every assigned partition, by the ends that fetches brought."""
        consumer = self.consumer()
        for partition in self.partitions:
            end = consumer.highwater(partition) if consumer else None
            if end is not None:
                state = self.states[partition]
                state.gauges.measure(end, state.next_offset, now_ms)

    async def commit_offsets(self) -> None:
        """Commit the positions to Kafka, where lag monitors read them."""
        consumer = self.consumer()
        if consumer is not None:
            await commit_positions(consumer, [self.states[p] for p in self.partitions])

    def is_positioned(self) -> bool:
        """Whether every assigned partition was sought to its position or is stopped."""
        states = [self.states[partition] for partition in self.partitions]
        return all(state.next_offset is not None or state.stop for state in states)

    def check(self, missing: Collection[str]) -> CheckResult:
        """Whether all assigned partitions are read, and why not; `missing` are topics that the
        brokers do not have.
        """
        if not self.has_joined:
            return False, "has not joined its consumer group yet"
        if reasons := self.stops.reasons:
            named = {f"{p.topic}[{p.partition}]": why for p, why in reasons.items()}
            # The text of a position says itself which partition it is about.
            texts = [why if why.startswith(p) else f"{p}: {why}" for p, why in named.items()]
            return False, "stopped: " + "; ".join(texts)
        if missing:
            return False, f"not there: {', '.join(missing)}"
        return self.is_positioned(), f"{len(self.partitions)} assigned"
