"""Gauges of the partitions that a process is assigned."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from aiokafka import TopicPartition

from services.runtime.observability.metrics import Metrics


class PartitionGauges:
    """Gauges of the partitions this process has; those it lost are taken back.

    Else the largest value ever shown by a former owner would stand until that process ends.
    """

    def __init__(self, service: str, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._shown: set[TopicPartition] = set()
        self._left_off: dict[TopicPartition, int] = {}
        self._since_ms: dict[TopicPartition, int] = {}

    def applied(self, partition: TopicPartition, next_offset: int, timestamp_ms: int) -> None:
        """A batch of the partition is committed: where it ends, and how old its last record is."""
        self._left_off[partition] = next_offset
        self._since_ms[partition] = timestamp_ms

    def measure(
        self, partition: TopicPartition, end: int, position: int | None, now_ms: int
    ) -> None:
        """Set the lag: `end` is the offset of the next record to come, `position` ours.

        The oldest message not applied is no older than the last one that was, nor than the
        moment we were last seen to have applied all. A stopped partition has no position any
        more: its lag is told from where it left off.
        """
        reached = self._left_off.get(partition) if position is None else position
        if reached is None:
            return
        behind = max(0, end - reached)
        if not behind or partition not in self._since_ms:
            self._since_ms[partition] = now_ms
        seconds = max(0, now_ms - self._since_ms[partition]) / 1000 if behind else 0
        labels = self._show(partition)
        self._metrics.lag_messages.labels(*labels).set(behind)
        self._metrics.lag_seconds.labels(*labels).set(seconds)

    def set_stopped(self, partition: TopicPartition, *, is_stopped: bool) -> None:
        """Nothing is read from the partition any more, or it is again."""
        self._metrics.partition_stopped.labels(*self._show(partition)).set(int(is_stopped))

    def set_fuse(self, partition: TopicPartition, fullness: float) -> None:
        """How near the partition's fuse is to its limit."""
        self._metrics.fuse_level.labels(*self._show(partition)).set(fullness)

    def set_bad_sources(self, partition: TopicPartition, count: int) -> None:
        """How many senders alone send too much that is malformed."""
        self._metrics.bad_sources.labels(*self._show(partition)).set(count)

    def keep_only(self, partitions: Collection[TopicPartition]) -> None:
        """Take back what was told of other partitions: somebody else has them."""
        gauges = (
            self._metrics.lag_messages,
            self._metrics.lag_seconds,
            self._metrics.partition_stopped,
            self._metrics.fuse_level,
            self._metrics.bad_sources,
        )
        for partition in self._shown.difference(partitions):
            for gauge in gauges:
                with contextlib.suppress(KeyError):
                    gauge.remove(*self._labels(partition))
            self._left_off.pop(partition, None)
            self._since_ms.pop(partition, None)
        self._shown.intersection_update(partitions)

    def _show(self, partition: TopicPartition) -> tuple[str, str, str]:
        labels = self._labels(partition)
        if partition not in self._shown:
            self._shown.add(partition)
            self._metrics.partition_stopped.labels(*labels).set(0)
        return labels

    def _labels(self, partition: TopicPartition) -> tuple[str, str, str]:
        return self._service, partition.topic, str(partition.partition)
