"""The fuses of the partitions this process reads: fed by what each batch did, told in metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import structlog
from aiokafka import TopicPartition

from services.runtime.batches import BatchReport
from services.runtime.fuse import FuseLevel, FuseLimits, FuseTripped, Share
from services.runtime.gauges import PartitionGauges
from services.runtime.settings import Settings

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
