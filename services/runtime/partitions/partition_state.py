"""The state of each partition that Kafka has assigned to this process.

A partition's state is made when the partition is first assigned, and dropped by the first
assignment that no longer holds it. Dropping the state is what forgets: no class keeps anything by
partition beside it. What is reset earlier than that stands in `PartitionState.clear_position`,
`AssignedPartitions.revoke` and `AssignedPartitions.assign` (decision 0111).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from services.runtime.batch.batch import ItemCounts
from services.runtime.messages.records import ConsumedRecord
from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerLimits,
    Levels,
)
from services.runtime.partitions.crash_guard import CrashGuard
from services.runtime.partitions.gauges import PartitionGauges
from services.runtime.partitions.log_identity import LogIdentity, fingerprint_of


@dataclass(slots=True)
class Stop:
    """Why a partition is not read; `position` is the offset to store the stop at."""

    kind: str
    why: str
    position: int | None
    is_stored: bool


@dataclass(frozen=True, slots=True)
class Unpolled:
    """How far a partition with further records was polled, and since when it has stood there."""

    polled: int
    since: float


@dataclass(slots=True)
class PartitionState:
    """What this process knows of one assigned partition."""

    partition: TopicPartition
    gauges: PartitionGauges
    breaker: CircuitBreaker
    crash_guard: CrashGuard
    log: LogIdentity = field(default_factory=LogIdentity)
    next_offset: int | None = None
    """The offset of the next record to apply; None until the partition is sought to it."""
    offset_after_gap: int | None = None
    """The first offset that the log still has from `next_offset` on, where it is another one:
    compaction and transaction markers leave gaps. Known only after it was looked up."""
    was_abandoned: bool = False
    """The last reader died. Read from the position row, which says it once; used by the next
    seek that succeeds."""
    failures_allowed: int = 0
    """Failing items that an operator lets pass; read and used like `was_abandoned`."""
    stop: Stop | None = None
    committed_offset: int | None = None
    """The offset last committed to Kafka; None where another process may have committed since."""
    unpolled: Unpolled | None = None
    """Set while the partition has records that were not polled since the last look."""

    def clear_position(self) -> None:
        """Clear the position: no record is applied until the next seek."""
        self.next_offset = None
        self.offset_after_gap = None
        self.log.expected = None

    def continues(self, first_offset: int) -> bool:
        """Whether a batch that begins at `first_offset` begins at the position."""
        if self.next_offset is None:
            return False
        return first_offset in (self.next_offset, self.offset_after_gap)

    def may_apply(self, first_offset: int) -> bool:
        """Whether a batch that begins at `first_offset` may be applied.

        It must begin at the position. In a guarded partition an attempt must be recorded for it:
        none is for records that were polled before the guard began.
        """
        guard = self.crash_guard
        return self.continues(first_offset) and (guard.is_attempting or not guard.left)

    def advance(self, next_offset: int) -> None:
        """Set the offset of the next record; earlier records are applied or skipped by a seek."""
        self.next_offset = next_offset
        self.offset_after_gap = None

    def begin_reading(self) -> None:
        """Apply `was_abandoned` and `failures_allowed` of the position row before reading."""
        if self.was_abandoned:
            self.was_abandoned = False
            self.crash_guard.begin()
        if self.failures_allowed:
            self.breaker.reset(self.failures_allowed)
            self.failures_allowed = 0


class AssignedPartitions(dict[TopicPartition, PartitionState]):
    """The state of each partition; in a rebalance also of those revoked and not yet lost.

    Kafka revokes every partition at the beginning of a rebalance and gives most of them back at its
    end. So revoking clears what another process may change in the meantime, and the states
    themselves stay until the next assignment says which partitions are lost.
    """

    def __init__(
        self,
        service: str,
        metrics: Metrics,
        breaker_limits: CircuitBreakerLimits,
        guarded_records: int,
    ) -> None:
        super().__init__()
        self._service = service
        self._metrics = metrics
        self._breaker_limits = breaker_limits
        self._guarded_records = guarded_records
        self.assigned: frozenset[TopicPartition] = frozenset()
        """The partitions that this process may read now."""

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Assign partitions: these are read from now on, and no others.

        A partition that was assigned before keeps its stop, its circuit breaker, its gauges and
        what its position row said; its position and Kafka's committed offset are unknown.
        """
        self.assigned = frozenset(partitions)
        for lost in self.keys() - self.assigned:
            self.pop(lost).gauges.remove()
        for partition in partitions:
            state = self.get(partition)
            if state is None:
                self[partition] = self._make(partition)
            else:
                state.clear_position()
                state.committed_offset = None

    def revoke(self, partitions: Collection[TopicPartition]) -> list[PartitionState]:
        """Revoke partitions: none is read until it is assigned again. Returns their states."""
        self.assigned -= frozenset(partitions)
        found = [self[partition] for partition in partitions if partition in self]
        for state in found:
            state.clear_position()
        return found

    def drop_expected(
        self, records: Sequence[ConsumedRecord]
    ) -> tuple[Sequence[ConsumedRecord], list[TopicPartition]]:
        """Drop the first record of each partition where it is the last one that was applied.

        Returns the other records, and the partitions where the record at that offset has another
        fingerprint. Where the first record is a later one, retention or compaction has removed the
        expected record, which proves nothing.
        """
        if all(state.log.expected is None for state in self.values()):
            return records, []
        rest: list[ConsumedRecord] = []
        differing: list[TopicPartition] = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            state = self.get(partition)
            expected = state.log.take_expected() if state else None
            if expected is None or record.offset != expected.offset:
                rest.append(record)
            elif fingerprint_of(record) != expected:
                differing.append(partition)
        return rest, differing

    def split_guarded(
        self, records: Sequence[ConsumedRecord]
    ) -> tuple[Sequence[ConsumedRecord], Sequence[ConsumedRecord]]:
        """The records to apply one by one, and those to apply in batches."""
        left = {p: state.crash_guard.left for p, state in self.items() if state.crash_guard.left}
        if not left:
            return (), records
        alone: list[ConsumedRecord] = []
        together: list[ConsumedRecord] = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            is_alone = left.get(partition, 0) > 0
            (alone if is_alone else together).append(record)
            if is_alone:
                left[partition] -= 1
        return alone, together

    def check_breakers(self, counts: Mapping[TopicPartition, ItemCounts]) -> Levels:
        """The levels of the circuit breakers after a batch that is about to commit.

        A partition that was lost meanwhile is checked by a new circuit breaker.

        Raises:
            CircuitBreakerTripped: the batch must not commit.
        """
        states = {p: self.get(p) or self._make(p) for p in counts}
        return {p: states[p].breaker.level_after(each) for p, each in counts.items()}

    def record_commit(self, last: Mapping[TopicPartition, ConsumedRecord], levels: Levels) -> None:
        """Record a committed batch: the last record of each partition, and the levels after it.

        Partitions that were lost meanwhile are left out.
        """
        for partition, record in last.items():
            if state := self.get(partition):
                state.advance(record.offset + 1)
                if level := levels.get(partition):
                    state.breaker.keep(level)
                state.gauges.applied(record.offset + 1, record.timestamp)

    def _make(self, partition: TopicPartition) -> PartitionState:
        gauges = PartitionGauges(self._service, partition, self._metrics)
        breaker = CircuitBreaker(partition, self._breaker_limits, gauges)
        return PartitionState(
            partition, gauges, breaker, CrashGuard(partition, self._guarded_records)
        )
