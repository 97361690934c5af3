"""The fuse of a partition: when so much fails that going on would do harm (P6). Pure.

A bad deploy looks like bad data: parking a whole topic item by item would hide it, and would have
to be undone item by item. What is parked behind another item is no failure of its own: not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
from aiokafka import TopicPartition

from services.runtime.batch.batch import BatchReport
from services.runtime.config.settings import Settings
from services.runtime.partitions.gauges import PartitionGauges

SOURCES_MIN = 3


class FuseTripped(Exception):
    """Too much of a partition fails; its batch is not committed, and the next one is not read."""

    def __init__(self, partition: TopicPartition, why: str) -> None:
        super().__init__(
            f"{partition.topic}[{partition.partition}]: {why}. The batch that would have passed "
            "the limit is not applied. Mend the cause, then `orderflow partitions resume "
            f"{partition.topic} {partition.partition} --why …`; with `--allow N` the next N "
            "failing items are parked all the same (docs/operating.md, 'The fuse')"
        )
        self.partition = partition


@dataclass(frozen=True, slots=True)
class FuseLimits:
    """How much may fail; a share of 0 turns that rule off."""

    window_items: int
    parked_share: float
    parked_in_a_row: int
    malformed_share: float

    @property
    def parked_max(self) -> float:
        """That many of a window may be parked. Of a young window too: 1 of 3 is no flood."""
        return self.window_items * self.parked_share

    @property
    def malformed_max(self) -> float:
        """That many of a window may be malformed, without the worst source's."""
        return self.window_items * self.malformed_share


@dataclass(frozen=True, slots=True)
class Share:
    """What one batch did in one partition: items decided, parked by their own failure, malformed.

    Malformed ones are among the decided; they are counted by who sent them.
    """

    decided: int
    parked: int
    malformed: Mapping[str, int]

    @property
    def items(self) -> int:
        """All but those that only stand behind another."""
        return self.decided + self.parked


@dataclass(frozen=True, slots=True)
class FuseLevel:
    """The last batches of a partition, about a window of them, and the row of failures at the end.

    The row counts whole batches: one decided item in a batch ends it. What the window holds is
    carried along, not counted anew: a thousand batches of one item are a window as well.
    """

    batches: tuple[Share, ...] = ()
    in_a_row: int = 0
    allowed: int = 0
    items: int = 0
    """Items of the window."""
    parked: int = 0
    """Items of the window that were parked."""
    malformed: Mapping[str, int] = field(default_factory=dict)
    """Malformed items of the window, by source."""

    def after(self, share: Share, limits: FuseLimits) -> FuseLevel:
        """The level with one batch more; the oldest ones leave when the window is full without."""
        if not share.items:
            return self
        counted, pardoned = share, min(self.allowed, share.parked)
        if pardoned:
            counted = replace(
                share, parked=share.parked - pardoned, decided=share.decided + pardoned
            )
        kept = (*self.batches, counted)
        items = self.items + counted.items
        leaving = 0
        while items - kept[leaving].items >= limits.window_items:
            items -= kept[leaving].items
            leaving += 1
        left = kept[:leaving]
        return FuseLevel(
            kept[leaving:],
            in_a_row=0 if counted.decided else self.in_a_row + counted.parked,
            allowed=self.allowed - pardoned,
            items=items,
            parked=self.parked + counted.parked - sum(batch.parked for batch in left),
            malformed=_moved(self.malformed, counted, left),
        )

    def bad_sources(self, limits: FuseLimits) -> tuple[str, ...]:
        """Sources that alone send more malformed items than all together may: an alert each."""
        if not limits.malformed_share:
            return ()
        found = (source for source, count in self.malformed.items() if count > limits.malformed_max)
        return tuple(sorted(found))

    def why_tripped(self, limits: FuseLimits) -> str | None:
        """The limit that is passed, in words; None while all is within."""
        if limits.parked_share and self.parked > limits.parked_max:
            return f"{self.parked} of the last {self.items} items failed and were to be parked"
        if limits.parked_in_a_row and self.in_a_row >= limits.parked_in_a_row:
            return f"{self.in_a_row} items in a row failed and were to be parked"
        others = self._malformed_without_the_worst()
        sources = len(self.malformed)
        if limits.malformed_share and sources >= SOURCES_MIN and others > limits.malformed_max:
            count = sum(self.malformed.values())
            return f"{count} of the last {self.items} items from {sources} sources are malformed"
        return None

    def fullness(self, limits: FuseLimits) -> float:
        """How near to its limit the nearest rule is: it trips above 1."""
        parts = [0.0]
        if limits.parked_share:
            parts.append(self.parked / limits.parked_max)
        if limits.parked_in_a_row:
            parts.append(self.in_a_row / limits.parked_in_a_row)
        if limits.malformed_share and len(self.malformed) >= SOURCES_MIN:
            parts.append(self._malformed_without_the_worst() / limits.malformed_max)
        return max(parts)

    def _malformed_without_the_worst(self) -> int:
        counts = self.malformed.values()
        return sum(counts) - max(counts, default=0)


