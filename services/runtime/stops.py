"""Partitions this process reads no more of, and why: paused, red in readiness, loud in the log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from services.runtime.gauges import PartitionGauges
from services.runtime.positions import PositionOutsideTopic
from services.runtime.retrying import forget_rows

log = structlog.get_logger(__name__)


class Stops:
    """The stopped partitions of one consumer; nothing of them is skipped."""

    def __init__(
        self, gauges: PartitionGauges, locate: Callable[[], AIOKafkaConsumer | None]
    ) -> None:
        self._gauges = gauges
        self._locate = locate
        self._reasons: dict[TopicPartition, str] = {}

    def __contains__(self, partition: TopicPartition) -> bool:
        return partition in self._reasons

    @property
    def reasons(self) -> Mapping[TopicPartition, str]:
        """Why each stopped partition is."""
        return self._reasons

    def stop(self, partition: TopicPartition, error: Exception) -> None:
        """Read no more of the partition; readiness and metrics turn red (design 4, a bug)."""
        forget_rows(error)
        self._reasons[partition] = repr(error)
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

    def keep_only(self, partitions: Collection[TopicPartition]) -> None:
        """After a rebalance: the next owner decides for the others; ours are paused again."""
        self._reasons = {p: why for p, why in self._reasons.items() if p in partitions}
        for partition in self._reasons:
            self._pause(partition)

    def _pause(self, partition: TopicPartition) -> None:
        consumer = self._locate()
        try:
            if consumer is not None:
                consumer.pause(partition)
        except IllegalStateError:  # Taken from us in the meantime: its next owner will see.
            return
