"""The partitions Kafka's group gives this process: each is placed at its stored position first."""

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
from services.runtime.partitions.circuit_breaker import FuseLimits, Fuses
from services.runtime.partitions.committed_offsets import CommittedOffsets
from services.runtime.partitions.crash_guard import CrashGuard
from services.runtime.partitions.gauges import PartitionGauges
from services.runtime.partitions.log_identity import PositionLost
from services.runtime.partitions.positions import Positions, SeekResult
from services.runtime.partitions.stopped import StoppedPartitions
from services.runtime.postgres.connections import Pool
from services.runtime.retry import backoff_seconds, is_transient

DOUBT_TRIES = 3
DOUBT_PAUSE_SECONDS = 0.5
LET_GO_TIMEOUT_SECONDS = 2.0  # A rebalance waits for it; the next owner is only careful without.

log = structlog.get_logger(__name__)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """What this process has of its group's partitions, and where it stands in each."""

    def __init__(
        self,
        *,
        service: str,
        group: str,
        pool: Pool,
        metrics: Metrics,
        fuse_limits: FuseLimits,
        careful_records: int,
    ) -> None:
        self._service = service
        self._pool = pool
        self._metrics = metrics
        self.committed_offsets = CommittedOffsets()
        self._placing: set[asyncio.Task[None]] = set()
        self._locate: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self.gauges = PartitionGauges(service, metrics)
        self.positions = Positions(service, group)
        self.stops = StoppedPartitions(self.positions, self.gauges, pool, self.consumer)
        self.careful = CrashGuard(self.positions, careful_records)
        self.fuses = Fuses(fuse_limits, self.gauges)
        self.partitions: frozenset[TopicPartition] = frozenset()
        self.has_joined = False
        self.is_leaving = False
        self.is_joining = True
        self.is_refused_places = False  # Kafka, not Postgres, keeps us from placing partitions.

    def bind(self, locate: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Say where the Kafka consumer is to be found; FastStream makes it when it starts."""
        self._locate = locate

    def consumer(self) -> AIOKafkaConsumer | None:
        """The Kafka consumer, as soon as there is one."""
        return self._locate()

    # Rebalances: nothing is known of a partition until it is placed again.

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Forget where we stood; the batch in hand is still held by its fence."""
        self.is_joining = True
        self.partitions -= revoked
        self.positions.forget(revoked)
        await self.let_go(revoked)
        self._metrics.rebalances_total.labels(self._service).inc()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Place every partition at its stored position, beside the group's own work."""
        self.partitions = frozenset(assigned)
        self.has_joined = True
        self.is_joining = False
        self.positions.forget(assigned)
        self.positions.keep_only(assigned)
        self.committed_offsets.forget()
        self.gauges.keep_only(assigned)
        self.stops.keep_only(assigned)
        self.fuses.keep_only(assigned)
        self._begin_placing()

    def _begin_placing(self) -> None:
        task = asyncio.create_task(self._place_assigned(self.partitions))
        self._placing.add(task)
        task.add_done_callback(self._placing.discard)

    async def let_go(self, partitions: Collection[TopicPartition]) -> None:
        """Say that we have nothing of them in hand any more, and live."""
        ours = {p: self.careful.ended(p) for p in partitions}
        self.careful.forget(partitions)
        if not ours:
            return
        try:
            async with asyncio.timeout(LET_GO_TIMEOUT_SECONDS):
                async with self._pool.acquire() as connection:
                    await self.positions.let_go(connection, ours)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("partitions_not_let_go", error=repr(error))

    def leave(self) -> None:
        """Place nothing any more: the service stops."""
        self.is_leaving = True
        for task in self._placing:
            task.cancel()

    async def _place_assigned(self, assigned: frozenset[TopicPartition]) -> None:
        attempt = 0
        while assigned == self.partitions:
            missing = [p for p in assigned if not self.positions.is_placed(p)]
            try:
                await self.place(missing)
                self.is_refused_places = False
                return
            except Exception as error:  # noqa: BLE001 - nothing is read until this succeeds
                self.is_refused_places = isinstance(error, KafkaError)
                log.warning("placing_failed", error=repr(error))
                attempt += 1
                await asyncio.sleep(backoff_seconds(attempt))

    async def place(self, partitions: Sequence[TopicPartition]) -> None:
        """Seek to the stored positions; a partition whose position is impossible is stopped."""
        wanted = [p for p in partitions if p in self.partitions and p not in self.stops]
        if not wanted:
            return
        consumer = self.consumer()
        if consumer is None:
            raise IllegalStateError("the Kafka consumer is not there yet")
        for error in await self._place_surely(consumer, wanted):
            await self.stops.stop(error.partition, error)

    async def _place_surely(
        self, consumer: AIOKafkaConsumer, wanted: Sequence[TopicPartition]
    ) -> Sequence[PositionLost]:
        """Just after a change of leaders an end may be told too low: a doubt is asked again."""
        ids = await topic_ids(consumer, {p.topic for p in wanted})
        tries = 0
        while True:
            tries += 1
            async with self._pool.acquire() as connection:
                placed = await self.positions.place(connection, consumer, wanted, ids)
                # At once: what is placed is read as soon as anything else can run.
                self._heed(placed)
            if not placed.lost or tries >= DOUBT_TRIES:
                return placed.lost
            await asyncio.sleep(DOUBT_PAUSE_SECONDS)

    def _heed(self, placed: SeekResult) -> None:
        """How what was found is to be read."""
        self.careful.begin(placed.abandoned)
        for partition, allowed in placed.fuse_allows.items():
            self.fuses.begin(partition, allowed)
        for partition, why in placed.held.items():
            self.stops.hold(partition, why)

    async def place_again(self, began: Mapping[TopicPartition, int]) -> None:
        """Seek again where batches began elsewhere than we stand.

        Where one began beyond the stored position, see whether the log has a gap there.
        """
        self.positions.forget(began)
        await self.place(list(began))
        consumer = self.consumer()
        for partition, offset in began.items():
            position = self.positions.next_offset(partition)
            if consumer is None or position is None:
                continue
            self.positions.seek_again(consumer, partition)
            if offset > position:
                await self.positions.look_past_gap(consumer, partition)

    async def hear(self, records: Sequence[ConsumedRecord]) -> Sequence[ConsumedRecord]:
        """A poll without the witnesses in it; what they speak against is stopped."""
        rest, against = self.positions.witnesses.hear(records)
        for partition in against:
            if error := self.positions.written_anew(partition):
                await self.stops.stop(partition, error)
        return rest

    async def note_alone(self, partition: TopicPartition, offset: int) -> int:
        """Note that a record is begun alone; how often it was, with this time."""
        attempt = 0
        while True:
            try:
                async with self._pool.acquire() as connection:
                    return await self.careful.note(connection, partition, offset) or 0
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("try_not_noted", error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))
                attempt += 1

    async def look_for_resumed(self) -> None:
        """Go on with what operators have resumed."""
        resumed = await self.stops.take_resumed()
        for partition in resumed:
            self.fuses.begin(partition)
        if resumed:
            self._begin_placing()

    # What operators see.

    def measure_lag(self, now_ms: int) -> None:
        """Set lag in messages and seconds of every assigned partition, from what polls told."""
        consumer = self.consumer()
        for partition in self.partitions:
            end = consumer.highwater(partition) if consumer else None
            if end is not None:
                position = self.positions.next_offset(partition)
                self.gauges.measure(partition, end, position, now_ms)

    async def tell_kafka(self) -> None:
        """Let the offsets that lag monitors read follow our positions."""
        consumer = self.consumer()
        known = {p: self.positions.next_offset(p) for p in self.partitions}
        positions = {p: offset for p, offset in known.items() if offset is not None}
        if consumer is not None:
            await self.committed_offsets.follow(consumer, positions)

    def is_placed(self) -> bool:
        """Whether every assigned partition has a known position or is stopped."""
        return all(self.positions.is_placed(p) or p in self.stops for p in self.partitions)

    def told(self, missing: Collection[str]) -> CheckResult:
        """Whether all that is ours is read, and what keeps it; `missing` are topics not there."""
        if not self.has_joined:
            return False, "has not joined its consumer group yet"
        if reasons := self.stops.reasons:
            told = [f"{p.topic}[{p.partition}]: {why}" for p, why in reasons.items()]
            return False, "stopped: " + "; ".join(told)
        if missing:
            return False, f"not there: {', '.join(missing)}"
        return self.is_placed(), f"{len(self.partitions)} assigned"