def _moved(malformed: Mapping[str, int], came: Share, left: Sequence[Share]) -> Mapping[str, int]:
    """The window's malformed items by source after a batch came and others left it."""
    if not came.malformed and not any(batch.malformed for batch in left):
        return malformed
    total = Counter(malformed)
    total.update(came.malformed)
    for batch in left:
        total.subtract(batch.malformed)
    return +total


Levels = Mapping[TopicPartition, FuseLevel]

log = structlog.get_logger(__name__)


def limits_of(settings: Settings) -> FuseLimits:
    """How much the operator lets fail."""
    return FuseLimits(
        settings.fuse_window_items,
        settings.fuse_parked_share,
        settings.fuse_parked_in_a_row,
        settings.fuse_malformed_share,
    )


def shares(
    report: BatchReport, records: Mapping[TopicPartition, Sequence[object]], topic_prefix: str
) -> dict[TopicPartition, Share]:
    """What a batch did in each of its partitions, by its report."""
    if not (report.parked or report.malformed):
        return {partition: Share(len(part), 0, {}) for partition, part in records.items()}
    return {
        TopicPartition(topic_prefix + topic, number): Share(
            tally.decided, tally.parked, tally.malformed
        )
        for (topic, number), tally in report.tallies().items()
    }


class Fuses:
    """Levels by partition. They begin anew with each owner: a window is soon full again."""

    def __init__(self, limits: FuseLimits, gauges: PartitionGauges) -> None:
        self._limits = limits
        self._gauges = gauges
        self._levels: dict[TopicPartition, FuseLevel] = {}
        self._told: dict[TopicPartition, tuple[str, ...]] = {}

    def check(self, done: Mapping[TopicPartition, Share]) -> Levels:
        """The levels after a batch that is about to commit, to be kept when it has.

        Raises:
            FuseTripped: it must not.
        """
        reached = {
            partition: self._levels.get(partition, FuseLevel()).after(share, self._limits)
            for partition, share in done.items()
        }
        for partition, level in reached.items():
            why = level.why_tripped(self._limits)
            if why:
                raise FuseTripped(partition, why)
        return reached

    def keep(self, levels: Levels) -> None:
        """The batch is committed."""
        self._levels.update(levels)
        for partition, level in levels.items():
            self._gauges.set_fuse(partition, level.fullness(self._limits))
            self._tell(partition, level.bad_sources(self._limits))

    def begin(self, partition: TopicPartition, allowed: int = 0) -> None:
        """Count anew, as an operator has resumed it; so many failures pass uncounted."""
        self._levels[partition] = FuseLevel(allowed=allowed)

    def keep_only(self, partitions: Collection[TopicPartition]) -> None:
        """Forget what others read now."""
        self._levels = {p: level for p, level in self._levels.items() if p in partitions}
        self._told = {p: sources for p, sources in self._told.items() if p in partitions}

    def _tell(self, partition: TopicPartition, sources: tuple[str, ...]) -> None:
        """One bad source is no reason to hold the others up: said once, shown while it lasts."""
        if sources == self._told.get(partition, ()):
            return
        self._told[partition] = sources
        self._gauges.set_bad_sources(partition, len(sources))
        if sources:
            log.error(
                "bad_source_found",
                topic=partition.topic,
                partition=partition.partition,
                sources=list(sources),
            )
