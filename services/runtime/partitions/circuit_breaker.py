"""The circuit breaker of a partition: it stops the partition when too much of it fails.

This is promise P6 (docs/promises.md). A bad deploy looks like bad data: parking a whole topic item
by item would hide it, and would have to be undone item by item. An item parked behind another one
is no failure itself and not counted.
Settings, metrics and operators' pages call the circuit breaker "fuse".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import TopicPartition

from services.runtime.batch.batch import BatchReport, ItemCounts
from services.runtime.config.settings import Settings
from services.runtime.partitions.gauges import PartitionGauges

SOURCES_MIN = 3

log = structlog.get_logger(__name__)


class CircuitBreakerTripped(Exception):
    """Too much of a partition fails; its batch is not committed, and the next one is not read."""

    def __init__(self, partition: TopicPartition, why: str) -> None:
        super().__init__(
            f"{partition.topic}[{partition.partition}]: {why}. The batch that would have passed "
            "the limit is not applied. Correct the cause, then `orderflow partitions resume "
            f"{partition.topic} {partition.partition} --why …`; with `--allow N` the next N "
            "failing items are parked all the same (docs/runbook.md, 'The fuse')"
        )
        self.partition = partition


@dataclass(frozen=True, slots=True)
class CircuitBreakerLimits:
    """How much may fail; a share of 0 turns that rule off."""

    window_items: int
    parked_share: float
    parked_in_a_row: int
    malformed_share: float

    @property
    def parked_max(self) -> float:
        """How many items of a window may be parked; of a window not yet full as many."""
        return self.window_items * self.parked_share

    @property
    def malformed_max(self) -> float:
        """How many items of a window may be malformed, without those of the worst source."""
        return self.window_items * self.malformed_share


def limits_of(settings: Settings) -> CircuitBreakerLimits:
    """The limits that the settings give."""
    return CircuitBreakerLimits(
        settings.fuse_window_items,
        settings.fuse_parked_share,
        settings.fuse_parked_in_a_row,
        settings.fuse_malformed_share,
    )


@dataclass(frozen=True, slots=True)
class CircuitBreakerLevel:
    """The last batches of a partition, about a window of items, and the failures in a row at its
    end.

    Failures in a row count whole batches: one decided item in a batch ends them. The sums of the
    window are carried along instead of being counted again: a window may be a thousand batches of
    one item.
    """

    batches: tuple[ItemCounts, ...] = ()
    in_a_row: int = 0
    allowed: int = 0
    """Failing items that are still to be counted as decided."""
    items: int = 0
    """Items of the window."""
    parked: int = 0
    """Items of the window that were parked."""
    malformed: Mapping[str, int] = field(default_factory=dict)
    """Malformed items of the window, by source."""

    def after(self, counts: ItemCounts, limits: CircuitBreakerLimits) -> CircuitBreakerLevel:
        """The level with one more batch; the oldest batches leave a window that is full without
        them.
        """
        added = counts.decided + counts.parked
        if not added:
            return self
        counted, allowed = counts, min(self.allowed, counts.parked)
        if allowed:
            counted = ItemCounts(
                counts.decided + allowed, counts.parked - allowed, counts.malformed
            )
        kept = (*self.batches, counted)
        items = self.items + added
        leaving = 0
        while True:
            oldest = kept[leaving].decided + kept[leaving].parked
            if items - oldest < limits.window_items:
                break
            items -= oldest
            leaving += 1
        left = kept[:leaving]
        return CircuitBreakerLevel(
            kept[leaving:],
            in_a_row=0 if counted.decided else self.in_a_row + counted.parked,
            allowed=self.allowed - allowed,
            items=items,
            parked=self.parked + counted.parked - sum(batch.parked for batch in left),
            malformed=_malformed_after(self.malformed, counted, left),
        )

    def bad_sources(self, limits: CircuitBreakerLimits) -> tuple[str, ...]:
        """Sources that each send more malformed items than all together may."""
        if not limits.malformed_share:
            return ()
        found = (source for source, count in self.malformed.items() if count > limits.malformed_max)
        return tuple(sorted(found))

    def why_tripped(self, limits: CircuitBreakerLimits) -> str | None:
        """Which limit is passed, in words; None where none is."""
        if limits.parked_share and self.parked > limits.parked_max:
            return f"{self.parked} of the last {self.items} items failed and were to be parked"
        if limits.parked_in_a_row and self.in_a_row >= limits.parked_in_a_row:
            return f"{self.in_a_row} items in a row failed and were to be parked"
        others = self._malformed_of_others()
        sources = len(self.malformed)
        if limits.malformed_share and sources >= SOURCES_MIN and others > limits.malformed_max:
            count = sum(self.malformed.values())
            return f"{count} of the last {self.items} items from {sources} sources are malformed"
        return None

    def fullness(self, limits: CircuitBreakerLimits) -> float:
        """How near the nearest rule is to its limit; the circuit breaker trips above 1."""
        parts = [0.0]
        if limits.parked_share:
            parts.append(self.parked / limits.parked_max)
        if limits.parked_in_a_row:
            parts.append(self.in_a_row / limits.parked_in_a_row)
        if limits.malformed_share and len(self.malformed) >= SOURCES_MIN:
            parts.append(self._malformed_of_others() / limits.malformed_max)
        return max(parts)

    def _malformed_of_others(self) -> int:
        counts = self.malformed.values()
        return sum(counts) - max(counts, default=0)


def _malformed_after(
    malformed: Mapping[str, int], counted: ItemCounts, left: Sequence[ItemCounts]
) -> Mapping[str, int]:
    """The window's malformed items by source after one batch was added and others left."""
    if not counted.malformed and not any(batch.malformed for batch in left):
        return malformed
    total = Counter(malformed)
    total.update(counted.malformed)
    for batch in left:
        total.subtract(batch.malformed)
    return +total


Levels = Mapping[TopicPartition, CircuitBreakerLevel]


def counts_by_partition(
    report: BatchReport, records: Mapping[TopicPartition, Sequence[object]], topic_prefix: str
) -> dict[TopicPartition, ItemCounts]:
    """How the items of a batch ended in each of its partitions, by its report."""
    if not (report.parked or report.malformed):
        return {partition: ItemCounts(len(part), 0, {}) for partition, part in records.items()}
    return {
        TopicPartition(topic_prefix + topic, number): counts
        for (topic, number), counts in report.counts_by_partition().items()
    }


class CircuitBreaker:
    """The circuit breaker of one partition. It begins again with each reader."""

    __slots__ = ("_bad_sources", "_gauges", "_level", "_limits", "_partition")

    def __init__(
        self, partition: TopicPartition, limits: CircuitBreakerLimits, gauges: PartitionGauges
    ) -> None:
        self._partition = partition
        self._limits = limits
        self._gauges = gauges
        self._level = CircuitBreakerLevel()
        self._bad_sources: tuple[str, ...] = ()

    def level_after(self, counts: ItemCounts) -> CircuitBreakerLevel:
        """The level after a batch that is about to commit, for `keep` when it has committed.

        Raises:
            CircuitBreakerTripped: the batch must not commit.
        """
        level = self._level.after(counts, self._limits)
        why = level.why_tripped(self._limits)
        if why:
            raise CircuitBreakerTripped(self._partition, why)
        return level

    def keep(self, level: CircuitBreakerLevel) -> None:
        """Keep the level after a batch that has committed."""
        self._level = level
        self._gauges.set_fuse(level.fullness(self._limits))
        self._report_bad_sources(level.bad_sources(self._limits))

    def reset(self, allowed: int = 0) -> None:
        """Count from the beginning; the next `allowed` failing items count as decided."""
        self._level = CircuitBreakerLevel(allowed=allowed)

    def _report_bad_sources(self, sources: tuple[str, ...]) -> None:
        """One bad source must not stop the others: it is logged once, and shown while it lasts."""
        if sources == self._bad_sources:
            return
        self._bad_sources = sources
        self._gauges.set_bad_sources(len(sources))
        if sources:
            log.error(
                "bad_source_found",
                topic=self._partition.topic,
                partition=self._partition.partition,
                sources=list(sources),
            )
